"""A day's cap counts the whole day: what went before it was set, and what was under way then."""

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model.lanes import lane_days
from campaigns.model.lanes import lanes as table
from campaigns.model.mail import chunks
from campaigns.records import lanes
from campaigns.records.lanes import EVERY_ACCOUNT, WHOLE, Limits
from campaigns.values import Outcome, OutcomeKind
from tests.factories import NOW

SENT, DEFERRED = Outcome(OutcomeKind.SENT, 250), Outcome(OutcomeKind.DEFERRED, 451)


def cap(session, per_day, account="main", lane="google"):
    lanes.set_limits(session, account, lane, Limits(per_day=per_day), actor="ada", now=NOW)


class Sender:
    """Claims and settles as the outbox does, with chunks of its own in the store."""

    def __init__(self, session, account="main", lane="google"):
        self.session, self.account, self.lane = session, account, lane
        self.claimed, self.number = [], 0

    def claim(self, size):
        """Have a chunk, of as many mails as the lane gives; gives how many, 0 for none."""
        if {self.lane, WHOLE} & lanes.closed(self.session, self.account, NOW):
            return 0
        given_out = lanes.grant(self.session, self.account, self.lane, size, now=NOW)
        if given_out == 0:
            return 0
        self.number += 1
        key = {"run_id": hash((self.account, self.lane)) % 10**6, "number": self.number}
        row = {"lane": self.lane, "account": self.account, "first_seq": 1, "last_seq": size}
        row |= {"state": "claimed", "granted": given_out, "owner": "me"}
        self.session.execute(sa.insert(chunks).values(**key, **row))
        self.claimed.append((key, size if given_out is None else given_out, given_out))
        return self.claimed[-1][1]

    def settle(self, tried=10**9, outcome=SENT):
        """Settle the chunk that was claimed first; gives how many of its mails were tried."""
        if not self.claimed:
            return 0
        key, most, granted = self.claimed.pop(0)
        tried = min(tried, most)
        here = (chunks.c.run_id == key["run_id"], chunks.c.number == key["number"])
        self.session.execute(sa.update(chunks).where(*here).values(state="done", granted=None))
        place = (self.account, self.lane)
        lanes.count_day(self.session, *place, [outcome] * tried, hard=0, now=NOW)
        if granted is None:
            lanes.count_ungranted(self.session, *place, NOW)
        else:
            lanes.release(self.session, *place, given=granted, begun=tried, sent=tried, now=NOW)
        return tried

    def send(self, size):
        """Claim and settle until nothing more is given out."""
        gone = 0
        while gone < size and self.claim(size - gone):
            gone += self.settle()
        return gone


def line(session, lane="google", account="main"):
    [found] = [one for one in lanes.lane_lines(session, NOW) if (one.account, one.lane) == (account, lane)]
    return found


@pytest.mark.parametrize(
    ("steps", "gone"),
    [
        ([("cap", 30), ("send", 40)], 30),
        ([("send", 24), ("cap", 30), ("send", 40)], 30),
        ([("send", 24), ("cap", 24), ("send", 40)], 24),
        ([("send", 24), ("cap", 10), ("send", 40)], 24),
        ([("send", 24), ("cap", 30), ("send", 40), ("cap", 50), ("send", 40)], 50),
        ([("cap", 30), ("send", 40), ("cap", 20), ("send", 40), ("cap", 35), ("send", 40)], 35),
        ([("cap", 30), ("send", 20), ("cap", None), ("send", 5), ("cap", 30), ("send", 40)], 30),
        ([("cap", 30), ("send", 40), ("cap", None), ("send", 5), ("cap", 30), ("send", 40)], 35),
    ],
)
@pytest.mark.parametrize("account", ["main", EVERY_ACCOUNT])
@pytest.mark.parametrize("lane", ["google", WHOLE])
def test_a_days_cap_counts_what_went_before_it_was_set(session, steps, gone, account, lane):
    sender, gone_in_all = Sender(session), 0
    for word, number in steps:
        if word == "cap":
            cap(session, number, account, lane)
        else:
            gone_in_all += sender.send(number)
    assert gone_in_all == gone
    shown = line(session, lane)
    assert (shown.sent, shown.taken_today) == (gone, gone)
    assert shown.word == "full"


def test_a_chunk_that_was_claimed_before_the_cap_counts_as_a_whole_and_then_as_what_went(session):
    sender = Sender(session)
    assert sender.claim(25) == 25
    cap(session, 30)
    assert sender.claim(20) == 5
    assert sender.claim(20) == 0
    sender.settle(tried=10)
    assert sender.claim(20) == 15
    sender.settle()
    sender.settle()
    assert (line(session).sent, line(session).taken_today) == (30, 30)


def test_a_cap_of_every_account_counts_what_each_of_them_sent(session):
    one, other = Sender(session), Sender(session, "spare")
    one.send(20)
    other.send(3)
    cap(session, 25, EVERY_ACCOUNT)
    assert (one.send(100), other.send(100)) == (5, 22)
    assert Sender(session, "third").send(100) == 25


def test_what_was_put_off_counts_as_it_does_where_the_cap_stood_from_the_start(session):
    before, after = Sender(session), Sender(session, lane="apple")
    cap(session, 20)
    for sender in (before, after):
        sender.claim(12)
        sender.settle(outcome=DEFERRED)
    cap(session, 20, lane="apple")
    assert (before.send(100), after.send(100)) == (8, 8)


def test_a_lane_without_a_cap_is_settled_without_a_row(session):
    Sender(session).send(10)
    assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


steps = st.one_of(
    st.tuples(st.just("claim"), st.sampled_from(["google", "apple"]), st.integers(1, 40)),
    st.tuples(st.just("settle"), st.sampled_from(["google", "apple"]), st.integers(0, 40)),
    st.tuples(st.just("cap"), st.sampled_from(["google", WHOLE]), st.one_of(st.none(), st.integers(1, 90))),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=4, max_size=30))
def test_no_claim_is_given_more_than_what_its_caps_leave_of_all_that_went_or_is_under_way(session, done):
    """Against plain counting: what was tried and what is in hand, by lane, and the caps that stand."""
    with session.begin_nested() as inside:
        senders = {name: Sender(session, lane=name) for name in ("google", "apple")}
        tried, caps = {"google": 0, "apple": 0}, {"google": None, WHOLE: None}
        for word, lane, number in done:
            in_hand = {name: sum(most for _, most, _ in one.claimed) for name, one in senders.items()}
            used = {name: tried[name] + in_hand[name] for name in senders}
            used[WHOLE] = sum(used.values())
            if word == "cap":
                cap(session, number, lane=lane)
                caps[lane] = number
            elif word == "settle":
                tried[lane] += senders[lane].settle(number)
            else:
                left = [max(0, caps[one] - used[one]) for one in (lane, WHOLE) if caps.get(one) is not None]
                assert senders[lane].claim(number) == min([number, *left])
        for name, most in caps.items():
            rows = session.execute(sa.select(lane_days.c.lane, lane_days.c.sent)).all()
            sent = sum(row.sent for row in rows if name in (WHOLE, row.lane))
            assert most is None or line(session, name).sent == sent
        inside.rollback()
