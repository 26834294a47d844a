"""Messages in doubt: listed with all that helps, decided once, sent again only through the gates."""

import email
import threading
from collections import Counter
from datetime import timedelta
from email.policy import default

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import mailing
from campaigns.clock import utc_now
from campaigns.errors import NotAllowed, NotFound
from campaigns.flows import doubting, intake, judging, schedule
from campaigns.flows.doubting import Decision
from campaigns.mailing import Signing
from campaigns.model.customers import activity, contacts
from campaigns.model.events import events
from campaigns.model.mail import campaign_log, chunks, messages, runs
from campaigns.records import audience, campaigns, consent, gates, history, hits, names, outbox
from campaigns.records.consent import Provenance
from campaigns.records.outbox import decisions
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.values import (
    CampaignState,
    ContactId,
    EventKind,
    Fact,
    Gate,
    Hit,
    MessageKey,
    Outcome,
    OutcomeKind,
    RunState,
    Verdict,
)
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic

KEYRING = Keyring(SECRET)
SENT = Outcome(OutcomeKind.SENT, 250, "2.0.0", "ok")
UNKNOWN = Outcome(OutcomeKind.UNKNOWN, text="begun at 09:00:00, then the sender was lost")
LATER = NOW + timedelta(minutes=20)
TOMORROW = utc_now() + timedelta(days=1)  # by the database's clock
BY = "mara@shop.example"
EVERYTHING = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)


def frozen(session, people=10, **over):
    """A frozen run of so many contacts in chunks of 4, its campaign running."""
    topic = a_topic(session)
    for _ in range(people):
        a_contact(session, topic=topic)
    campaign = a_campaign(session, topic=topic, **over)
    run = a_run(session, campaign)
    going = {"expected": [CampaignState.DRAFT], "actor": "test", "what": "opened", "now": NOW}
    campaigns.move(session, campaign, CampaignState.RUNNING, **going)
    of_topic = sa.select(contacts.c.id).where(
        contacts.c.id.in_(sa.text(f"select contact_id from consents where topic_id = {topic}"))
    )
    asked = asked_of(session, run)
    how = {"hold_out_percent": 0, "salt": 1, "timing": audience.Timing(over.get("per_minute")), "now": NOW}
    audience.freeze(session, run, of_topic, asked, **how)
    return run


def asked_of(session, run):
    kept = campaigns.get_run(session, run)
    return gates.of_campaign(session, campaigns.get(session, kept.campaign_id), kept.topic_id, now=LATER)


def send(session, run, doubtful=(), outcomes=None, now=NOW):
    """Play a sender until nothing is due: those named get no answer. Gives the seqs sent, and those skipped."""
    begun, stopped = [], {}
    while (chunk := outbox.claim(session, "me")) is not None:
        run = chunk.run
        ready, gone = outbox.load(session, chunk, asked_of(session, run))
        told = {one.seq: UNKNOWN if one.seq in doubtful else SENT for one in ready} | (outcomes or {})
        begun += told
        stopped |= gone
        outbox.settle(
            session,
            chunk,
            told,
            skipped={seq: (gate, "") for seq, gate in gone.items()},
            retry_at=None,
            now=now,
        )
        facts = [
            Fact(
                EventKind.UNKNOWN,
                now,
                f"unknown:{run}:{one.seq}",
                one.contact_id,
                one.customer_id,
                run,
                one.seq,
            )
            for one in ready
            if told[one.seq] is UNKNOWN
        ]
        history.record_many(session, facts)
    return begun, stopped


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 4)


@pytest.fixture
def run(stores):
    """A run that ended with messages 2, 3 and 7 in doubt, committed."""
    with stores.sessions.begin() as session:
        made = frozen(session)
        send(session, made, doubtful=(2, 3, 7))
        schedule.finish_runs(session, LATER)
        assert campaigns.get_run(session, made).state is RunState.DOUBTS
    return made


def decide(session, run, decision, *, seqs=None, until=LATER, now=LATER, **more):
    return doubting.resolve(session, run, Decision(decision), seqs=seqs, until=until, by=BY, now=now, **more)


