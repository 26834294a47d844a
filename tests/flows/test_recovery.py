"""What lost senders leave behind: settled as their journals say, in doubt where these cannot be relied on."""

import os
import shutil
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from campaigns import settling
from campaigns.clock import utc_now
from campaigns.delivery import journal
from campaigns.delivery.contract import Capabilities
from campaigns.delivery.journal import Journal
from campaigns.flows import schedule
from campaigns.flows.recovery import Recovered, recover
from campaigns.flows.sending import drain
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import audience, campaigns, gates, outbox, suppressions
from campaigns.values import Outcome, OutcomeKind, RunState
from campaigns.wiring import open_engine
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_postbox, a_run, a_topic

BEGUN = NOW + timedelta(seconds=1)
ANSWERED = NOW + timedelta(seconds=2)
LATER = timedelta(minutes=2)  # than a dead sender's journal is kept
SENT = Outcome(OutcomeKind.SENT, 250, "2.0.0", "queued as 4711")
FAILED = Outcome(OutcomeKind.FAILED, 550, "5.1.1", "no such person")
DEFERRED = Outcome(OutcomeKind.DEFERRED, 451, "4.2.1", "come back later")


def a_frozen_run(stores, *names, kind="campaign"):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        made = [a_contact(session, topic=topic, email=f"{name}@example.com") for name in names]
        run = a_run(session, a_campaign(session, topic=topic), now=utc_now())
        session.execute(sa.update(runs).where(runs.c.id == run).values(kind=kind))
        of = campaigns.get(session, campaigns.get_run(session, run).campaign_id)
        asked = gates.of_campaign(session, of, topic, now=NOW)
        chosen = sa.select(contacts.c.id).where(contacts.c.id.in_(made))
        audience.freeze(session, run, chosen, asked, hold_out_percent=0, salt=1, now=utc_now())
    return run


class Lost:
    """A sender that claims chunks and writes its journal like a real one, and then is no more."""

    def __init__(self, stores, folder, owner="lost-1", sync=0):
        self.stores = stores
        self.journal = Journal(folder, owner, sync)
        self.pages = {}

    def claim(self, *, page=True):
        with self.stores.sessions.begin() as session:
            chunk = outbox.claim(session, self.journal.owner)
            found = session.execute(sa.select(messages.c.address, messages.c.seq)).all()
        self.seqs = {address.partition("@")[0]: seq for address, seq in found}
        if page:
            size = chunk.last - chunk.first + 1
            self.page = self.journal.page(chunk.run, chunk.number, chunk.fence, messages=size)
        self.chunk = chunk
        return self

    def begin(self, *names):
        for name in names:
            self.page.started(self.seqs[name], BEGUN)
        return self

    def answer(self, **said):
        for name, outcome in said.items():
            self.page.answered(self.seqs[name], outcome, ANSWERED)
        return self

    def die(self):
        """As the kernel sees to it when a process ends, however it ends."""
        os.close(self.journal._lock)


class Honest:
    """A backend that takes every mail, and keeps account."""

    name = "honest"
    capabilities = Capabilities()

    def __init__(self):
        self.taken = []

    def send(self, batch, watch):
        for mail in batch:
            if mail is None:
                time.sleep(0.001)
            elif not watch.stopping():
                watch.started(mail.key)
                self.taken.append(mail.rcpt_to.partition("@")[0])
                watch.answered(mail.key, SENT)

    def close(self):
        pass


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def lost(stores, folder):
    return Lost(stores, folder)


@pytest.fixture
def next_sender(stores, tmp_path):
    post = a_postbox(stores, Honest(), tmp_path)
    yield post
    post.journal.close()


def recovered(stores, folder, now=None):
    return recover(stores.sessions, folder, SECRET, (lambda: now) if now else utc_now)


def let_the_lease_run_out(stores):
    with stores.sessions.begin() as session:
        past = NOW - timedelta(days=400)
        session.execute(sa.update(chunks).where(chunks.c.state == "claimed").values(lease_until=past))


def rows(stores):
    with stores.readers() as session:
        found = session.execute(sa.select(messages)).all()
    return {row.address.partition("@")[0]: row for row in found}


def states(stores):
    return {name: row.state for name, row in rows(stores).items()}


