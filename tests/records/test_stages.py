"""Lifecycle stages come from orders: by each customer's own habit, checked against the rule in plain Python."""

from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model.commerce import orders
from campaigns.model.customers import customers
from campaigns.records import stages
from campaigns.worker import Worker
from tests.factories import NOW, a_customer

_numbers = count(1)
DAY = timedelta(days=1)


def bought(session, stage, *days, status="paid"):
    """A customer with an order so many days ago each."""
    customer = a_customer(session, stage=stage)
    for ago in days:
        values = {"customer_id": customer, "status": status, "total_minor": 1, "updated_at": NOW}
        number = f"B-{next(_numbers)}"
        session.execute(
            sa.insert(orders).values(external_id=number, placed_at=NOW - timedelta(days=ago), **values)
        )
    return customer


def moved(session):
    found = stages.due(session, NOW)
    stages.move(session, found, now=NOW)
    return {one.customer: one.after for one in found}


@pytest.mark.parametrize(
    ("stage", "days", "after"),
    [
        ("active", (200, 140, 80), "active"),  # every 60 days
        ("active", (220, 160, 100), "at risk"),
        ("active", (250, 190, 130), "lapsed"),
        ("at risk", (250, 190, 130), "lapsed"),
        ("at risk", (220, 160, 100, 1), "active"),
        ("lapsed", (400, 340, 280, 1), "won back"),
        ("lapsed", (220, 160, 100), "lapsed"),
        ("won back", (400, 340, 280, 1), "won back"),
        ("won back", (430, 370, 310, 31, 1), "active"),
        ("won back", (950, 890, 830, 800), "lapsed"),
        ("active", (40, 40), "active"),
        ("active", (50, 50), "at risk"),  # two of one day make no habit of less than a month
        ("new", (200,), "new"),
        ("new", (300,), "at risk"),
        ("new", (400,), "lapsed"),
        ("at risk", (1,), "new"),
        ("prospect", (400,), "prospect"),
        ("active", (), "active"),
    ],
)
def test_a_stage_follows_from_the_customers_own_orders(session, stage, days, after):
    customer = bought(session, stage, *days)
    moved(session)
    assert session.scalar(sa.select(customers.c.stage).where(customers.c.id == customer)) == after
    assert moved(session) == {}


def test_orders_that_were_cancelled_do_not_count(session):
    customer = bought(session, "active", 400, 340, 280)
    session.execute(
        sa.insert(orders).values(
            external_id="X", customer_id=customer, status="cancelled", placed_at=NOW - DAY, total_minor=1,
            updated_at=NOW,
        )
    )  # fmt: skip
    assert moved(session) == {customer: "lapsed"}


def expected(stage, days):
    """The rule as its words have it, in days."""
    ages = sorted(days)
    gap = max((ages[-1] - ages[0]) / (len(ages) - 1), 30) if len(ages) > 1 else 180
    late = ages[0]
    if late > 2 * gap or (stage == "lapsed" and late > 1.5 * gap):
        return "lapsed"
    if late > 1.5 * gap:
        return "at risk"
    if stage == "won back":
        earlier = [age for age in ages if age > late]
        return "active" if earlier and earlier[0] - late <= 1.5 * gap else stage
    back = {"lapsed": "won back", "at risk": "active" if len(ages) > 1 else "new"}
    return back.get(stage, stage)


@settings(max_examples=30, deadline=None)
@given(
    stage=st.sampled_from(["new", "active", "at risk", "lapsed", "won back"]),
    days=st.lists(st.integers(0, 900), min_size=1, max_size=6),
)
def test_the_database_reckons_as_the_rule_is_written(session, stage, days):
    customer = bought(session, stage, *days)
    assert moved(session).get(customer, stage) == expected(stage, days)


def test_a_worker_moves_stages_by_itself(stores, tmp_path):
    from campaigns.config import from_environment

    with stores.sessions.begin() as session:
        customer = bought(session, "active", 400, 340, 280)
    worker = Worker(stores, from_environment({"POSTROOM_DATA": str(tmp_path)}), clock=lambda: NOW)
    assert "stages" in [name for name, _seconds, _tick in worker.ticks()]
    assert (worker.tick_stages(), worker.tick_stages()) == (1, 0)
    with stores.readers() as session:
        assert session.scalar(sa.select(customers.c.stage).where(customers.c.id == customer)) == "lapsed"
