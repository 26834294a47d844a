"""Senders that live and die by chance, against an account kept apart: nobody twice, nobody lost, sums that add up.

A simulated sender claims chunks, writes a real journal beside a provider that takes mails, settles or not, and
ends at any point: killed with its last line torn at any byte, gone with its journal, or frozen, to thaw later.
"""

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns import settling
from campaigns.clock import utc_now
from campaigns.delivery.journal import Journal, Revoked
from campaigns.flows import schedule
from campaigns.flows.recovery import recover
from campaigns.flows.sending import drain
from campaigns.model.events import events
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import audience, campaigns, outbox
from campaigns.settling import Result
from campaigns.values import Outcome, OutcomeKind, RunState
from tests.factories import NOW, SECRET, a_postbox
from tests.flows.test_recovery import LATER, Honest, a_frozen_run

SENT, FAILED, DEFERRED = OutcomeKind.SENT, OutcomeKind.FAILED, OutcomeKind.DEFERRED
_numbers = count(1)


@dataclass(frozen=True)
class Life:
    """What a sender does, and how it ends."""

    steps: list[tuple[str, OutcomeKind]]
    fate: str  #: killed, gone or frozen
    torn: int  #: bytes of its last line that were never written
    taken: list[bool]  #: what the provider did with each mail that was on the wire at the end
    looked_after: bool  #: whether recovery comes before the next life


steps = st.lists(
    st.tuples(
        st.sampled_from(["claim", "begin", "begin", "begin", "answer", "answer", "settle"]),
        st.sampled_from([SENT, SENT, FAILED, DEFERRED]),
    ),
    max_size=25,
)
lives = st.builds(
    Life,
    steps,
    st.sampled_from(["killed", "killed", "gone", "frozen"]),
    st.integers(0, 100),
    st.lists(st.booleans(), min_size=10, max_size=10),
    st.booleans(),
)


@dataclass
class World:
    """The provider and the oracle: what really happened, known without a look at journal or store."""

    accepted: Counter = field(default_factory=Counter)
    fate: dict = field(default_factory=dict)  #: by seq: queued, sent, failed or unknown
    deferred: Counter = field(default_factory=Counter)

    def answered(self, seq, kind):
        self.fate[seq] = "queued" if kind is DEFERRED else kind.value
        self.deferred[seq] += kind is DEFERRED


def be_due(session):
    """Let all that was deferred be tried again at once."""
    session.execute(sa.update(messages).values(not_before=None))
    session.execute(sa.update(chunks).values(not_before=None))


@dataclass
class Held:
    chunk: outbox.Chunk
    page: object
    recipients: dict
    waiting: list
    on_wire: list = field(default_factory=list)
    result: Result = field(default_factory=Result)


class Sender:
    def __init__(self, stores, folder, life, world):
        self.stores, self.folder, self.life, self.world = stores, folder, life, world
        self.journal = Journal(folder, f"by-chance-{next(_numbers)}")
        self.held = []
        self.last = None  # of the journal's lines: page, where it begins and ends, message, kind

    def live(self):
        with self.stores.sessions.begin() as session:  # whatever was deferred is due again
            be_due(session)
        for step, kind in self.life.steps:
            getattr(self, step)(kind)

    def claim(self, _kind):
        if len(self.held) < 2:
            with self.stores.sessions.begin() as session:
                chunk = outbox.claim(session, self.journal.owner)
            if chunk:
                page = self.journal.page(
                    chunk.run, chunk.number, chunk.fence, messages=chunk.last - chunk.first + 1
                )
                with self.stores.readers() as session:
                    ready, _ = outbox.load(session, chunk, None)
                recipients = {one.seq: one for one in ready}
                self.held.append(Held(chunk, page, recipients, list(recipients)))

    def begin(self, _kind):
        one = next((one for one in self.held if one.waiting), None)
        if one:
            seq = one.waiting.pop(0)
            begins = one.page._at
            one.page.started(seq, NOW)
            self.last = one, begins, seq, None
            one.on_wire.append(seq)

    def answer(self, kind):
        one = next((one for one in self.held if one.on_wire), None)
        if one:
            seq = one.on_wire.pop()
            self.world.accepted[seq] += kind is SENT
            outcome = Outcome(kind, None, None, f"said of {seq}")
            begins = one.page._at
            one.page.answered(seq, outcome, NOW)
            self.last = one, begins, seq, kind
            one.result.outcomes[seq], one.result.moments[seq] = outcome, NOW

    def settle(self, _kind):
        one = next((one for one in self.held if not one.on_wire), None)
        if one:
            with self.stores.sessions.begin() as session:
                settling.settle(
                    session,
                    one.chunk,
                    one.recipients,
                    one.result,
                    secret=SECRET,
                    is_test=False,
                    now=NOW,
                )
                be_due(session)
            for seq, outcome in one.result.outcomes.items():
                self.world.answered(seq, outcome.kind)
            one.page.discard()
            self.held.remove(one)
            if self.last and self.last[0] is one:
                self.last = None

    def end(self):
        taken = iter(self.life.taken)
        for one in self.held:
            for seq in one.on_wire:
                self.world.fate[seq] = "unknown"
                if (self.last is None or self.last[2] != seq or not self.life.torn) and next(taken):
                    self.world.accepted[seq] += 1
            for seq, outcome in one.result.outcomes.items():
                self.world.answered(seq, outcome.kind)
        getattr(self, self.life.fate)()

    def killed(self):
        if self.last and self.life.torn:
            one, begins, seq, kind = self.last
            torn = min(self.life.torn, one.page._at - begins)
            one.page._lines[one.page._at - torn : one.page._at] = bytes(torn)
            # a mail whose line was not whole had not begun; a reply whose line was not whole is unknown
            self.world.fate[seq] = "queued" if kind is None else "unknown"
            self.world.deferred[seq] -= kind is DEFERRED
        os.close(self.journal._lock)

    def gone(self):
        for one in self.held:
            for seq in one.recipients:
                self.world.fate[seq] = "unknown"
            self.world.deferred.subtract(
                seq for seq, outcome in one.result.outcomes.items() if outcome.kind is DEFERRED
            )
        shutil.rmtree(self.folder / self.journal.owner)
        os.close(self.journal._lock)

    def frozen(self):
        """Its journal stays locked; see `thaw`."""

    def thaw(self):
        """After recovery: it must not begin anything, and cannot write what it knows."""
        for one in self.held:
            for seq in one.waiting[:1]:
                with pytest.raises(Revoked):
                    one.page.started(seq, NOW)
            with pytest.raises(outbox.Fenced), self.stores.sessions.begin() as session:
                settling.settle(
                    session,
                    one.chunk,
                    one.recipients,
                    one.result,
                    secret=SECRET,
                    is_test=False,
                    now=NOW,
                )
            one.page.discard()
        self.journal.close()


