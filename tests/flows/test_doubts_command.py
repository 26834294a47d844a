"""`postroom doubts`, as it is typed: what it lists, asks, says, and exits with."""

import csv
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli.doubts import COLUMNS, doubts
from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.flows import doubting, schedule
from campaigns.model.customers import contacts
from campaigns.model.mail import chunks, messages, runs
from campaigns.model.staff import staff
from campaigns.records import audience, campaigns, history, outbox
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring
from campaigns.values import EventKind, Fact, RunState, Verdict
from campaigns.worker import Worker
from tests.factories import NOW
from tests.flows.test_doubting import UNKNOWN, frozen, send, states

IN_TIME = utc_now() + timedelta(days=3650)
SINCE = utc_now().replace(microsecond=0) - timedelta(hours=1)
MARA, SAM = "mara@shop.example", "sam@shop.example"


@pytest.fixture
def installation(stores, database_url, tmp_path, monkeypatch):
    """An installation that the command finds, with a marketer and a rep."""
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database_url)
    monkeypatch.setenv("POSTROOM_SMTP_URL", "smtps://user:hidden@mx.shop.example:465")
    monkeypatch.setattr(audience, "CHUNK", 4)
    with stores.sessions.begin() as session:
        for email, desk in ((MARA, Desk.MARKETING), (SAM, Desk.SALES)):
            one = {"email": email, "name": email, "roles": [desk.value], "active": True}
            session.execute(sa.insert(staff).values(**one, password_hash="none", created_at=NOW))
    return tmp_path


@pytest.fixture
def run(stores, installation):
    """A run that ended with messages 2, 3 and 7 in doubt; 3 has a name that is no good."""
    with stores.sessions.begin() as session:
        made = frozen(session)
        send(session, made, doubtful=(2, 3, 7), now=SINCE)
        schedule.finish_runs(session, NOW)
        third = sa.select(messages.c.contact_id).where(messages.c.run_id == made, messages.c.seq == 3)
        session.execute(
            sa.update(contacts).where(contacts.c.id == session.scalar(third)).values(given_name="=1\x1b[2J")
        )
        session.execute(sa.update(runs).values(expires_at=IN_TIME))
    return made


def typed(*arguments, fed=None):
    return CliRunner().invoke(doubts, [str(one) for one in arguments], input=fed)


def test_of_several_accounts_it_says_through_which_a_message_went(stores, run, tmp_path, monkeypatch):
    file = tmp_path / "accounts.toml"
    accounts = "".join(
        f"[accounts.{name}]\nkind = 'smtp'\nurl = 'smtp://127.0.0.1:1'\n" for name in ("a", "b")
    )
    file.write_text(f"{accounts}[[routes]]\naccounts = {{ a = 1, b = 1 }}\n")
    monkeypatch.setenv("POSTROOM_ACCOUNTS", str(file))
    with stores.sessions.begin() as session:
        of_seven = (chunks.c.first_seq <= 7, chunks.c.last_seq >= 7)
        session.execute(sa.update(chunks).values(account="a"))
        session.execute(sa.update(chunks).where(*of_seven).values(account="b"))
    found = [json.loads(line) for line in typed("--json").output.splitlines()]
    assert {one["seq"]: one["account"] for one in found} == {2: "a", 3: "a", 7: "b"}
    assert typed().output.count(", through a\n") == 2


def test_without_doubts_it_says_so(installation):
    answer = typed()
    assert (answer.exit_code, answer.output) == (0, "No message is in doubt.\n")
    assert typed("--json").output == ""


def test_it_lists_whose_mail_it_is_what_was_heard_last_and_where_to_ask(stores, run):
    with stores.sessions.begin() as session:
        first = outbox.in_doubt(session)[0]
        history.record(
            session, Fact(EventKind.OPENED, NOW, "o", first.contact, None, run, 2, "web", Verdict.MACHINE)
        )
    answer = typed()
    assert answer.exit_code == 0
    keyring = Keyring(from_environment().secret)
    assert f"Run {run} of “{first.campaign}”, 2026-11-22T09:00\n" in answer.output
    assert f"  2  Ada <{first.address}>, contact {first.contact}\n" in answer.output
    assert f"Message-ID {doubting.message_id(first, keyring)}\n" in answer.output
    assert f"since {SINCE.isoformat()}: {UNKNOWN.text}\n" in answer.output
    assert "it did arrive: opened 2026-11-22T09:00:00+00:00" in answer.output
    assert "3 messages in doubt, of 1 run." in answer.output
    assert "in the log of mx.shop.example" in answer.output
    assert "hidden" not in answer.output
    assert "\x1b" not in answer.output