def counts(stores, run):
    with stores.readers() as session:
        row = session.execute(sa.select(runs).where(runs.c.id == run)).one()
        return Counter(sent=row.sent, failed=row.failed, skipped=row.skipped, unknown=row.unknown)


def the_chunk(stores):
    with stores.readers() as session:
        return session.execute(sa.select(chunks)).one()


# ---- a dead sender's journal


def test_a_chunk_that_cannot_be_settled_keeps_no_other_from_it_and_keeps_its_journal(
    stores, folder, lost, monkeypatch
):
    stuck, fine = a_frozen_run(stores, "ada"), a_frozen_run(stores, "bob")
    other = Lost(stores, folder, "lost-2")
    for sender, name in ((lost.claim(), "ada"), (other.claim(), "bob")):
        sender.begin(name).answer(**{name: SENT}).die()
    settle = settling.settle

    def stumble(session, chunk, *args, **kwargs):
        if chunk.run == stuck:
            raise ValueError("a row that nobody foresaw")
        return settle(session, chunk, *args, **kwargs)

    monkeypatch.setattr(settling, "settle", stumble)
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1)
    assert recovered(stores, folder, utc_now() + LATER) == Recovered()
    assert (counts(stores, stuck), counts(stores, fine)) == (Counter(), Counter(sent=1))
    monkeypatch.undo()
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1)
    assert counts(stores, stuck) == Counter(sent=1)


def test_what_was_answered_is_settled_with_the_moment_and_the_reply_of_its_sender(stores, folder, lost):
    run = a_frozen_run(stores, "ada", "dead", "busy")
    lost.claim().begin("ada", "dead", "busy").answer(ada=SENT, dead=FAILED, busy=DEFERRED).die()
    assert recovered(stores, folder) == Recovered(chunks=1, answered=3, queued=1)
    found = rows(stores)
    assert (found["ada"].state, found["ada"].at, found["ada"].reply) == (
        "sent",
        ANSWERED,
        "250 queued as 4711",
    )
    assert (found["dead"].state, found["dead"].at) == ("failed", ANSWERED)
    assert (found["busy"].state, found["busy"].attempts, found["busy"].reply) == (
        "queued",
        1,
        "451 come back later",
    )
    assert counts(stores, run) == Counter(sent=1, failed=1)
    with stores.readers() as session:
        told = session.execute(sa.select(events.c.kind, events.c.at).order_by(events.c.kind)).all()
        assert told == [("failed", ANSWERED), ("sent", ANSWERED)]
        assert suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "dead@example.com"))
        assert not suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "busy@example.com"))
    left = the_chunk(stores)
    assert (left.state, left.owner) == ("ready", None)
    assert timedelta(minutes=3) < left.not_before - utc_now() < timedelta(minutes=7)


def test_what_was_begun_and_not_answered_is_in_doubt_and_says_when(stores, folder, lost):
    run = a_frozen_run(stores, "ada", "bob")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    now = utc_now()
    assert recovered(stores, folder, now) == Recovered(chunks=1, answered=1, unknown=1)
    bob = rows(stores)["bob"]
    assert (bob.state, bob.at) == ("unknown", now)
    assert bob.reply == "begun at 09:00:01.000000 UTC; its sender was lost before an answer came"
    assert the_chunk(stores).state == "done"
    with stores.sessions.begin() as session:
        assert schedule.finish_runs(session, utc_now()) == [run]
        assert campaigns.get_run(session, run).state is RunState.DOUBTS


def test_what_was_never_begun_is_sent_by_the_next_sender(stores, folder, lost, next_sender):
    run = a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada").answer(ada=SENT).die()
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1, queued=2)
    assert drain(next_sender) == 2
    assert sorted(next_sender.backend.taken) == ["bob", "cyd"]
    assert counts(stores, run) == Counter(sent=3)


def test_what_was_never_begun_does_not_wait_for_what_is_to_be_tried_again(stores, folder, lost, next_sender):
    run = a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada").answer(ada=DEFERRED).die()
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1, queued=3)
    assert drain(next_sender) == 2
    assert counts(stores, run) == Counter(sent=2)
    with stores.sessions.begin() as session:
        [(due,)] = session.execute(sa.select(messages.c.not_before).where(messages.c.state == "queued"))
        assert timedelta(minutes=3) < due - utc_now() < timedelta(minutes=7)
        assert session.scalar(sa.select(chunks.c.not_before)) == due


