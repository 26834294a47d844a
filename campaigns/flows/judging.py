"""Hits get their verdicts and their events: those of one message are judged together.

All are judged again when the rules are newer than their verdicts, or a person asks for it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from campaigns.errors import NotAllowed
from campaigns.records import (
    campaigns,
    crowds,
    history,
    hits,
    links,
    messages,
    outbox,
    responses,
    rounds,
    surveys,
    sweepers,
    tracking,
)
from campaigns.records.hits import Key, Stored
from campaigns.records.messages import Message
from campaigns.records.outbox import Evidence
from campaigns.records.reports import counts
from campaigns.records.responses import Place
from campaigns.records.rounds import Round
from campaigns.tracking.ranges import NONE, Ranges
from campaigns.tracking.sweepers import networks_of, of_others
from campaigns.tracking.verdicts import RULES_VERSION, judge
from campaigns.values import EventKind, Fact, Hit, Judgement, MessageKey, Tracking, Verdict

SETTLING = timedelta(seconds=3)  #: a scanner's burst is told by what follows, so a hit waits this long
AT_ONCE = 2000
KIND = {
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "view": EventKind.VIEWED,
    "score": EventKind.SCORE_CLICKED,
}
OF_NO_MACHINE = {Verdict.HUMAN, Verdict.UNKNOWN}
#: How much a verdict says of a person.
CLOSENESS = {Verdict.MACHINE: 0, Verdict.PRIVACY: 0, Verdict.UNKNOWN: 1, Verdict.HUMAN: 2}


@dataclass
class _Outcome:
    """What judging some messages comes to."""

    new: list[Fact] = field(default_factory=list)
    changed: list[tuple[Fact, Judgement, Verdict]] = field(default_factory=list)  #: with the verdict before
    verdicts: dict[int, Verdict | None] = field(default_factory=dict)  #: by hit
    scores: dict[Key, list[tuple[Hit, Verdict]]] = field(default_factory=dict)  #: clicked in mails
    sweepers: set[str] = field(default_factory=set)  #: networks of which something new is known


def judge_hits(
    session: Session,
    now: datetime,
    *,
    settling: timedelta = SETTLING,
    ranges: Ranges = NONE,
    default: Tracking = Tracking.INDIVIDUAL,
    secure: bool = True,
) -> int:
    """Give each settled hit its verdict and its event; hits of one message are judged together.

    An older verdict that the newer hits change is changed too. Nothing more is learnt of contacts who by now
    are not tracked one by one; `default` is the level of those who never chose; `secure` says that our links
    are https. Gives how many events are new.
    """
    waiting = hits.unjudged(session, until=now - settling, limit=AT_ONCE)
    if not waiting.messages:
        return 0
    found = crowds.note(session, hits.of_messages(session, waiting.messages, upto=waiting.upto))
    named = _named(session, found, default)
    proofs = {MessageKey(*key): _proof(stored) for key, stored in found.items() if _whose(stored) in named}
    outbox.prove(session, proofs, now=now)
    made = _judge(session, found, _Installation(ranges, secure), named)
    written = _write(session, made)
    sweepers.look_again(session, made.sweepers)
    for key, stored in found.items():
        if len(stored) == hits.MOST:
            hits.pass_over(session, key, after=stored[-1].hit.id)
    return written


def is_due_again(session: Session) -> bool:
    """Whether a round is open, or the rules are newer than the last one."""
    newest = rounds.newest(session)
    return newest is None or newest.finished_at is None or newest.version < RULES_VERSION


def judge_again(
    session: Session,
    now: datetime,
    *,
    ranges: Ranges = NONE,
    default: Tracking = Tracking.INDIVIDUAL,
    secure: bool = True,
) -> Round | None:
    """Judge the next hits of a round again, and begin one where the rules are newer than the last.

    Gives the round as far as it has come; None where nothing is to be done.
    """
    newest = rounds.newest(session)
    if newest is None or (newest.finished_at is not None and newest.version < RULES_VERSION):
        newest = rounds.start(session, RULES_VERSION, None, now=now)
    if newest.finished_at is not None:
        return None
    return go_on(session, newest, now, ranges=ranges, default=default, secure=secure)


def open_round(session: Session, since: datetime | None, *, now: datetime) -> Round:
    """Begin a round over all hits, or those since a moment, by a person's wish; go on with one that is open.

    Raises:
        NotAllowed: another one is under way.
    """
    newest = rounds.newest(session)
    if newest is None or newest.finished_at is not None:
        return rounds.start(session, RULES_VERSION, since, now=now)
    if newest.since != since:
        which = "all hits" if newest.since is None else f"hits since {newest.since:%Y-%m-%d}"
        cure = "--again" if newest.since is None else f"--again --since {newest.since:%Y-%m-%d}"
        raise NotAllowed(
            f"A round over {which} is under way ({newest.share:.0%})."
            f" Let it end first: postroom verdicts {cure}"
        )
    return newest


def go_on(
    session: Session,
    over: Round,
    now: datetime,
    *,
    ranges: Ranges = NONE,
    default: Tracking = Tracking.INDIVIDUAL,
    secure: bool = True,
) -> Round:
    """Judge the next hits of a round again."""
    keys, done = rounds.next_messages(session, over, AT_ONCE)
    found = {
        key: stored
        for key, stored in hits.of_messages(session, keys).items()
        if not any(_was_met(one.hit, over) for one in stored)
    }
    made = _judge(session, found, _Installation(ranges, secure), _named(session, found, default))
    _write(session, made)
    changed = Counter(f"{before} to {fact.verdict}" for fact, _, before in made.changed)
    return rounds.advance(session, over, done, len(made.verdicts), changed, now=now)


def _was_met(hit: Hit, over: Round) -> bool:
    """Whether a hit's message was judged again in an earlier step of the round."""
    return hit.id <= over.done and (over.since is None or hit.at >= over.since)