def states(session, run):
    rows = session.execute(
        sa.select(messages.c.seq, messages.c.state).where(messages.c.run_id == run).order_by(messages.c.seq)
    )
    return [row.state for row in rows]


def told(session, run, seq=None):
    """Kinds of the history of a run, with what was decided."""
    query = sa.select(events.c.seq, events.c.kind, events.c.source, events.c.detail).where(
        events.c.run_id == run
    )
    rows = session.execute(query.order_by(events.c.id))
    return [(row.kind, row.source, row.detail) for row in rows if seq in {None, row.seq}]


def must_add_up(session, run):
    kept, counted = campaigns.get_run(session, run), Counter(states(session, run))
    assert (kept.sent, kept.failed, kept.unknown) == (counted["sent"], counted["failed"], counted["unknown"])
    assert kept.skipped == counted["skipped"]
    assert sum(counted.values()) == kept.audience


def log_of(session, run):
    campaign = campaigns.get_run(session, run).campaign_id
    query = sa.select(campaign_log.c.what).where(campaign_log.c.campaign_id == campaign)
    return session.scalars(query.order_by(campaign_log.c.id)).all()


def state_of(session, run):
    kept = campaigns.get_run(session, run)
    return campaigns.get(session, kept.campaign_id).state, kept.state


# ---- the list


def test_the_list_says_of_each_doubt_whose_it_is_since_when_and_what_was_heard_last(stores, run):
    with stores.readers() as session:
        found = outbox.in_doubt(session)
        assert [(one.run, one.seq) for one in found] == [(run, 2), (run, 3), (run, 7)]
        first = found[0]
        whom = session.execute(sa.select(contacts).where(contacts.c.id == first.contact)).one()
        assert (first.address, first.customer, first.name) == (whom.email, whom.customer_id, "Ada")
        assert (first.at, first.said, first.evidence) == (NOW, UNKNOWN.text, ())
        assert outbox.how_many(session) == 3
        assert [one.unknown for one in outbox.doubted_runs(session)] == [3]


def test_the_list_is_read_page_by_page_from_the_newest_run_on_without_losing_any(stores, run):
    with stores.sessions.begin() as session:
        newer = frozen(session)
        send(session, newer, doubtful=(1, 9))
    with stores.readers() as session:
        found, after = [], None
        while page := outbox.in_doubt(session, after=after, limit=2):
            after = MessageKey(page[-1].run, page[-1].seq)
            found += [(one.run, one.seq) for one in page]
        assert found == [(newer, 1), (newer, 9), (run, 2), (run, 3), (run, 7)]
        assert [one.seq for one in outbox.in_doubt(session, run=newer)] == [1, 9]
        campaign = campaigns.get_run(session, run).campaign_id
        assert [one.seq for one in outbox.in_doubt(session, campaign=campaign)] == [2, 3, 7]
        named = [MessageKey(run, 1), MessageKey(run, 7), MessageKey(newer, 9)]
        assert [(one.run, one.seq) for one in outbox.still_in_doubt(session, named)] == [(newer, 9), (run, 7)]


def test_the_message_id_is_the_one_in_the_mail(stores, run):
    with stores.readers() as session:
        doubt = outbox.in_doubt(session)[0]
        kept = campaigns.get_run(session, run)
        made = mailing.load(session, kept, "Name", Signing(KEYRING, "https://t.shop.example"))
        recipient = names.recipient(session, doubt.contact)
        mail = made.mail(_with(recipient, seq=doubt.seq), bought=[], now=NOW)
    in_the_mail = email.message_from_bytes(mail.data, policy=default)["Message-ID"]
    assert doubting.message_id(doubt, KEYRING) == in_the_mail


def _with(recipient, **over):
    from dataclasses import replace

    return replace(recipient, **over)


def test_a_test_mail_in_doubt_is_not_listed(stores, run):
    with stores.sessions.begin() as session:
        session.execute(sa.update(runs).values(kind="test"))
        assert outbox.in_doubt(session) == []
        assert outbox.how_many(session) == 0
        with pytest.raises(NotAllowed, match="is a test"):
            decide(session, run, "send-again")


# ---- arrived