def test_a_sender_that_died_between_its_claim_and_its_page_had_begun_nothing(
    stores, folder, lost, next_sender
):
    a_frozen_run(stores, "ada", "bob")
    lost.claim(page=False).die()
    assert recovered(stores, folder) == Recovered(chunks=1, queued=2)
    assert drain(next_sender) == 2


def test_pages_of_chunks_that_are_settled_go_without_a_trace(stores, folder, lost):
    run = a_frozen_run(stores, "ada")
    lost.claim().begin("ada").answer(ada=SENT)
    with stores.sessions.begin() as session:  # killed between the store's commit and the page's removal
        outbox.settle(session, lost.chunk, {1: SENT}, skipped={}, retry_at=None, now=ANSWERED)
    lost.die()
    assert not recovered(stores, folder)
    assert not recovered(stores, folder, utc_now() + LATER)
    assert list(folder.iterdir()) == []
    assert counts(stores, run) == Counter(sent=1)


def test_a_page_of_an_earlier_claim_says_nothing_of_the_present_one(stores, folder, lost):
    """Settled with a message left, killed before the page was removed, and claimed by the next."""
    a_frozen_run(stores, "ada", "bob")
    lost.claim().begin("ada", "bob").answer(ada=SENT, bob=DEFERRED)
    deferred = {lost.seqs["ada"]: SENT, lost.seqs["bob"]: DEFERRED}
    with stores.sessions.begin() as session:
        outbox.settle(session, lost.chunk, deferred, skipped={}, retry_at=None, now=ANSWERED)
    lost.die()
    Lost(stores, folder, "lost-2").claim().begin("bob").die()
    assert recovered(stores, folder) == Recovered(chunks=1, unknown=1)
    assert states(stores) == {"ada": "sent", "bob": "unknown"}


def test_a_claim_that_the_database_commits_after_its_senders_end_is_settled_by_the_journal(
    stores, folder, lost, next_sender
):
    """Killed while the commit was on its way: at first the store does not know of the claim."""
    a_frozen_run(stores, "ada", "bob")
    lost.die()
    assert not recovered(stores, folder)
    lost.claim(page=False)
    assert recovered(stores, folder) == Recovered(chunks=1, queued=2)
    assert drain(next_sender) == 2


def test_a_living_senders_chunks_are_left_alone(stores, folder, lost):
    a_frozen_run(stores, "ada")
    lost.claim().begin("ada")
    assert not recovered(stores, folder)
    assert the_chunk(stores).owner == "lost-1"
    lost.die()


def test_recovery_again_changes_nothing(stores, folder, lost):
    run = a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    assert recovered(stores, folder)
    once = rows(stores), the_chunk(stores)
    assert not recovered(stores, folder)
    let_the_lease_run_out(stores)
    assert not recovered(stores, folder)
    assert (rows(stores), the_chunk(stores)) == once
    assert counts(stores, run) == Counter(sent=1, unknown=1)


def test_of_many_recoveries_at_once_one_settles_a_chunk(stores, folder, lost, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 2)
    run = a_frozen_run(stores, *[f"p{n}" for n in range(12)])
    for number in range(3):
        one = Lost(stores, folder, f"also-lost-{number}").claim()
        first, second = (name for name, seq in one.seqs.items() if one.chunk.first <= seq <= one.chunk.last)
        one.begin(first, second).answer(**{first: SENT}).die()
    let_the_lease_run_out(stores)  # so that both ways lead to each
    lost.die()
    gate, found, failed = threading.Barrier(4), [], []

    def try_it():
        gate.wait()
        try:
            found.append(recovered(stores, folder))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(one.chunks for one in found) == 3
    assert counts(stores, run) == Counter(sent=3, unknown=3)
    assert Counter(states(stores).values()) == Counter(sent=3, unknown=3, queued=6)


# ---- a journal that cannot be relied on


def test_after_a_restart_of_the_machine_all_of_a_held_chunk_is_in_doubt(
    stores, folder, lost, tmp_path, monkeypatch
):
    run = a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    boot = tmp_path / "boot"
    boot.write_text("another start of the machine\n")
    monkeypatch.setattr(journal, "BOOT_ID", boot)
    assert recovered(stores, folder) == Recovered(chunks=1, unknown=3)
    assert counts(stores, run) == Counter(unknown=3)
    assert {row.reply for row in rows(stores).values()} == {
        "the sender was lost, and no journal of it can be relied on"
    }


