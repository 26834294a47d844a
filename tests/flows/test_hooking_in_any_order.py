"""Whatever order a provider's events come in, however often and in whatever calls: what follows is the same."""

import json
from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.model.consent import suppressions
from campaigns.model.events import events, hits
from campaigns.model.mail import messages, runs
from campaigns.records import consent, webhooks
from campaigns.records.webhooks import NewCall
from campaigns.values import ConsentState, ContactId
from tests.factories import NOW
from tests.flows.test_hooking import Told, act_on

HARD, FULL, BLOCK = "550 5.1.1 User unknown", "552 5.2.2 Mailbox full", "554 5.7.1 Message rejected as spam"
#: What may happen to a message: a kind, how often, what is said.
HAPPENINGS = [
    ("accepted", 1, ""), ("delivered", 2, ""), ("delayed", 3, "451 4.7.1 later"), ("bounced", 1, HARD),
    ("bounced", 2, FULL), ("bounced", 1, BLOCK), ("complained", 1, "abuse"), ("unsubscribed", 1, ""),
    ("opened", 3, ""), ("clicked", 2, ""), ("auto-replied", 1, "away"), ("teleported", 1, ""),
]  # fmt: skip
PLAIN = {"delivered", "delayed", "bounced", "complained", "auto-replied"}
_calls = count(1)


@pytest.fixture
def told(session):
    """Two messages to one contact, one of them in doubt."""
    scene = Told(session)
    scene.doubted = scene.send(NOW + timedelta(minutes=5))
    at = scene.doubted
    session.execute(sa.update(messages).where(messages.c.run_id == at).values(state="unknown"))
    session.execute(sa.update(runs).where(runs.c.id == at).values(sent=0, unknown=1))
    return scene


def possible(told):
    """Every event that may come, each with an id of its own."""
    number = count(1)
    found = []
    for run in (told.run, told.doubted):
        for kind, times, said in HAPPENINGS:
            for _ in range(times):
                each = next(number)
                at = NOW + timedelta(minutes=10 + each)
                found.append(
                    told.event(kind, each, at=at, run=run, text=said, url="https://shop.example/a")
                    | {"run": run}
                )
    return found


def expected(chosen):
    """What should follow, said without any of the code that does it."""
    kept = {(one["kind"], one["run"], one["at"]) for one in chosen if one["kind"] in PLAIN}
    reasons = set()
    if any(one["text"] == HARD for one in chosen):
        reasons.add("hard bounce")
    if any(one["kind"] == "complained" for one in chosen):
        reasons.add("complaint")
    left = any(one["kind"] in {"complained", "unsubscribed"} for one in chosen)
    looked = {(one["kind"], one["run"], one["at"]) for one in chosen if one["kind"] in {"opened", "clicked"}}
    return kept, reasons, left, looked, {one["run"] for one in chosen if one["kind"] == "unsubscribed"}


def state(told):
    session, doubted = told.session, told.doubted
    rows = session.execute(sa.select(events.c.kind, events.c.run_id, events.c.at)).all()
    kept = {(row.kind, row.run_id, row.at.isoformat()) for row in rows if row.kind in PLAIN}
    reasons = list(session.scalars(sa.select(suppressions.c.reason)))
    assert len(reasons) == len(set(reasons))
    left = consent.state(session, ContactId(told.contact), told.topic) is ConsentState.WITHDRAWN
    kinds = {"open": "opened", "click": "clicked"}
    looked = [(kinds[row.kind], row.run_id, row.at.isoformat()) for row in session.execute(sa.select(hits))]
    assert len(looked) == len(set(looked))
    gone = [row.run_id for row in rows if row.kind == "unsubscribed"]
    assert len(gone) == len(set(gone))
    sent = session.scalar(sa.select(messages.c.state).where(messages.c.run_id == doubted)) == "sent"
    return (kept, set(reasons), left, set(looked), set(gone)), sent


def play(told, order, sizes):
    """Let the events come in calls of some sizes."""
    at, rest, sizes = NOW + timedelta(hours=5), list(order), iter(sizes)
    while rest:
        size = next(sizes, 1)
        piece, rest = rest[:size], rest[size:]
        body = json.dumps({"events": piece}).encode()
        webhooks.keep(told.session, NewCall("main", "http", at, f"any order {next(_calls)}", body))
        if size % 2:  # some calls wait for each other
            read(told, at)
    read(told, at)


def read(told, at):
    for call in webhooks.waiting(told.session, now=at):
        act_on(told.session, call, at)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_order_and_repetition_gives_the_same(told, data):
    everything = possible(told)
    chosen = data.draw(st.lists(st.sampled_from(range(len(everything))), unique=True, max_size=14))
    repeated = chosen + data.draw(st.lists(st.sampled_from(chosen), max_size=8)) if chosen else []
    order = data.draw(st.permutations(repeated))
    sizes = data.draw(st.lists(st.integers(1, 6), max_size=10))
    with told.session.begin_nested() as savepoint:
        play(told, [everything[at] for at in order], sizes)
        found, sent = state(told)
        savepoint.rollback()
    picked = [everything[at] for at in chosen]
    assert found == expected(picked)
    proofs = [one for one in picked if one["run"] == told.doubted and one["kind"] != "teleported"]
    assert sent == bool(proofs)


def test_the_oracle_sees_what_it_should(told):
    everything = possible(told)
    play(told, everything, [7])
    found, sent = state(told)
    assert found == expected(everything)
    assert sent
    assert len(found[0]) == 22
    assert found[1] == {"hard bounce", "complaint"}