def test_what_arrived_counts_as_sent_and_a_run_without_doubts_is_finished(stores, run):
    with stores.sessions.begin() as session:
        assert decide(session, run, "arrived", seqs=[2]).decided == 1
        assert states(session, run)[1:3] == ["sent", "unknown"]
        assert state_of(session, run) == (CampaignState.DOUBTS, RunState.DOUBTS)
        must_add_up(session, run)
        assert decide(session, run, "arrived").decided == 2
        assert states(session, run) == ["sent"] * 10
        assert state_of(session, run) == (CampaignState.FINISHED, RunState.FINISHED)
        must_add_up(session, run)
        detail = {"decision": "arrived", "by": BY}
        assert told(session, run, 2)[1:] == [("sent", "staff", {}), ("doubt settled", "staff", detail)]
        assert log_of(session, run)[-1] == "is finished"
        assert f"1 in doubt counted as arrived (run {run})" in log_of(session, run)
        newest = sa.select(activity.c.last_sent_at).join(
            messages, messages.c.contact_id == activity.c.contact_id
        )
        assert session.scalar(newest.where(messages.c.run_id == run, messages.c.seq == 2)) == NOW


def test_deciding_again_changes_nothing(stores, run):
    for decision in ("arrived", "arrived", "send-again"):
        with stores.sessions.begin() as session:
            decide(session, run, decision)
    with stores.readers() as session:
        assert states(session, run) == ["sent"] * 10
        assert sum(1 for kind, *_ in told(session, run) if kind == "doubt settled") == 3
        assert state_of(session, run) == (CampaignState.FINISHED, RunState.FINISHED)


def test_a_campaign_keeps_its_doubts_while_another_run_of_it_has_some(stores, run):
    with stores.sessions.begin() as session:
        other = a_run(session, campaigns.get_run(session, run).campaign_id, occurrence="later")
        session.execute(
            sa.update(runs)
            .where(runs.c.id == other)
            .values(state=RunState.DOUBTS.value, unknown=1, finished_at=NOW)
        )
        decide(session, run, "arrived")
        assert state_of(session, run) == (CampaignState.DOUBTS, RunState.FINISHED)


def test_what_came_into_doubt_after_the_person_looked_is_left(stores, run):
    with stores.sessions.begin() as session:
        assert decide(session, run, "arrived", until=NOW - timedelta(seconds=1)).decided == 0
        assert states(session, run).count("unknown") == 3


# ---- sent again


def test_what_is_sent_again_goes_through_the_gates_once_and_nothing_else_goes(stores, run):
    with stores.sessions.begin() as session:
        assert decide(session, run, "send-again").decided == 3
        assert state_of(session, run) == (CampaignState.RUNNING, RunState.RUNNING)
        must_add_up(session, run)
        third = session.scalar(
            sa.select(messages.c.contact_id).where(messages.c.run_id == run, messages.c.seq == 3)
        )
        said = Provenance(NOW + timedelta(minutes=1), "page")
        consent.withdraw(session, ContactId(third), campaigns.get_run(session, run).topic_id, said, now=LATER)
    with stores.sessions.begin() as session:
        assert send(session, run, now=LATER) == ([2, 7], {3: Gate.NO_CONSENT})
        assert schedule.finish_runs(session, LATER) == [run]
        assert state_of(session, run) == (CampaignState.FINISHED, RunState.FINISHED)
        assert Counter(states(session, run)) == {"sent": 9, "skipped": 1}
        must_add_up(session, run)
        assert told(session, run, 2)[-1] == ("doubt settled", "staff", {"decision": "send again", "by": BY})
        assert f"3 in doubt are sent again (run {run})" in log_of(session, run)


def test_a_second_doubt_is_a_doubt_again(stores, run):
    with stores.sessions.begin() as session:
        decide(session, run, "send-again", seqs=[7])
        send(session, run, doubtful=[7], now=LATER)
        schedule.finish_runs(session, LATER)
        assert state_of(session, run) == (CampaignState.DOUBTS, RunState.DOUBTS)
        later = LATER + timedelta(hours=1)
        assert decide(session, run, "arrived", until=later, now=later).decided == 3
        decisions = [
            detail["decision"] for kind, _, detail in told(session, run, 7) if kind == "doubt settled"
        ]
        assert decisions == ["send again", "arrived"]