def test_after_a_restart_of_the_machine_a_synced_journal_leaves_in_doubt_only_what_may_have_been_begun(
    stores, folder, next_sender, tmp_path, monkeypatch
):
    run = a_frozen_run(stores, "ada", "bob", "cyd", "dan", "eve")
    lost = Lost(stores, folder, sync=2).claim()
    first, second, third, *others = sorted(lost.seqs, key=lost.seqs.get)
    lost.begin(first, second).answer(**{first: SENT, second: SENT}).begin(third).die()
    boot = tmp_path / "boot"
    boot.write_text("another start of the machine\n")
    monkeypatch.setattr(journal, "BOOT_ID", boot)
    assert recovered(stores, folder) == Recovered(chunks=1, answered=2, unknown=2, queued=1)
    assert drain(next_sender) == 1
    assert next_sender.backend.taken == others[1:]
    assert counts(stores, run) == Counter(sent=3, unknown=2)


def test_without_a_journal_all_is_in_doubt_once_the_lease_has_run_out(stores, folder, lost, next_sender):
    run = a_frozen_run(stores, "ada", "bob")
    lost.claim().begin("ada").die()
    shutil.rmtree(folder / "lost-1")
    assert not recovered(stores, folder)
    let_the_lease_run_out(stores)
    assert recovered(stores, folder) == Recovered(chunks=1, unknown=2)
    assert drain(next_sender) == 0
    assert counts(stores, run) == Counter(unknown=2)


def test_another_machines_journal_in_a_shared_folder_is_left_alone_until_the_lease_has_run_out(
    stores, folder, lost, tmp_path, monkeypatch
):
    a_frozen_run(stores, "ada")
    lost.claim().begin("ada").die()
    boot = tmp_path / "boot"
    boot.write_text("this machine\n")
    monkeypatch.setattr(journal, "BOOT_ID", boot)
    monkeypatch.setattr(journal, "gethostname", lambda: "this-machine")
    assert not recovered(stores, folder)
    let_the_lease_run_out(stores)
    assert recovered(stores, folder) == Recovered(chunks=1, unknown=1)


def test_a_container_made_anew_finds_the_journals_of_the_one_before(stores, folder, lost, monkeypatch):
    """It has another host name, and the same machine below it."""
    a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    monkeypatch.setattr(journal, "gethostname", lambda: "d4f2a90c11ee")
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1, unknown=1, queued=1)


def test_a_line_torn_by_the_kill_is_as_if_never_written(stores, folder, lost):
    a_frozen_run(stores, "ada", "bob")
    lost.claim().begin("ada", "bob").answer(ada=SENT)
    path = folder / "lost-1" / f"{lost.chunk.run}-{lost.chunk.number}-{lost.chunk.fence}"
    whole = path.read_bytes()
    size = len(whole.rstrip(b"\0"))
    for torn in (whole[: size - 20], whole[: size - 45] + bytes(20) + whole[size - 25 : size]):
        path.write_bytes(torn.ljust(len(whole), b"\0"))
        assert recovered_words(path) == ({lost.seqs["ada"], lost.seqs["bob"]}, set())
    lost.die()


def recovered_words(path):
    read = journal._read(path)
    return set(read.started), set(read.outcomes)


def test_a_damaged_page_is_not_relied_on(stores, folder, lost):
    a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    path = folder / "lost-1" / f"{lost.chunk.run}-{lost.chunk.number}-{lost.chunk.fence}"
    path.write_bytes(path.read_bytes().replace(b"s 1 ", b"s ? "))
    assert recovered(stores, folder) == Recovered(chunks=1, unknown=3)


# ---- meanwhile


def test_a_contact_erased_meanwhile_has_no_line_in_the_history(stores, folder, lost, next_sender):
    run = a_frozen_run(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    with stores.sessions.begin() as session:
        gone = messages.c.contact_id + 10**6  # nobody's, as after an erasure
        session.execute(sa.update(messages).values(contact_id=gone))
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1, unknown=1, queued=1)
    assert drain(next_sender) == 0
    assert states(stores) == {"ada": "sent", "bob": "unknown", "cyd": "skipped"}
    assert counts(stores, run) == Counter(sent=1, unknown=1, skipped=1)
    with stores.readers() as session:
        assert session.execute(sa.select(events)).all() == []


