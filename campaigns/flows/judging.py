"""Hits get their verdicts and their events: those of one message are judged together."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.records import campaigns, history, hits, links, messages, outbox, responses, surveys
from campaigns.records.outbox import Evidence
from campaigns.records.reports import counts
from campaigns.records.responses import Place
from campaigns.tracking.verdicts import RULES_VERSION, judge
from campaigns.values import EventKind, Fact, Hit, Judgement, MessageKey, Verdict

SETTLING = timedelta(seconds=3)  #: a scanner's burst is told by what follows, so a hit waits this long
AT_ONCE = 2000
KIND = {
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "view": EventKind.VIEWED,
    "score": EventKind.SCORE_CLICKED,
}


def judge_hits(session: Session, now: datetime, *, settling: timedelta = SETTLING) -> int:
    """Give each settled hit its verdict and its event; hits of one message are judged together.

    An older verdict that the newer hits change is changed too. Gives how many events are new.
    """
    keys = hits.unjudged(session, until=now - settling, limit=AT_ONCE)
    if not keys:
        return 0
    found = hits.of_messages(session, keys)
    outbox.prove(session, {MessageKey(*key): _proof(received) for key, received in found.items()}, now=now)
    facts: list[Fact] = []
    for key, received in found.items():
        facts += _judge_message(session, key, received)
        hits.mark_judged(session, [hit.id for hit in received])
    counts.note_verdicts(session, {run for run, _ in found})
    return history.record_many(session, facts, version=RULES_VERSION)


def _proof(received: Sequence[Hit]) -> Evidence:
    """A hit, whoever made it, proves that its message arrived: its token stood nowhere else."""
    first = min(received, key=lambda hit: hit.at)
    return Evidence(KIND[first.kind].value, first.at)


def _judge_message(session: Session, key: tuple[int, int], received: Sequence[Hit]) -> list[Fact]:
    message = messages.find(session, *key)
    if message is None or message.is_test:
        return []
    confirmed = responses.is_posted(session, contact=message.contact, run=key[0])
    verdicts = judge(
        received, sent_at=message.at, link_count=links.count(session, key[0]), confirmed=confirmed
    )
    for hit, judgement in zip(received, verdicts, strict=True):
        history.rejudge(session, _dedupe(hit), judgement)
        if hit.kind == "score" and judgement.verdict in {Verdict.HUMAN, Verdict.UNKNOWN}:
            _begin_response(session, hit)
    return [
        _fact(hit, judgement, message.customer) for hit, judgement in zip(received, verdicts, strict=True)
    ]


def _begin_response(session: Session, hit: Hit) -> None:
    """A score clicked in the mail begins a response; an answer it becomes only when the page is posted."""
    version = campaigns.get_run(session, hit.run).survey_version_id
    if version is not None:
        survey = surveys.edition(session, version).survey
        place = Place(survey, version, hit.contact, hit.run, hit.seq)
        responses.start(session, place, language="", now=hit.at)


def _dedupe(hit: Hit) -> str:
    return f"hit:{hit.id}"


def _fact(hit: Hit, judgement: Judgement, customer: int) -> Fact:
    detail: dict[str, object] = {"reasons": list(judgement.reasons)}
    if hit.link is not None:
        detail["score" if hit.kind == "score" else "link"] = hit.link
    return Fact(
        KIND[hit.kind],
        hit.at,
        _dedupe(hit),
        hit.contact,
        customer,
        hit.run,
        hit.seq,
        "web",
        judgement.verdict,
        detail,
    )