def test_a_run_whose_time_is_over_sends_nothing_again_unless_somebody_says_how_long(stores, run):
    late = NOW + timedelta(hours=73)
    with stores.sessions.begin() as session:
        with pytest.raises(NotAllowed, match=r"was over at 2026-11-25 09:00 UTC.*--within HOURS"):
            decide(session, run, "send-again", now=late)
        assert states(session, run).count("unknown") == 3
        decide(session, run, "send-again", now=late, within=timedelta(hours=2))
        assert campaigns.get_run(session, run).expires_at == late + timedelta(hours=2)
        assert schedule.finish_runs(session, late) == []
        assert send(session, run, now=late)[0] == [2, 3, 7]


@pytest.mark.parametrize("state", [CampaignState.CANCELLED, CampaignState.DRAFT])
def test_a_campaign_that_a_person_ended_sends_nothing_again_but_takes_what_arrived(stores, run, state):
    with stores.sessions.begin() as session:
        campaign = campaigns.get_run(session, run).campaign_id
        how = {"expected": list(CampaignState), "actor": "test", "what": "ended", "now": NOW}
        campaigns.move(session, campaign, state, **how)
        with pytest.raises(NotAllowed, match=f"The campaign is {state}"):
            decide(session, run, "send-again")
        assert decide(session, run, "arrived").decided == 3
        assert state_of(session, run) == (state, RunState.FINISHED)


def test_a_deleted_campaign_sends_nothing_again(stores, run):
    with stores.sessions.begin() as session:
        session.execute(sa.text("update campaigns set deleted_at = updated_at"))
        with pytest.raises(NotAllowed, match="was deleted"):
            decide(session, run, "send-again")


def test_in_a_paused_campaign_what_is_sent_again_waits_for_the_resume(stores, run):
    with stores.sessions.begin() as session:
        campaign = campaigns.get_run(session, run).campaign_id
        how = {"expected": list(CampaignState), "actor": "test", "what": "paused", "now": NOW}
        campaigns.move(session, campaign, CampaignState.PAUSED, **how)
        decide(session, run, "send-again")
        assert state_of(session, run) == (CampaignState.PAUSED, RunState.PAUSED)
        assert send(session, run)[0] == []
        schedule.resume(session, campaign, actor="test", now=LATER)
        assert send(session, run, now=LATER)[0] == [2, 3, 7]


def test_a_throttled_run_sends_again_at_its_pace(stores):
    with stores.sessions.begin() as session:
        run = frozen(session, per_minute=4)
        session.execute(sa.update(chunks).values(not_before=None))
        send(session, run, doubtful=(1, 5, 9))
        schedule.finish_runs(session, LATER)
        decide(session, run, "send-again")
        ready = sa.select(chunks.c.not_before).where(chunks.c.run_id == run, chunks.c.state == "ready")
        due = session.scalars(ready.order_by(chunks.c.number)).all()
        assert due == [LATER + timedelta(seconds=seconds) for seconds in (0, 15, 30)]


def test_what_is_sent_again_does_not_wait_for_others_of_its_chunk_that_were_deferred(stores):
    with stores.sessions.begin() as session:
        run = frozen(session, people=4)
        chunk = outbox.claim(session, "me")
        told = {1: UNKNOWN, 2: Outcome(OutcomeKind.DEFERRED, 451, None, "later"), 3: SENT, 4: SENT}
        tomorrow = utc_now() + timedelta(days=1)
        outbox.settle(
            session, chunk, told, skipped={}, retry_at=None, retries={2: tomorrow}, moments={}, now=NOW
        )
        assert outbox.claim(session, "me") is None
        assert decide(session, run, "send-again").decided == 1
        again = outbox.claim(session, "me")
        assert [one.seq for one in outbox.load(session, again, None, due=utc_now())[0]] == [1]