def look_after(stores, folder, senders):
    with stores.sessions.begin() as session:
        past = NOW - timedelta(days=400)
        session.execute(sa.update(chunks).where(chunks.c.state == "claimed").values(lease_until=past))
    recover(stores.sessions, folder, SECRET, utc_now)
    for one in senders:
        if one.life.fate == "frozen":
            one.thaw()
    senders.clear()


def life(*said, fate="killed", torn=0, taken=True, looked_after=True):
    return Life([(step, SENT) for step in said], fate, torn, [taken] * 10, looked_after)


@example([life("claim", "begin", "begin", "answer", torn=3)], 4, 3)
@example([life("claim", "begin", "begin", torn=40)], 4, 2)
@example([life("claim", "begin", "answer", "settle", "claim", "begin", fate="frozen")], 3, 2)
@example([life("claim", "begin", looked_after=False), life("claim", "begin", "answer", fate="gone")], 6, 2)
@given(st.lists(lives, max_size=3), st.integers(1, 10), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_whenever_senders_end_nobody_is_mailed_twice_and_nobody_is_lost(
    stores, tmp_path, past_lives, people, chunk
):
    folder = tmp_path / f"{next(_numbers)}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(audience, "CHUNK", chunk)
        number = next(_numbers)
        run = a_frozen_run(stores, *[f"p{number}-{n}" for n in range(people)])
    world = World(fate=dict.fromkeys(range(1, people + 1), "queued"))
    waiting = []
    for one in past_lives:
        sender = Sender(stores, folder / "journal", one, world)
        sender.live()
        sender.end()
        waiting.append(sender)
        if one.looked_after:
            look_after(stores, folder / "journal", waiting)
    look_after(stores, folder / "journal", waiting)
    assert ledger(stores, run) == {seq: (fate, world.deferred[seq]) for seq, fate in world.fate.items()}

    with stores.sessions.begin() as session:
        be_due(session)
    last = a_postbox(stores, Honest(), folder)
    drain(last)
    last.journal.close()
    for seq, fate in world.fate.items():
        world.fate[seq] = "sent" if fate == "queued" else fate
    assert {seq: state for seq, (state, _) in ledger(stores, run).items()} == world.fate
    hold_true(stores, run, world, Counter(seq_of(stores, run, last.backend.taken)))
    recover(stores.sessions, folder / "journal", SECRET, lambda: utc_now() + LATER)
    assert list((folder / "journal").iterdir()) == []


def ledger(stores, run):
    m = messages.c
    with stores.readers() as session:
        rows = session.execute(sa.select(m.seq, m.state, m.attempts).where(m.run_id == run))
        return {row.seq: (row.state, row.attempts) for row in rows}


def seq_of(stores, run, names):
    m = messages.c
    with stores.readers() as session:
        seqs = dict(session.execute(sa.select(m.address, m.seq).where(m.run_id == run)).all())
    return [seqs[f"{name}@example.com"] for name in names]


def hold_true(stores, run, world, by_the_last):
    accepted = world.accepted + by_the_last
    assert all(times == 1 for times in accepted.values()), "a mail was taken twice"
    sent = {seq for seq, fate in world.fate.items() if fate == "sent"}
    doubted = {seq for seq, fate in world.fate.items() if fate == "unknown"}
    assert sent <= accepted.keys()
    assert accepted.keys() - sent <= doubted
    with stores.sessions.begin() as session:
        counted = session.execute(sa.select(runs).where(runs.c.id == run)).one()
        totals = Counter(world.fate.values())
        assert [counted.sent, counted.failed, counted.unknown, counted.skipped] == [
            totals["sent"],
            totals["failed"],
            totals["unknown"],
            0,
        ]
        told = session.execute(
            sa.select(events.c.kind, events.c.seq).where(
                events.c.run_id == run, events.c.kind.in_(["sent", "failed", "unknown"])
            )
        ).all()
        assert sorted((seq, kind) for kind, seq in told) == sorted(world.fate.items())
        assert run in schedule.finish_runs(session, utc_now())
        state = campaigns.get_run(session, run).state
        assert state is (RunState.DOUBTS if doubted else RunState.FINISHED)
