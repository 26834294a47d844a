"""Logs: whatever is logged, it is one line, it can be read back, and no address stands in it."""

import io
import json
import logging
import warnings

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import logs
from campaigns.errors import BadSettings

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+-_", min_size=1, max_size=30)
ADDRESSES = st.builds(
    "{}@{}.example".format, NAMES, st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
)
AROUND = st.sampled_from(["", " ", "<", ">", "(", ")", '"', "'", ",", ";", "to:", "\n", "=", "mailto:"])


def said(act, **env):
    """What is written when `act` logs."""
    out = io.StringIO()
    logs.configure(env, door="sender", stream=out)
    act(structlog.get_logger())
    return out.getvalue()


def entry(act, **env):
    (line,) = said(act, POSTROOM_LOG="json", **env).splitlines()
    return json.loads(line)


def test_an_entry_says_when_where_what_and_its_ids():
    found = entry(lambda log: log.info("chunk settled", run=3, chunk=4, fence=2, owner="host:1"))
    assert found.pop("at").endswith("+00:00")
    assert isinstance(found.pop("pid"), int)
    assert found == {
        "level": "info",
        "event": "chunk settled",
        "door": "sender",
        "run": 3,
        "chunk": 4,
        "fence": 2,
        "owner": "host:1",
    }


def test_what_is_bound_for_a_while_stands_in_every_entry():
    with structlog.contextvars.bound_contextvars(run=3, chunk=4):
        assert entry(lambda log: log.info("x"))["chunk"] == 4


@given(text=st.text(max_size=300), field=st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_hostile_text_cannot_break_a_line_of_json(text, field):
    line = said(
        lambda log: log.warning(text, reply=field, deep={"list": [field]}),
        POSTROOM_LOG="json",
        POSTROOM_LOG_LEVEL="debug",
    )
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    found = json.loads(line)
    assert (found["event"], found["reply"], found["deep"]) == (text, field, {"list": [field]})


@given(text=st.text(max_size=300), field=st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_hostile_text_can_neither_break_a_line_nor_steer_a_terminal(text, field):
    line = said(lambda log: log.warning(text, reply=field), POSTROOM_LOG="text")
    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_hostile_text_in_an_error_stays_within_its_lines():
    def act(log):
        try:
            int("\x1b[2Jgone\r\n{}")
        except ValueError:
            log.exception("failed")

    assert all(line.isprintable() for line in said(act, POSTROOM_LOG="text").split("\n"))
    found = entry(act)
    assert found["error"].startswith("ValueError: invalid literal")
    assert "test_logs.py" in found["trace"]


@given(address=ADDRESSES, before=AROUND, after=AROUND)
@settings(max_examples=150, deadline=None)
def test_no_address_leaves_in_clear(address, before, after):
    def act(log):
        text = f"{before}{address}{after}"
        log.info(
            text, reply=text, deep={text: [text]}, url=f"https://x.example/?to={address.replace('@', '%40')}"
        )
        try:
            {}[text]
        except KeyError:
            log.exception("failed")
        logging.getLogger("somebody.else").warning("lost %s", text)

    for form in ("json", "text"):
        line = said(act, POSTROOM_LOG=form)
        assert address not in line
        assert address.replace("@", "%40") not in line
        assert address.partition("@")[0] + "@" not in line


def test_a_quoted_address_does_not_leave_either():
    assert "ada" not in said(lambda log: log.info('550 <"ada lovelace"@people.example> unknown'))


def test_passwords_in_addresses_of_services_do_not_leave():
    found = entry(lambda log: log.info("connecting", to="smtps://me:secret@mail.example:465"))
    assert found["to"] == "smtps://mail.example:465"


def test_addresses_stand_in_clear_when_one_debugs():
    found = entry(lambda log: log.debug("to ada@people.example"), POSTROOM_LOG_LEVEL="debug")
    assert found["event"] == "to ada@people.example"


def test_an_address_has_one_name_in_all_processes_of_an_installation():
    def name(secret):
        logs.name_addresses_by(secret)
        return logs.masked("to Ada@People.example, please")

    first = name(b"one")
    assert name(b"two") != first
    assert name(b"one") == first
    assert logs.masked("ada@people.example") in first


def test_a_huge_field_is_cut():
    assert len(entry(lambda log: log.info("x", reply="y" * 10**6))["reply"]) <= logs.MOST_TEXT + 1


def test_what_cannot_be_shown_is_still_a_line():
    class Sulky:
        def __str__(self):
            raise RuntimeError("no")

    assert "Sulky" in entry(lambda log: log.info("x", who=Sulky(), at_rate=float("nan")))["who"]


def test_libraries_speak_by_the_same_way():
    def act(_log):
        logging.getLogger("sqlalchemy.pool").warning("lost %d", 3)
        logging.getLogger("apscheduler.executors").info("ran as it should")  # twice a second
        logging.getLogger("apscheduler.scheduler").warning("skipped: is running")  # while a tick takes long

    found = entry(act)
    assert (found["event"], found["level"], found["logger"]) == ("lost 3", "warning", "sqlalchemy.pool")


def test_warnings_are_logged():
    def act(_log):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("old", stacklevel=1)

    assert "old" in entry(act)["event"]


def test_less_than_the_level_is_not_said():
    assert said(lambda log: log.info("x"), POSTROOM_LOG_LEVEL="warning") == ""


def test_a_log_that_cannot_be_written_stops_nobody():
    out = io.StringIO()
    logs.configure({}, stream=out)
    out.close()
    structlog.get_logger().error("nobody hears this")


def test_a_file_gets_json_and_a_terminal_words():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    logs.configure({}, door="worker", stream=out)
    structlog.get_logger().info("runs opened", runs=[1, 2])
    assert "worker" in out.getvalue()
    assert "runs opened  runs=[1, 2]" in out.getvalue()
    assert json.loads(said(lambda log: log.info("x")))["event"] == "x"


def test_bad_settings_are_told_together():
    with pytest.raises(BadSettings) as caught:
        logs.configure({"POSTROOM_LOG": "xml", "POSTROOM_LOG_LEVEL": "loud"})
    assert {problem.where for problem in caught.value.problems} == {"POSTROOM_LOG", "POSTROOM_LOG_LEVEL"}
