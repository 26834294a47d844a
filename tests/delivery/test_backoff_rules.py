"""What servers say, and which rule it falls under: texts as they are published and seen."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.delivery.backoff_rules import RULES, Act, rule_of, times_of, told
from campaigns.values import Outcome, OutcomeKind

SAID = [
    (
        421,
        "4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred due to user complaints",
        "TSS04",
        Act.HOLD,
        120,
    ),
    (421, "4.7.0 [TSS05] Messages from 198.51.100.7 temporarily deferred", "TSS05", Act.HOLD, 240),
    (
        421,
        "4.7.0 [TS02] Messages from 198.51.100.7 temporarily deferred due to user complaints",
        "TS02",
        Act.SLOW,
        30,
    ),
    (421, "4.7.1 [TS03] All messages from 198.51.100.7 will be permanently deferred", "TS03", Act.SLOW, 30),
    (
        451,
        "4.7.500 Server busy. Please try again later from [198.51.100.7]. (S77719)",
        "server busy",
        Act.HOLD,
        30,
    ),
    (
        550,
        "5.7.1 Unfortunately, messages from [198.51.100.7] weren't sent. part of their network is on our block list (S3150)",
        "block list",
        Act.HOLD,
        120,
    ),
    (
        451,
        "4.7.650 The mail server [198.51.100.7] has been temporarily rate limited due to IP reputation. (S775)",
        "rate limited",
        Act.HOLD,
        60,
    ),
    (421, "4.7.0 [HCM1] Message rejected due to local policy", "HCM1", Act.HOLD, 15),
    (
        421,
        "4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP",
        "unusual rate",
        Act.HOLD,
        None,
    ),
    (
        450,
        "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
        "this recipient",
        Act.NOTHING,
        None,
    ),
    (
        450,
        "4.2.0 <a@b.example>: Recipient address rejected: Greylisted, see http://postgrey.example",
        "greylisted",
        Act.NOTHING,
        None,
    ),
    (452, "4.2.2 Mailbox full", "mailbox full", Act.NOTHING, None),
    (421, "Temporarily deferred", "temporarily deferred", Act.SLOW, 90),
    (452, "4.5.3 Too many recipients", "too many recipients", Act.HALVE, None),
    (421, "4.7.0 Too many concurrent connections from your IP", "too many connections", Act.HALVE, None),
    (421, "4.3.2 System shutting down", "service not available", Act.HOLD, None),
    (454, "4.7.0 Temporary authentication failure", "login", Act.HOLD, 30),
    (535, "5.7.8 Authentication credentials invalid", "login", Act.HOLD, 30),
    (450, "4.7.25 Client host rejected: cannot find your hostname", "not liked", Act.HOLD, None),
    (451, "4.3.0 Temporary lookup failure", "this message", Act.NOTHING, None),
    (429, "Too many requests", "too fast", Act.HOLD, None),
    (
        554,
        "5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org",
        "block list",
        Act.HOLD,
        120,
    ),
]


@pytest.mark.parametrize(("code", "text", "name", "act", "minutes"), SAID, ids=[one[1][:30] for one in SAID])
def test_what_is_said_falls_under_its_rule(code, text, name, act, minutes):
    rule = rule_of(Outcome(OutcomeKind.DEFERRED, code, None, text))
    assert name in rule.name
    assert rule.act is act
    assert rule.lasts == (minutes and timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "text",
    ["5.1.1 No such user", "5.2.2 Over quota", "5.7.26 Unauthenticated email", "5.6.0 Content refused", ""],
)
def test_a_refusal_for_good_that_is_not_about_our_address_slows_nothing(text):
    assert rule_of(Outcome(OutcomeKind.FAILED, 550, None, text)) is None


def test_every_rule_is_met_by_a_text_here():
    met = {rule_of(Outcome(OutcomeKind.DEFERRED, code, None, text)).name for code, text, *_ in SAID}
    assert {rule.name for rule in RULES} - met <= {
        "Outlook IB007: reputation"  # nobody publishes its whole text
    }


def test_of_servers_of_no_known_provider_many_must_say_so():
    rule = rule_of(Outcome(OutcomeKind.DEFERRED, 421, None, "no"))
    assert times_of(rule, "google") == 1
    assert times_of(rule, "other") == 20


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 5 minutes", 300),
        ("Greylisted for 300 seconds", 300),
        ("Please retry after 1 hour.", 3600),
        ("4.7.1 Try again later, in 90 secs please", 90),
        ("Please wait 30s", 30),
        ("try again later", None),
        ("try again in 999999 hours", None),
        ("try again in 0 seconds", None),
        ("blocked, see http://x.example/again/5/minutes", None),
        ("too many errors in 5 minutes", None),
    ],
)
def test_how_long_a_server_asks_us_to_wait(text, seconds):
    assert told(text) == (seconds and timedelta(seconds=seconds))


@given(st.text(max_size=3000))
def test_no_text_is_too_odd(text):
    rule_of(Outcome(OutcomeKind.DEFERRED, 451, None, text))
    waiting = told(text)
    assert waiting is None or timedelta(0) < waiting <= timedelta(days=1)
