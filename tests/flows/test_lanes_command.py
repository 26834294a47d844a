"""`postroom lanes`: told and set from the shell."""

import json
import re

import pytest
from click.testing import CliRunner

from campaigns.cli.lanes import lanes as command
from campaigns.clock import utc_now
from campaigns.delivery.warmup import Plan
from campaigns.errors import NotAllowed
from campaigns.records import lanes
from campaigns.records.lanes import Limits


@pytest.fixture
def shell(stores, database_url, tmp_path, monkeypatch):
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))

    def run(*words):
        answer = CliRunner().invoke(command, words, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.output

    return run


def test_what_is_set_by_the_shell_is_told_by_it(shell, stores):
    assert "No lane was set or used yet" in shell()
    shell("limit", "google", "--per-minute", "600", "--warm-up", "100", "1.5", "5000", "--by", "ada")
    shell("hold", "yahoo", "--for", "2", "--reason", "they called", "--by", "ada")
    told = shell()
    assert "held by ada: they called" in told
    assert "day 1 (begun)" in told
    with stores.readers() as session:
        assert lanes.limits_of(session, "main", "google") == Limits(600, None, Plan(100, 1.5, 5000))
        assert lanes.held(session, "main", utc_now()) == {"yahoo"}
    shell("open", "yahoo", "--by", "bob")
    by_name = {one["lane"]: one for one in json.loads(shell("--json"))["lanes"]}
    assert (by_name["yahoo"]["word"], by_name["google"]["rate"]) == ("open", 600)


def test_what_makes_no_sense_is_refused(shell):
    with pytest.raises(NotAllowed, match="BASE GROWTH TARGET"):
        shell("limit", "google", "--warm-up", "100", "9", "5000", "--by", "ada")
    with pytest.raises(NotAllowed, match="account by account"):
        shell("hold", "google", "--account", "*", "--reason", "x", "--by", "ada")
    answer = CliRunner().invoke(command, ["hold", "nosuch", "--reason", "x", "--by", "ada"])
    assert answer.exit_code == 2
    assert "nosuch" in answer.output
    answer = CliRunner().invoke(command, ["limit", "gogle", "--by", "ada"])
    assert answer.output.endswith("no lane is called 'gogle'. Did you mean google?\n")
    assert "netease" not in answer.output
    with pytest.raises(NotAllowed, match="nobody logs in here by this address"):
        shell("limit", "google", "--per-day", "9", "--by", "nobody@nowhere.example")


def test_what_was_set_is_shown_at_once(shell):
    assert re.search(
        r"^main +google .* 30$", shell("limit", "google", "--per-day", "30", "--by", "ada"), re.MULTILINE
    )
    assert "held by ada: x" in shell("hold", "google", "--reason", "x", "--by", "ada")
    assert re.search(r"^main +google +open ", shell("open", "google", "--by", "ada"), re.MULTILINE)
    assert "news.example by main" in shell(
        "warm-up", "news.example", "--plan", "100", "1.5", "5000", "--by", "ada"
    )
    assert "news.example is warm" in shell("warm-up", "news.example", "--end", "--by", "ada")


def test_a_cap_that_a_lane_starts_with_is_told_and_lifted(shell, stores):
    with stores.sessions.begin() as session:
        lanes.start(session, {"main": True}, now=utc_now())
    assert "google         3000     5" in shell("starts")
    shell("limit", "google", "--per-day", "9000", "--by", "ada")
    assert "3000 (start)" in shell()
    shell("limit", "google", "--no-cap", "--connections", "0", "--by", "ada")
    [line] = json.loads(shell("--json"))["lanes"]
    assert (line["rate"], line["starts"]) == (None, False)
    with pytest.raises(NotAllowed, match="opposite"):
        shell("limit", "google", "--no-cap", "--per-minute", "5", "--by", "ada")


def test_a_sending_domain_is_warmed_up_and_cooled_by_the_shell(shell, stores):
    assert "No sending domain is warmed up." in shell("warm-up")
    shell("warm-up", "New.example", "--plan", "100", "1.5", "5000", "--by", "ada")
    assert "new.example by main: from 100 a day by 1.5 to 5000" in shell("warm-up")
    with stores.sessions.begin() as session:
        [found] = lanes.plans(session)
        one = lanes.Warming("main", found.domain, "google", found.plan)
        assert lanes.give_warm(session, one, 7, now=utc_now()) == 7
    assert "google: day 1 (begun), 7 of 100" in shell("warm-up")
    for wrong in (["--plan", "0", "1", "1", "--by", "ada"], ["--end"], ["--by", "ada"]):
        with pytest.raises(NotAllowed):
            shell("warm-up", "new.example", *wrong)
    shell("warm-up", "new.example", "--end", "--by", "ada")
    assert "No sending domain is warmed up." in shell("warm-up")


def test_an_account_has_a_number_of_mails_a_day(shell, stores):
    shell("limit", "*", "--per-day", "200", "--by", "ada")
    with stores.readers() as session:
        assert lanes.limits_of(session, "main", lanes.WHOLE) == Limits(per_day=200)
    with pytest.raises(NotAllowed, match="a number a day only"):
        shell("limit", "*", "--per-minute", "5", "--by", "ada")