def test_what_is_decided_while_a_sender_holds_the_chunk_is_sent_after_it(stores):
    with stores.sessions.begin() as session:
        run = frozen(session, people=4)
        chunk = outbox.claim(session, "me")
        outbox.settle(session, chunk, {1: UNKNOWN, 2: SENT}, skipped={}, retry_at=None, now=NOW)
        held = outbox.claim(session, "me")
        assert [one.seq for one in outbox.load(session, held, None)[0]] == [3, 4]
    with stores.sessions.begin() as session:
        assert decide(session, run, "send-again").decided == 1
    with stores.sessions.begin() as session:
        outbox.settle(session, held, {3: SENT, 4: SENT}, skipped={}, retry_at=None, now=LATER)
        assert not outbox.is_drained(session, run)
        assert send(session, run, now=LATER)[0] == [1]
        must_add_up(session, run)


def test_a_sender_that_was_taken_for_lost_and_thaws_writes_nothing_over_the_decision(stores):
    with stores.sessions.begin() as session:
        run = frozen(session, people=4)
        frozen_one = outbox.claim(session, "frozen")
        ours = outbox.take_over(session, frozen_one, "recovery")
        outbox.settle(session, ours, dict.fromkeys((1, 2, 3, 4), UNKNOWN), skipped={}, retry_at=None, now=NOW)
        decide(session, run, "send-again")
    for _ in range(2):
        with pytest.raises(outbox.Fenced), stores.sessions.begin() as session:
            outbox.settle(session, frozen_one, {1: SENT}, skipped={}, retry_at=None, now=LATER)
        with stores.sessions.begin() as session:
            outbox.claim(session, "next")  # also once another holds the chunk
    with stores.readers() as session:
        assert states(session, run) == ["queued"] * 4


def test_a_run_that_is_not_there_is_not_found(session):
    with pytest.raises(NotFound):
        decide(session, 99, "arrived")


# ---- several at once


