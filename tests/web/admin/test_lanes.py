"""The lanes' page: what is told, and what an administrator does there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from campaigns.clock import utc_now
from campaigns.delivery.backoff_rules import rule_of
from campaigns.delivery.warmup import Plan
from campaigns.records import lanes, senders
from campaigns.records.lanes import Limits, Signal
from campaigns.records.staff import Desk
from campaigns.values import Outcome, OutcomeKind
from tests.factories import SENDER

HOSTILE = "421 4.7.28 unusual rate of unsolicited mail <script>alert(1)</script>"


def struck(stores, lane="google", text=HOSTILE):
    rule = rule_of(Outcome(OutcomeKind.DEFERRED, 421, None, text))
    with stores.sessions.begin() as session:
        assert lanes.strike(session, "main", lane, Signal(rule, text), now=utc_now())


def only(office):
    with office.stores.readers() as session:
        [found] = [one for one in lanes.lane_lines(session, utc_now()) if one.account == "main"]
    return found


def test_an_empty_page_says_what_it_is_for(office):
    assert "No lane was used yet" in office.get("/lanes/")


def test_nobody_but_an_administrator_sees_or_holds_lanes(office):
    for desk in (Desk.MARKETING, Desk.SALES, Desk.SERVICE):
        assert office.at(desk).get("/lanes/").status_code == 403
        assert office.at(desk).get("/lanes/main/google").status_code == 403


def test_a_held_lane_tells_why_and_until_when_and_can_be_opened(office):
    struck(office.stores)
    page = office.get("/lanes/")
    for told in ("google", "held", "unusual rate of mail (4.7.28)", "1,500"):
        assert told in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "google is open" in office.post("/lanes/main/google/open")
    assert only(office).word == "open"
    assert "opened" in office.get("/lanes/")


@pytest.mark.parametrize(
    ("length", "hours"), [("hour", 1), ("four", 4), ("day", 24), ("open", None), ("x", 1)]
)
def test_a_lane_is_held_for_a_while_with_a_reason(office, length, hours):
    page = office.post("/lanes/main/apple/hold", length=length, reason="They <b>asked</b> us to")
    assert "Nothing more is sent to apple." in page
    assert "They &lt;b&gt;asked&lt;/b&gt; us to" in page
    found = only(office)
    assert found.word == "held"
    if hours is None:
        assert found.reopens_at is None
    else:
        assert abs(found.reopens_at - utc_now() - timedelta(hours=hours)) < timedelta(minutes=1)


def test_a_hold_without_a_reason_is_none(office):
    assert "Say why" in office.post("/lanes/main/apple/hold", length="hour", reason=" ")
    with office.stores.readers() as session:
        assert lanes.lane_lines(session, utc_now()) == []


def test_limits_are_set_shown_and_taken_away(office):
    given = {
        "per_minute": "0.5",
        "per_day": "2000",
        "connections": "3",
        "warm_base": "50",
        "warm_growth": "1,5",
        "warm_target": "9000",
    }
    assert "The limits of google were saved." in office.post("/lanes/main/google", **given)
    with office.stores.readers() as session:
        assert lanes.limits_of(session, "main", "google") == Limits(0.5, 2000, Plan(50, 1.5, 9000), 3)
    page = office.get("/lanes/main/google")
    for kept in ("0.5", "2000", "1.5", "9000"):
        assert f'value="{kept}"' in page
    page = office.get("/lanes/")
    assert "day 1: 50 of 9,000" in page
    office.post("/lanes/main/google")
    with office.stores.readers() as session:
        assert lanes.limits_of(session, "main", "google") == Limits()


def test_limits_that_make_no_sense_are_told_together(office):
    wrong = {
        "per_minute": "-0.5",
        "per_day": "many",
        "warm_growth": "1.0",
        "warm_base": "nan",
        "warm_target": "-1",
    }
    page = office.post("/lanes/*/google", 422, **wrong)
    assert office.problems(page) == set(wrong)
    page = office.post("/lanes/*/google", 422, warm_base="50")
    assert office.problems(page) == {"warm_base"}


def test_limits_for_every_account_stand_in_a_line_of_their_own(office):
    office.post("/lanes/*/microsoft 365", per_minute="600")
    page = office.get("/lanes/")
    assert "limits for all" in page
    assert "600" in page
    assert "For every account" in office.get("/lanes/*/microsoft 365")


def test_a_lane_or_account_that_nothing_bears_leads_nowhere(office):
    office.get("/lanes/main/nosuch", 404)
    office.get("/lanes/nobody/google", 404)
    office.get("/lanes/main/%3Cscript%3E", 404)


def test_the_choice_leads_to_the_limits(office):
    answer = office.client.get("/lanes/set?account=*&lane=google")
    assert answer.headers["Location"].endswith("/lanes/*/google")
    assert office.client.get("/lanes/set?account=&lane=").status_code == 404


def test_what_a_lane_starts_with_is_told_and_lifted(office):
    with office.stores.sessions.begin() as session:
        lanes.start(session, {"main": True}, now=utc_now())
    page = office.get("/lanes/")
    assert "No lane was used yet" in page
    assert "What lanes start with" in page
    assert "what the lane starts with, 3,000." in office.get("/lanes/main/google")
    struck(office.stores)
    assert "starting cap 3,000" in office.get("/lanes/")
    office.post("/lanes/main/google", per_minute="0", connections="0")
    assert only(office).limits.cap is None
    assert "starting cap" not in office.get("/lanes/")


def test_a_sending_domain_is_warmed_up_shown_and_cooled(office):
    with office.stores.sessions.begin() as session:
        senders.add(session, replace(SENDER, address="news@new.example"), now=utc_now())
    given = {"domain": "new.example", "account": "*", "warm_base": "50", "warm_growth": "1,5"}
    wrong = office.post("/lanes/warm-ups/", 422, **{**given, "domain": "x.example", "account": "nosuch"})
    for told in ("is no domain of a sender.", "is no account.", "is not the whole of a warm-up."):
        assert told in wrong
    assert "is missing." in office.post("/lanes/warm-ups/", 422, domain="new.example", account="main")
    assert "new.example" in office.get("/lanes/warm-ups/")
    page = office.post("/lanes/warm-ups/", **given, warm_target="9000")
    for told in ("new.example is warmed up from now on.", "from 50 a day to 9,000", "no mail yet"):
        assert told in page
    with office.stores.sessions.begin() as session:
        [found] = lanes.plans(session)
        one = lanes.Warming("main", "new.example", "google", found.plan)
        lanes.give_warm(session, one, 7, now=utc_now())
    assert "day 1, 7 of 50" in office.get("/lanes/")
    assert office.post("/lanes/warm-ups/end", 404, domain="new.example", account="main")
    page = office.post("/lanes/warm-ups/end", domain="new.example", account="*")
    assert "new.example is warm" in page
    assert "None is warmed up." in page


def test_only_an_administrator_warms_domains_up(office):
    assert office.at(Desk.MARKETING).get("/lanes/warm-ups/").status_code == 403


def test_all_lanes_together_have_a_number_a_day_and_nothing_else(office):
    page = office.get("/lanes/main/*")
    assert "Limits of all lanes together" in page
    assert 'name="per_minute"' not in page
    assert "is not for all lanes together." in office.post("/lanes/main/*", 422, per_minute="5")
    assert "all lanes" in office.post("/lanes/main/*", per_day="200")
    assert only(office).cap_today == 200
