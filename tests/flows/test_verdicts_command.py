"""`postroom verdicts` as a user runs it: on a file, with scores, and over the store's own hits."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli.verdicts import verdicts
from campaigns.flows import judging
from campaigns.model.events import events, verdict_rounds
from campaigns.records import hits
from campaigns.tracking.verdicts import RULES_VERSION
from tests.flows.test_judging import GATEWAY, LATER, click, sent_to
from tests.rooms.tracking.labelled import scenarios

FOLDER = Path(scenarios.__file__).parent
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
PERSON = {"message": "a", "t": 900, "kind": "click", "link": 1, "links": 4, "agent": BROWSER,
          "headers": ["accept-language", "sec-fetch-mode"], "address": "198.51.100.4"}  # fmt: skip


def run(tmp_path, lines, *arguments, code=0):
    file = tmp_path / "hits.jsonl"
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    result = CliRunner().invoke(verdicts, [str(file), *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_each_hit_gets_a_line_with_its_verdict_reasons_and_version(tmp_path) -> None:
    robot = {**PERSON, "agent": "curl/8.5", "message": "b", "t": 4}
    out = run(tmp_path, [PERSON, "\n", robot]).stdout.splitlines()
    first, second = map(json.loads, out)
    assert first == {
        "line": 1, "message": "a", "verdict": "human", "points": 0,
        "reasons": ["asked by a browser, and nothing speaks against a person"], "version": RULES_VERSION,
    }  # fmt: skip
    assert (second["line"], second["verdict"], second["reasons"]) == (3, "machine", ["agent is curl"])


def test_hits_of_one_message_are_judged_together_and_those_of_others_are_not(tmp_path) -> None:
    burst = [{**PERSON, "t": 900 + link / 10, "link": link} for link in (1, 2, 3)]
    said = [json.loads(line)["verdict"] for line in run(tmp_path, burst).stdout.splitlines()]
    assert said == ["machine"] * 3
    apart = [{**line, "message": str(number)} for number, line in enumerate(burst)]
    said = [json.loads(line)["verdict"] for line in run(tmp_path, apart).stdout.splitlines()]
    assert said == ["human"] * 3


def test_what_nobody_told_speaks_against_nobody(tmp_path) -> None:
    bare = {key: PERSON[key] for key in ("kind", "link", "agent")} | {"time": "2026-03-01T09:00:00Z"}
    named = {**bare, "user_agent": bare.pop("agent"), "ip": "198.51.100.4"}
    for line in run(tmp_path, [named]).stdout.splitlines():
        assert json.loads(line)["verdict"] == "human"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense\n", "line 2: cannot be read: Expecting value"),
        ("[1]\n", "line 2: is no JSON object."),
        ("[" * 100_000 + "\n", "line 2: is longer than 65536 characters"),
        ({**PERSON, "kind": "smell"}, "line 2: kind is 'smell', not one of open, click, view, score."),
        ({**PERSON, "t": "soon"}, "line 2: t is 'soon', not a number of seconds."),
        ({**PERSON, "t": True}, "line 2: t is 'True', not a number of seconds."),
        ({**PERSON, "https": "yes"}, "line 2: https is 'yes', neither true nor false."),
        ({**PERSON, "confirmed": 1}, "line 2: confirmed is '1', neither true nor false."),
        ({**PERSON, "t": 1e300}, "line 2: t is '1e+300', not a number"),
        ({**PERSON, "headers": "all"}, "line 2: headers is 'all', not a list of names."),
        ({**PERSON, "link": None}, "line 2: a click without a link."),
        ({**PERSON, "links": -1}, "line 2: links is '-1', not a whole number."),
        ({**PERSON, "agent": 7}, "line 2: agent is '7', not a text."),
        ({**PERSON, "truth": "cat"}, "line 2: truth is 'cat', not one of human, machine, privacy."),
        ({**PERSON, "sent_at": "2026-03-01T09:00"}, "line 2: sent_at has no time zone."),
        ({"kind": "open", "at": "noon"}, "line 2: at is 'noon', no moment."),
        ({"kind": "open"}, "line 2: says neither at nor t."),
    ],
)
def test_a_bad_line_is_told_with_its_place_and_the_others_are_judged(tmp_path, line, told) -> None:
    result = run(tmp_path, [PERSON, line, PERSON], code=1)
    assert told in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_an_empty_file_says_so(tmp_path) -> None:
    result = run(tmp_path, ["\n", "  \n"])
    assert (result.stdout, result.stderr) == ("", "There is no hit in it.\n")
    result = run(tmp_path, [], "--score")
    assert (result.stdout, result.stderr) == ("", "There is no hit in it.\n")


def test_hits_of_nobody_known_cannot_be_scored(tmp_path) -> None:
    assert 'No line tells its "truth"' in run(tmp_path, [PERSON], "--score", code=1).stderr


def test_a_file_may_begin_as_windows_begins_it_and_hold_half_a_character(tmp_path) -> None:
    line = "\ufeff" + json.dumps({**PERSON, "message": "\ud800"}) + "\n"
    (said,) = run(tmp_path, [line]).stdout.splitlines()
    assert (json.loads(said)["message"], json.loads(said)["verdict"]) == ("\ud800", "human")


def test_links_that_are_not_https_are_told_so(tmp_path) -> None:
    polite = {**PERSON, "headers": ["accept-language"]}
    said = [json.loads(one)["verdict"] for one in run(tmp_path, [polite]).stdout.splitlines()]
    assert said == ["unknown"]
    said = [
        json.loads(one)["verdict"] for one in run(tmp_path, [{**polite, "https": False}]).stdout.splitlines()
    ]
    assert said == ["human"]


def test_all_that_is_wrong_with_a_line_is_told_at_once(tmp_path) -> None:
    result = run(tmp_path, [{"kind": "smell", "t": "soon", "agent": 7}], code=1)
    assert len(result.stderr.splitlines()) == 3


@pytest.mark.parametrize("half", ["labelled", "heldout"])
def test_scores_are_told_by_class_with_the_usual_rule_beside(half) -> None:
    file, networks = str(FOLDER / f"{half}.jsonl"), str(FOLDER / "networks.csv")
    out = CliRunner().invoke(verdicts, [file, "--score", "--ranges", networks], catch_exceptions=False).stdout
    lines = [line.split() for line in out.splitlines()]
    assert "labelled hits on" in out
    assert [line[0] for line in lines].count("machine") == 2
    ours, theirs = (line for line in lines if line[0] == "machine")
    assert float(ours[-1]) >= 0.97
    assert float(theirs[-1]) < 0.5


@pytest.mark.parametrize("arguments", [[], ["--again", "--score"], ["--since", "2026-01-01", "-"]])
def test_what_makes_no_sense_is_told(arguments) -> None:
    assert CliRunner().invoke(verdicts, arguments, input="").exit_code == 2


def test_all_hits_are_judged_again_and_what_changed_is_told(stores, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setattr(judging, "AT_ONCE", 2)
    with stores.sessions.begin() as session:
        run_id, people = sent_to(session, "ada@example.com", "bob@example.com")
        seen = [(1, 900, "198.51.100.4"), (1, 5000, GATEWAY), (2, 900, "198.51.100.5")]
        hits.store(session, [click(run_id, seq, people[seq], at, address=where) for seq, at, where in seen])
        while judging.judge_hits(session, LATER):
            pass

    def again(*arguments):
        result = CliRunner().invoke(verdicts, ["--again", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout.splitlines()

    told = f"3 hits judged again by rules version {RULES_VERSION}."
    assert again() == [told, "No verdict changed."]
    (tmp_path / "ranges").mkdir()
    (tmp_path / "ranges" / "scanner-sentry.txt").write_text("203.0.113.0/24\n")
    assert [line.split() for line in again()] == [told.split(), ["human", "to", "machine", "1"]]
    with stores.readers() as session:
        said = session.scalars(sa.select(events.c.verdict).order_by(events.c.at, events.c.id)).all()
        assert sorted(said) == ["human", "human", "machine"]
    assert again("--since", "2999-01-01")[0].startswith("0 hits judged again")
    with stores.readers() as session:
        assert len(session.execute(sa.select(verdict_rounds)).all()) == 3