@pytest.mark.parametrize("other", ["arrived", "send-again"])
def test_two_people_at_once_settle_each_message_once(stores, run, other):
    results, errors = [], []
    together = threading.Barrier(2)

    def act(decision):
        try:
            together.wait()
            with stores.sessions.begin() as session:
                results.append(decide(session, run, decision).decided)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=act, args=(one,)) for one in ("arrived", other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(results) == [0, 3]
    with stores.readers() as session:
        must_add_up(session, run)
        assert sum(1 for kind, *_ in told(session, run) if kind == "doubt settled") == 3


def test_a_run_being_ended_while_its_doubts_are_sent_again_leaves_none_behind(stores, monkeypatch):
    """On PostgreSQL a person decides between the worker's look and its ending; SQLite's writers are alone."""
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("writers are alone")
    with stores.sessions.begin() as session:
        run = frozen(session)
        send(session, run, doubtful=(7,))
    met = []

    def meanwhile(session, number, drained=outbox.is_drained):
        found = drained(session, number)
        if not met:
            met.append(True)
            with stores.sessions.begin() as other:
                decide(other, run, "send-again")
        return found

    monkeypatch.setattr(schedule.outbox, "is_drained", meanwhile)
    with stores.sessions.begin() as session:
        assert schedule.finish_runs(session, LATER) == []
    with stores.sessions.begin() as session:
        assert send(session, run, now=LATER)[0] == [7]
        assert schedule.finish_runs(session, LATER) == [run]
        assert state_of(session, run) == (CampaignState.FINISHED, RunState.FINISHED)


def test_what_comes_into_doubt_while_others_are_let_out_is_left_in_doubt(stores, monkeypatch):
    """On PostgreSQL a sender settles between the statements of a decision; SQLite's writers are alone."""
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("writers are alone")
    with stores.sessions.begin() as session:
        run = frozen(session, people=8)
        outbox.settle(
            session, outbox.claim(session, "a"), {2: UNKNOWN}, skipped={}, retry_at=TOMORROW, now=NOW
        )
        held = outbox.claim(session, "b")
    met = []

    def meanwhile(session, number, hold=decisions._hold_chunks):
        found = hold(session, number)
        met.append(found)
        with stores.sessions.begin() as other:
            told = dict.fromkeys((5, 6, 7, 8), UNKNOWN)
            outbox.settle(other, held, told, skipped={}, retry_at=None, now=NOW)
        return found

    monkeypatch.setattr(decisions, "_hold_chunks", meanwhile)
    with stores.sessions.begin() as session:
        assert decide(session, run, "send-again").decided == 1
    assert met == [[(1, 1, 4)]]
    with stores.readers() as session:
        assert states(session, run) == ["queued"] * 4 + ["unknown"] * 4
        must_add_up(session, run)


# ---- proof


def a_hit(session, run, seq, *, seconds=3600.0, kind="open"):
    whom = session.scalar(
        sa.select(messages.c.contact_id).where(messages.c.run_id == run, messages.c.seq == seq)
    )
    at = NOW + timedelta(seconds=seconds)
    hits.store(
        session, [Hit(at, kind, run, seq, whom, 1 if kind == "click" else None, "GET", "curl/8", "127.0.0.1")]
    )


@pytest.mark.parametrize("kind", ["open", "click", "view"])
def test_a_hit_settles_the_doubt_whoever_made_it(stores, run, kind):
    with stores.sessions.begin() as session:
        a_hit(session, run, 3, kind=kind)
        assert judging.judge_hits(session, NOW + timedelta(hours=2)) == 1
        assert states(session, run)[1:3] == ["unknown", "sent"]
        must_add_up(session, run)
        decided = [line for line in told(session, run, 3) if line[0] == "doubt settled"]
        assert decided == [
            ("doubt settled", "evidence", {"decision": "arrived", "proof": judging.KIND[kind].value})
        ]
        assert any(line[:2] == ("sent", "evidence") for line in told(session, run, 3))
        assert f"1 in doubt proven to have arrived (run {run})" in log_of(session, run)


def test_a_delivery_notice_settles_the_doubt_and_is_a_bounce(stores, run):
    from tests.flows.test_intake import returned

    with stores.sessions.begin() as session:
        doubt = outbox.in_doubt(session)[0]
        token = KEYRING.sign(Purpose.RETURN, run, doubt.seq, doubt.contact)
        raw = returned(run, doubt.contact, token=token, address=doubt.address)
        assert intake.receive_mail(session, raw, KEYRING, SECRET, now=LATER) == "bounce"
        assert states(session, run)[1] == "sent"
        kinds = [kind for kind, *_ in told(session, run, doubt.seq)]
        assert kinds == ["unknown", "sent", "doubt settled", "bounced", "suppressed"]
        must_add_up(session, run)


def test_an_unsubscribe_settles_the_doubt(stores, run):
    with stores.sessions.begin() as session:
        doubt = outbox.in_doubt(session)[0]
        token = Token(Purpose.UNSUBSCRIBE, run, doubt.seq, doubt.contact)
        intake.unsubscribe(session, token, how="page", now=LATER)
        assert states(session, run)[1] == "sent"


def test_proof_that_came_before_the_doubt_settles_it_too_and_is_listed_till_then(stores):
    with stores.sessions.begin() as session:
        run = frozen(session, people=3)
        chunk = outbox.claim(session, "lost")
        a_hit(session, run, 2, seconds=10)
        judging.judge_hits(session, NOW + timedelta(minutes=1))
        assert states(session, run) == ["queued"] * 3, "it is on the wire: its sender knows"
        outbox.settle(session, chunk, dict.fromkeys((1, 2, 3), UNKNOWN), skipped={}, retry_at=None, now=LATER)
        for doubt in outbox.in_doubt(session):
            key = f"unknown:{run}:{doubt.seq}"
            history.record(session, Fact(EventKind.UNKNOWN, LATER, key, doubt.contact, None, run, doubt.seq))
        found = {one.seq: one.evidence for one in outbox.in_doubt(session)}
        assert [(one.kind, one.at) for one in found[2]] == [("opened", NOW + timedelta(seconds=10))]
        assert (found[1], found[3]) == ((), ())
        assert doubting.settle_proven(session, LATER) == 1
        assert doubting.settle_proven(session, LATER) == 0
        assert states(session, run) == ["unknown", "sent", "unknown"]
        sent = sa.select(events.c.at).where(events.c.kind == "sent", events.c.run_id == run)
        assert session.scalars(sent).all() == [NOW + timedelta(seconds=10)], "not after its own proof"


def test_what_is_proven_is_not_sent_again_whatever_is_decided(stores, run):
    with stores.sessions.begin() as session:
        seventh = next(one for one in outbox.in_doubt(session) if one.seq == 7)
        fact = Fact(EventKind.ANSWERED, NOW, "a", seventh.contact, None, run, 7, "web", Verdict.HUMAN)
        history.record(session, fact)
        done = decide(session, run, "send-again")
        assert (done.decided, done.proven) == (2, 1)
        assert send(session, run, now=LATER)[0] == [2, 3]


def test_proof_that_comes_while_a_message_waits_to_be_sent_again_keeps_it_from_going_out_twice(stores, run):
    with stores.sessions.begin() as session:
        decide(session, run, "send-again")
        held = outbox.claim(session, "me")  # the chunk of 2 and 3: perhaps on the wire again
        for seq in (3, 7):
            a_hit(session, run, seq)
        judging.judge_hits(session, NOW + timedelta(hours=2))
        assert [states(session, run)[seq - 1] for seq in (2, 3, 7)] == ["queued", "queued", "sent"]
        outbox.settle(session, held, {2: SENT, 3: SENT}, skipped={}, retry_at=None, now=LATER)
        assert send(session, run, now=LATER)[0] == []
        must_add_up(session, run)


def test_a_hit_on_a_message_that_waits_for_its_first_try_settles_nothing(stores):
    """A server that defers may have taken it all the same; only a person's word makes a doubt of a queue."""
    with stores.sessions.begin() as session:
        run = frozen(session, people=2)
        a_hit(session, run, 1)
        judging.judge_hits(session, NOW + timedelta(hours=2))
        assert states(session, run) == ["queued", "queued"]


# ---- whatever happens, the counts add up

STEPS = st.one_of(
    st.tuples(st.just("arrived"), st.sets(st.sampled_from(EVERYTHING))),
    st.tuples(st.just("send-again"), st.sets(st.sampled_from(EVERYTHING))),
    st.tuples(st.just("hit"), st.sets(st.sampled_from(EVERYTHING), max_size=2)),
    st.tuples(st.just("send"), st.sets(st.sampled_from(EVERYTHING))),
    st.tuples(st.just("withdraw"), st.sets(st.sampled_from(EVERYTHING), max_size=1)),
    st.tuples(st.just("finish"), st.just(set())),
)


@given(st.lists(STEPS, max_size=9))
@settings(max_examples=25, deadline=None)
def test_the_counts_of_a_run_always_add_up_and_nobody_gets_two_who_was_not_in_doubt(stores, steps):
    with stores.sessions() as session:
        run, now, wire, allowed = frozen(session), LATER, Counter(), Counter()
        for step, which in [("send", {2, 3}), *steps]:
            now += timedelta(minutes=1)
            match step:
                case "arrived":
                    decide(session, run, step, seqs=sorted(which), until=now, now=now)
                case "send-again":
                    in_doubt = {one.seq for one in outbox.in_doubt(session, run=run)}
                    allowed.update(in_doubt & which)
                    decide(session, run, step, seqs=sorted(which), until=now, now=now)
                case "hit":
                    for seq in which & set(wire):
                        a_hit(session, run, seq)
                    judging.judge_hits(session, now + timedelta(hours=2))
                case "send":
                    wire.update(send(session, run, doubtful=which, now=now)[0])
                case "withdraw":
                    _withdraw(session, run, which, now)
                case "finish":
                    schedule.finish_runs(session, now)
            must_add_up(session, run)
        assert all(wire[seq] <= 1 + allowed[seq] for seq in EVERYTHING)
        send(session, run, now=now)
        schedule.finish_runs(session, now)
        campaign, of_run = state_of(session, run)
        in_doubt = states(session, run).count("unknown")
        assert (of_run is RunState.DOUBTS) == (campaign is CampaignState.DOUBTS) == bool(in_doubt)
        assert "queued" not in states(session, run), "nobody is left out"
        session.rollback()


def _withdraw(session, run, which, now):
    for seq in which:
        query = sa.select(messages.c.contact_id).where(messages.c.run_id == run, messages.c.seq == seq)
        topic = campaigns.get_run(session, run).topic_id
        consent.withdraw(session, ContactId(session.scalar(query)), topic, Provenance(now, "page"), now=now)