def test_test_mails_are_settled_and_leave_no_history(stores, folder, lost, next_sender):
    run = a_frozen_run(stores, "ada", "bob", "cyd", kind="test")
    lost.claim().begin("ada", "bob").answer(ada=FAILED).die()
    assert recovered(stores, folder) == Recovered(chunks=1, answered=1, unknown=1, queued=1)
    assert drain(next_sender) == 1
    assert counts(stores, run) == Counter(failed=1, unknown=1, sent=1)
    with stores.readers() as session:
        assert session.execute(sa.select(events)).all() == []
        assert not suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "ada@example.com"))


def campaign_of(session, run):
    return campaigns.get_run(session, run).campaign_id


def a_going_campaign(stores, *names):
    """A run whose campaign is running too, so that a person may pause it."""
    from campaigns.model.mail import campaigns as table

    run = a_frozen_run(stores, *names)
    with stores.sessions.begin() as session:
        session.execute(sa.update(table).values(state="running"))
    return run


def test_a_run_paused_meanwhile_is_settled_and_waits_to_be_resumed(stores, folder, lost, next_sender):
    run = a_going_campaign(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    with stores.sessions.begin() as session:
        schedule.pause(session, campaign_of(session, run), actor="test", now=utc_now())
    assert recovered(stores, folder)
    assert drain(next_sender) == 0
    with stores.sessions.begin() as session:
        schedule.resume(session, campaign_of(session, run), actor="test", now=utc_now())
    assert drain(next_sender) == 1
    assert states(stores) == {"ada": "sent", "bob": "unknown", "cyd": "sent"}


def test_of_a_run_cancelled_meanwhile_the_rest_is_recalled(stores, folder, lost, next_sender):
    run = a_going_campaign(stores, "ada", "bob", "cyd")
    lost.claim().begin("ada", "bob").answer(ada=SENT).die()
    with stores.sessions.begin() as session:
        schedule.cancel(session, campaign_of(session, run), actor="test", now=utc_now())
        assert schedule.finish_runs(session, utc_now()) == []
    assert recovered(stores, folder)
    assert drain(next_sender) == 0
    with stores.sessions.begin() as session:
        assert schedule.finish_runs(session, utc_now()) == [run]
    assert states(stores) == {"ada": "sent", "bob": "unknown", "cyd": "skipped"}


# ---- a frozen sender


class Frost:
    """A clock that stands still with its sender, from a chosen call on until it thaws."""

    def __init__(self, after):
        self.after = after
        self.calls = 0
        self.frozen = threading.Event()
        self.thawed = threading.Event()

    def __call__(self):
        if threading.current_thread().name == "wire":
            self.calls += 1
            if self.calls == self.after:
                self.frozen.set()
                assert self.thawed.wait(120)
        return utc_now()


@pytest.mark.parametrize("after", range(2, 12))
def test_a_frozen_sender_that_thaws_begins_nothing_that_its_heir_may_send(
    stores, folder, tmp_path, next_sender, after
):
    names = ["ada", "bob", "cyd", "dot"]
    run = a_frozen_run(stores, *names)
    frost = Frost(after)
    frozen = a_postbox(stores, Honest(), tmp_path, clock=frost)
    failed = []

    def work():
        try:
            drain(frozen)
            drain(frozen)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="wire")
    thread.start()
    assert frost.frozen.wait(120)
    let_the_lease_run_out(stores)
    found = recovered(stores, folder)
    assert (found.chunks, found.answered + found.unknown + found.queued) == (1, 4)
    drain(next_sender)
    before = rows(stores), counts(stores, run)
    frost.thawed.set()
    thread.join()
    assert failed == []
    assert (rows(stores), counts(stores, run)) == before
    taken = Counter(frozen.backend.taken + next_sender.backend.taken)
    assert set(taken) <= set(names)
    assert max(taken.values()) == 1
    doubted = {name for name, state in states(stores).items() if state == "unknown"}
    assert len(doubted) <= 1
    assert set(names) - set(taken) <= doubted
    assert set(states(stores).values()) <= {"sent", "unknown"}
    frozen.journal.close()


