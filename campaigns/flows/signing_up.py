"""Signing up by a form: show it, and take what is posted.

A post is answered before anything is looked up about its address, so that neither words nor time tell whether
we know it. A worker does the rest (flows/asking): it alone sees whether the address is known or suppressed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy.orm import Session

from campaigns.forms import flags, visits
from campaigns.forms.puzzle import is_solved
from campaigns.forms.spec import Words
from campaigns.forms.stamp import LASTS, Fault, Stamper, Step, digest_of
from campaigns.forms.typed import read_fields
from campaigns.imports.addresses import BadAddress, normalise
from campaigns.records import attributes, consent, form_limits, forms, sign_ups, suppressions
from campaigns.records.consent import Topic
from campaigns.records.forms import SignUpForm
from campaigns.records.sign_ups import Posted, Refusal
from campaigns.values import Problem

LONGEST_PAGE, LONGEST_AGENT = 300, 300


@dataclass(frozen=True, slots=True)
class Offer:
    """A form as it is shown in one language."""

    form: SignUpForm
    language: str
    words: Words
    topics: tuple[Topic, ...]
    types: Mapping[str, str]  #: of the installation's attributes
    labels: Mapping[str, str]

    def agreed(self, topic: Topic) -> str:
        """Write what somebody agrees to who signs up for a topic: all that the page shows of it."""
        return "\n".join(filter(None, (self.words.wording, topic.name, topic.description)))

    @property
    def digest(self) -> bytes:
        """The digest of all that may be agreed to."""
        return digest_of(self.language, *map(self.agreed, self.topics))


@dataclass(frozen=True, slots=True)
class Ask:
    """What a door read of a post; everything in it is hostile."""

    address: str
    topics: frozenset[int]
    typed: Mapping[str, str]
    stamp: str
    solution: str
    trap: str  #: a field that people do not see
    client: str  #: the IP address
    agent: str
    page: str
    by_script: bool = False


class Answer(Enum):
    """What a post is answered; it never depends on what we know of the address."""

    RECEIVED = "received"
    CHECK = "check"  #: the second page, to be looked at and sent
    WRONG = "wrong"  #: something typed does not hold
    BUSY = "busy"  #: too many from there, or for this form


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a post."""

    answer: Answer
    problems: Sequence[Problem] = field(default=())


@dataclass(frozen=True, slots=True)
class _Typed:
    """What was typed, as values, with all that does not hold."""

    address: str
    topics: Sequence[Topic]
    values: Mapping[str, Any]
    problems: Sequence[Problem]


def offer(session: Session, key: str, language: str) -> Offer | None:
    """Load a form as it is shown; None if there is none, or it takes no sign-ups."""
    form = forms.find(session, key)
    if form is None or not form.is_open:
        return None
    by_id = {topic.id: topic for topic in consent.all_topics(session)}
    said, words = form.spec.said(language)
    defined = attributes.definitions(session)
    return Offer(
        form,
        said,
        words,
        tuple(by_id[number] for number in form.spec.topics if number in by_id),
        {key: one.type for key, one in defined.items()},
        {key: one.label or key for key, one in defined.items()},
    )


def take(session: Session, shown: Offer, ask: Ask, secret: bytes, *, now: datetime) -> Taken:
    """Take a post, if it may be one of a person; nothing is asked about the address here."""
    if ask.trap:
        forms.count(session, shown.form.id, Refusal.HONEYPOT, now=now)
        return Taken(Answer.RECEIVED)
    typed = _read(shown, ask)
    if typed.problems:
        return Taken(Answer.WRONG, typed.problems)
    stamper = Stamper(secret)
    stamp = stamper.read(ask.stamp, form=shown.form.id, digest=shown.digest, now=now)
    if isinstance(stamp, Fault):
        return _not_taken(session, shown, ask, Refusal.FORGED, "stamp", now)
    solved = is_solved(ask.solution, stamp.nonce, stamper.secret_of(b"puzzle"))
    if not solved and (ask.by_script or stamp.step is not Step.CHECK):
        return _not_taken(session, shown, ask, Refusal.PUZZLE, "altcha", now)
    limits = visits.SOLVED if solved else visits.PLAIN
    if refusal := _over(session, shown.form.id, ask.client, limits, stamper, now):
        forms.count(session, shown.form.id, refusal, now=now)
        return Taken(Answer.BUSY)
    used = visits.counter_key(stamper.secret_of(b"limits"), "used", stamp.nonce.hex())
    if form_limits.spend(session, used, within=LASTS, now=now) == 1:  # else an impatient hand sent it twice
        sign_ups.add(session, _posted(shown, ask, typed, secret, solved=solved), now=now)
        forms.count(session, shown.form.id, "posted", now=now)
    return Taken(Answer.RECEIVED)


def _not_taken(session: Session, shown: Offer, ask: Ask, why: Refusal, where: str, now: datetime) -> Taken:
    """A page is shown once more, to be looked at and sent; a script is told what it did wrong."""
    if not ask.by_script:
        return Taken(Answer.CHECK)
    forms.count(session, shown.form.id, why, now=now)
    cure = "Ask for the form again and send what it gives."
    return Taken(Answer.WRONG, (Problem(where, "does not hold, or not any more.", cure),))


def _read(shown: Offer, ask: Ask) -> _Typed:
    problems: list[Problem] = []
    address = ""
    try:
        address = normalise(ask.address)
    except BadAddress:
        problems.append(Problem("address", "is no mail address.", "Write it as in name@example.com."))
    if address and shown.form.spec.refuse_disposable and flags.is_disposable(address):
        problems.append(Problem("address", "is thrown away after a while.", "Use one that you keep."))
    chosen = [topic for topic in shown.topics if topic.id in ask.topics]
    if len(shown.topics) == 1:
        chosen = list(shown.topics)  # the button says it
    if not chosen:
        problems.append(Problem("topics", "are missing.", "Choose at least one."))
    values, found = read_fields(shown.form.spec, ask.typed, shown.types)
    return _Typed(address, chosen, values, [*problems, *found])


def _over(
    session: Session, form: int, client: str, limits: visits.Limits, stamper: Stamper, now: datetime
) -> Refusal | None:
    """Count the post against its network and its form, and say which of them it is too much for."""
    key, way = stamper.secret_of(b"limits"), str(limits.by_form)
    network = visits.counter_key(key, "network", way, visits.counted_as(client), buckets=visits.BUCKETS)
    if form_limits.spend(session, network, within=visits.HOUR, now=now) > limits.by_network:
        return Refusal.NETWORK
    crowd = visits.counter_key(key, "form", way, str(form))
    if form_limits.spend(session, crowd, within=visits.HOUR, now=now) > limits.by_form:
        return Refusal.CROWD
    return None


def _posted(shown: Offer, ask: Ask, typed: _Typed, secret: bytes, *, solved: bool) -> Posted:
    address = typed.address
    told = {
        "role": flags.is_role(address),
        "disposable": flags.is_disposable(address),
        "plain": not solved,
        "script": ask.by_script,
    }
    return Posted(
        form=shown.form.id,
        version=shown.form.version,
        address=address,
        masked=visits.masked(address),
        address_hash=suppressions.address_hash(secret, address),
        flags=" ".join(name for name, is_so in told.items() if is_so),
        topics={topic.id: shown.agreed(topic) for topic in typed.topics},
        fields=typed.values,
        language=shown.language,
        page=ask.page[:LONGEST_PAGE],
        network=visits.network_of(ask.client),
        agent=ask.agent[:LONGEST_AGENT],
    )