def _proof(stored: Sequence[Stored]) -> Evidence:
    """A hit, whoever made it, proves that its message arrived: its token stood nowhere else."""
    first = min((one.hit for one in stored), key=lambda hit: hit.at)
    return Evidence(KIND[first.kind].value, first.at)


def _whose(stored: Sequence[Stored]) -> int:
    return stored[0].hit.contact


def _named(session: Session, found: Mapping[Key, Sequence[Stored]], default: Tracking) -> Collection[int]:
    """The contacts among these whose hits may stand in their own history."""
    return tracking.one_by_one(session, {_whose(stored) for stored in found.values()}, default)


class _Installation(NamedTuple):
    """What a verdict rests on beside the hits."""

    ranges: Ranges
    secure: bool


def _judge(
    session: Session, found: Mapping[Key, Sequence[Stored]], here: _Installation, named: Collection[int]
) -> _Outcome:
    made = _Outcome()
    known = messages.find_many(session, list(found))
    posted = responses.posted_among(session, list(found))
    said = history.posted_among(session, list(found))
    houses = sweepers.known(session, (one.hit for stored in found.values() for one in stored))
    link_counts = {run: links.count(session, run) for run in {run for run, _ in found}}
    for key, stored in found.items():
        message = known.get(key)
        if message is None or message.is_test:
            made.verdicts |= dict.fromkeys((one.hit.id for one in stored), None)
            continue
        mine, whose = [one.hit for one in stored], sweepers.house_of(message.address, message.contact)
        judgements = judge(
            mine,
            sent_at=message.at,
            link_count=link_counts[key[0]],
            confirmed=key in said or (key[0], message.contact) in posted,
            ranges=here.ranges,
            swept=of_others(houses, whose, mine),
            secure=here.secure,
        )
        by_name = _whose(stored) in named
        kept = (stored, judgements) if by_name else _kept_back(made, stored, judgements)
        for near in _newly_swept(*kept) - made.sweepers:  # what is kept back is new each time
            if sweepers.is_news(session, near, whose, houses.get(near, set())):
                made.sweepers.add(near)
        _compare(made, key, *kept, message)
    return made


def _newly_swept(stored: Sequence[Stored], judgements: Sequence[Judgement]) -> set[str]:
    mine = [one.hit for one in stored]
    before = networks_of(mine, (one.verdict or Verdict.UNKNOWN for one in stored))
    return networks_of(mine, (judgement.verdict for judgement in judgements)) - before


def _kept_back(
    made: _Outcome, stored: Sequence[Stored], judgements: Sequence[Judgement]
) -> tuple[list[Stored], list[Judgement]]:
    """Leave out what would be learnt of a contact who is not tracked one by one.

    That is an event for a hit that has none, and a verdict that says more of a person than the one it has.
    """
    kept: tuple[list[Stored], list[Judgement]] = ([], [])
    for one, judgement in zip(stored, judgements, strict=True):
        made.verdicts[one.hit.id] = one.verdict
        if one.verdict is not None and CLOSENESS[judgement.verdict] <= CLOSENESS[one.verdict]:
            kept[0].append(one)
            kept[1].append(judgement)
    return kept


def _compare(
    made: _Outcome, key: Key, stored: Sequence[Stored], judgements: Sequence[Judgement], message: Message
) -> None:
    for one, judgement in zip(stored, judgements, strict=True):
        made.verdicts[one.hit.id] = judgement.verdict
        fact = _fact(one.hit, judgement, message.customer)
        if one.verdict is None:
            made.new.append(fact)
        elif one.verdict is not judgement.verdict:
            made.changed.append((fact, judgement, one.verdict))
        if one.hit.kind == "score":
            made.scores.setdefault(key, []).append((one.hit, judgement.verdict))


def _write(session: Session, made: _Outcome) -> int:
    for fact, judgement, _ in made.changed:
        history.rejudge(session, fact.dedupe, judgement, fact.detail)
    history.take_back(session, [fact for fact, _, before in made.changed if before is Verdict.HUMAN])
    history.project(session, [fact for fact, _, _ in made.changed])
    hits.mark_judged(session, made.verdicts)
    for key, clicked in made.scores.items():
        _begin_response(session, key, clicked)
    counts.note_verdicts(session, {fact.run for fact, _, _ in made.changed if fact.run is not None})
    return history.record_many(session, made.new, version=RULES_VERSION)


def _begin_response(session: Session, key: Key, clicked: Sequence[tuple[Hit, Verdict]]) -> None:
    """A score clicked in the mail begins a response; an answer it becomes only when the page is posted.

    What a machine began is taken away, unless somebody has posted the page since.
    """
    version = campaigns.get_run(session, key[0]).survey_version_id
    if version is None:
        return
    by_people = [hit for hit, verdict in clicked if verdict in OF_NO_MACHINE]
    first = min(by_people or [hit for hit, _ in clicked], key=lambda hit: hit.at)
    place = Place(surveys.edition(session, version).survey, version, first.contact, *key)
    if by_people:
        responses.start(session, place, language="", now=first.at)
    else:
        responses.forget(session, place)


def _fact(hit: Hit, judgement: Judgement, customer: int) -> Fact:
    detail: dict[str, object] = {"reasons": list(judgement.reasons), "points": judgement.points}
    if hit.link is not None:
        detail["score" if hit.kind == "score" else "link"] = hit.link
    return Fact(
        KIND[hit.kind],
        hit.at,
        f"hit:{hit.id}",
        hit.contact,
        customer,
        hit.run,
        hit.seq,
        "web",
        judgement.verdict,
        detail,
    )