def test_a_thawed_sender_goes_on_with_other_work(stores, folder, tmp_path, next_sender):
    a_frozen_run(stores, "ada", "bob")
    frost = Frost(4)
    frozen = a_postbox(stores, Honest(), tmp_path, clock=frost)
    answered = []
    thread = threading.Thread(target=lambda: answered.append(drain(frozen)), name="wire")
    thread.start()
    assert frost.frozen.wait(120)
    let_the_lease_run_out(stores)
    assert recovered(stores, folder)
    drain(next_sender)
    frost.thawed.set()
    thread.join()
    a_frozen_run(stores, "cyd", "dot")
    assert drain(frozen) == 2
    assert states(stores)["cyd"] == states(stores)["dot"] == "sent"
    frozen.journal.close()


def test_nobody_waits_for_a_sender_that_is_frozen_in_the_middle_of_a_transaction(stores, folder, lost):
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("a frozen process holds SQLite's one lock, and all wait until it thaws or is killed")
    a_frozen_run(stores, "ada")
    lost.claim().begin("ada")
    let_the_lease_run_out(stores)
    with stores.sessions.begin() as session:
        outbox.chunks.hold(session, lost.chunk, {})
        assert not recovered(stores, folder)
    assert recovered(stores, folder) == Recovered(chunks=1, unknown=1)
    lost.die()


def test_the_database_ends_what_a_frozen_process_began_and_forgets_no_commit(stores):
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has its own words for the second, and no way to do the first")
    with stores.sessions() as session:
        assert session.scalar(sa.text("SHOW idle_in_transaction_session_timeout")) == "2min"
        assert session.scalar(sa.text("SHOW synchronous_commit")) == "on"


def test_a_database_that_vanished_is_given_up_within_a_minute_unless_the_url_says_otherwise(postgres_server):
    for given, patience in (("", 20 + 3 * 10), ("&keepalives_idle=100", 100 + 3 * 10)):
        engine = open_engine(postgres_server + given)
        with engine.connect() as connection:
            told = connection.connection.driver_connection.info.get_parameters()
        engine.dispose()
        idle, interval, count = (int(told[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
        assert idle + interval * count == patience
        assert (int(told["tcp_user_timeout"]), int(told["connect_timeout"])) == (50_000, 10)


def test_a_sender_that_settles_while_its_chunk_is_being_taken_over_keeps_what_it_wrote(
    stores, folder, lost, monkeypatch
):
    """Slow, not dead: it settles and removes its page between its heir's look at the store and at the page."""
    run = a_frozen_run(stores, "ada", "bob")
    lost.claim().begin("ada", "bob").answer(ada=SENT, bob=SENT)
    let_the_lease_run_out(stores)
    expired = outbox.expired

    def at_the_last_moment(session):
        found = expired(session)
        session.commit()
        with stores.sessions.begin() as other:
            outbox.settle(other, lost.chunk, {1: SENT, 2: SENT}, skipped={}, retry_at=None, now=ANSWERED)
        lost.page.discard()
        return found

    monkeypatch.setattr(outbox, "expired", at_the_last_moment)
    assert not recovered(stores, folder)
    assert counts(stores, run) == Counter(sent=2)
    lost.die()


def test_a_sender_that_has_nothing_in_flight_gives_back_at_once_what_the_store_calls_its_own(
    stores, folder, lost, next_sender
):
    """Its claim was committed, and the answer to the commit was lost with the connection."""
    a_frozen_run(stores, "ada", "bob")
    lost.claim(page=False)
    found = recover(stores.sessions, folder, SECRET, utc_now, own=lost.journal.owner)
    assert found == Recovered(chunks=1, queued=2)
    assert drain(next_sender) == 2
    lost.die()


def test_a_store_that_goes_away_while_a_chunk_is_loaded_delays_nothing(
    stores, folder, next_sender, monkeypatch
):
    run = a_frozen_run(stores, "ada", "bob")
    load, failures = outbox.load, [1]

    def away(*given, **named):
        if failures:
            failures.pop()
            raise OperationalError("load", {}, Exception("terminating connection"))
        return load(*given, **named)

    monkeypatch.setattr(outbox, "load", away)
    assert drain(next_sender) + drain(next_sender) == 2
    assert counts(stores, run) == Counter(sent=2)