def test_it_gives_the_same_as_json_and_as_a_file_that_no_spreadsheet_runs(run, installation):
    lines = [json.loads(line) for line in typed("--json").output.splitlines()]
    assert [(line["run"], line["seq"]) for line in lines] == [(run, 2), (run, 3), (run, 7)]
    assert tuple(lines[0]) == COLUMNS
    path = installation / "doubts.csv"
    assert typed("--csv", path).output == f"3 messages in {path}\n"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["message_id"] for row in rows] == [line["message_id"] for line in lines]
    assert rows[1]["name"] == "'=1\x1b[2J"


def test_a_run_without_doubts_says_so_and_one_that_is_not_there_is_an_error(stores, run):
    with stores.sessions.begin() as session:
        fine = frozen(session)
    assert typed("--run", fine).output == f"No message of run {fine} is in doubt.\n"
    assert "There is no run 999" in str(typed("--run", 999).exception)


def test_it_asks_with_the_numbers_and_does_nothing_on_no(stores, run):
    answer = typed("resolve", "--run", run, "send-again", "--by", MARA, fed="n\n")
    assert answer.exit_code == 1
    assert "Send 3 messages again? Whoever has the mail already gets it twice." in answer.output
    with stores.readers() as session:
        assert states(session, run).count("unknown") == 3


def test_one_place_or_a_whole_run_or_all_are_decided_by_a_person(stores, run):
    answer = typed("resolve", "arrived", "--run", run, "--seq", 3, "--seq", 5, "--by", MARA, fed="y\n")
    assert "Count 1 message as arrived?" in answer.output
    assert answer.output.endswith(f"run {run}: 1 message counted as arrived\n")
    with stores.sessions.begin() as session:
        other = frozen(session, people=2)
        send(session, other, doubtful=(1,), now=SINCE)
        session.execute(sa.update(runs).where(runs.c.id == other).values(expires_at=IN_TIME))
    answer = typed("resolve", "send-again", "--all", "--by", f" {MARA.upper()} ", "--yes")
    assert answer.exit_code == 0, answer.output
    assert f"run {run}: 2 messages queued again\n" in answer.output
    assert f"run {other}: 1 message queued again\n" in answer.output
    with stores.readers() as session:
        assert outbox.how_many(session) == 0
        assert campaigns.get_run(session, run).state is RunState.RUNNING
    answer = typed("resolve", "send-again", "--all", "--by", MARA, "--yes")
    assert (answer.exit_code, answer.output) == (0, "None of these is in doubt; nothing was changed.\n")


@pytest.mark.parametrize("who", [SAM, "nobody@shop.example"])
def test_only_people_of_the_marketing_desk_decide(stores, run, who):
    answer = typed("resolve", "arrived", "--run", run, "--by", who, "--yes")
    assert "is nobody at the marketing desk" in str(answer.exception)
    with stores.readers() as session:
        assert states(session, run).count("unknown") == 3


@pytest.mark.parametrize("which", [(), ("--all", "--run", "1"), ("--seq", "3"), ("--all", "--seq", "3")])
def test_it_wants_to_be_told_which(run, which):
    answer = typed("resolve", "arrived", *which, "--by", MARA)
    assert answer.exit_code == 2
    assert "Say which: --run N, --run N --seq M, or --all." in answer.output


def test_a_run_whose_time_is_over_holds_up_no_other_and_can_be_given_more(stores, run):
    with stores.sessions.begin() as session:
        session.execute(sa.update(runs).values(expires_at=NOW.replace(year=2020)))
        other = frozen(session, people=2)
        send(session, other, doubtful=(1,), now=SINCE)
        session.execute(sa.update(runs).where(runs.c.id == other).values(expires_at=IN_TIME))
    answer = typed("resolve", "send-again", "--all", "--by", MARA, "--yes")
    assert answer.exit_code == 1
    assert f"run {other}: 1 message queued again\n" in answer.output
    assert f"run {run}: The time of run {run} was over at 2020-" in answer.output
    answer = typed("resolve", "send-again", "--run", run, "--within", 5, "--by", MARA, "--yes")
    assert (answer.exit_code, answer.output) == (0, f"run {run}: 3 messages queued again\n")


def test_the_worker_settles_what_is_proven_already(stores, run, tmp_path):
    with stores.sessions.begin() as session:
        first = outbox.in_doubt(session)[0]
        history.record(session, Fact(EventKind.OPENED, NOW, "o", first.contact, None, run, 2, "web"))
    worker = Worker(stores, from_environment({"POSTROOM_DATA": str(tmp_path / "var")}), clock=lambda: NOW)
    ticks = {name: tick for name, _seconds, tick in worker.ticks()}
    assert ticks["doubts"]() == 1
    with stores.readers() as session:
        assert states(session, run)[1] == "sent"
