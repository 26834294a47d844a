"""What contacts say on their own pages: the topics they want to hear of, and how closely we may look."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.records import consent, history, hits, shared_addresses, tracking
from campaigns.records.addressees import Addressee
from campaigns.records.consent import Provenance, Topic
from campaigns.values import ConsentState, ContactId, EventKind, Fact, TopicClass, Tracking

#: How a page's wordings are named in the ledger; the language is beside it.
WORDING = "preferences {}"
TRACKING_WORDING = "tracking"


@dataclass(frozen=True, slots=True)
class Choice:
    """A topic as the preferences page offers it."""

    topic: Topic
    state: ConsentState | None
    on: bool  #: the contact hears about it as things stand


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page said beside what was chosen, kept as proof."""

    language: str
    wordings: Mapping[int, str]  #: by topic, exactly as shown


def choices(session: Session, whom: Addressee) -> list[Choice]:
    """The topics a contact may choose from: the public ones, and the one of the message they came from."""
    said = consent.states(session, ContactId(whom.contact))
    return [
        Choice(topic, said.get(topic.id), _hears(session, whom, topic, said.get(topic.id)))
        for topic in consent.all_topics(session)
        if topic.topic_class is not TopicClass.TRANSACTIONAL and (topic.public or topic.id == whom.topic)
    ]


def _is_on(topic: Topic, state: ConsentState | None) -> bool:
    if topic.topic_class is TopicClass.SERVICE:
        return state is not ConsentState.WITHDRAWN
    return state is ConsentState.GRANTED


def _hears(session: Session, whom: Addressee, topic: Topic, state: ConsentState | None) -> bool:
    """Whether a contact with this word is mailed: not where another at the address has left since."""
    if not _is_on(topic, state):
        return False
    return shared_addresses.left_by_another(session, ContactId(whom.contact), topic.id) is None


def choose(session: Session, whom: Addressee, wanted: Collection[int], shown: Shown, *, now: datetime) -> int:
    """Grant what is wanted and withdraw what is not, of the topics that were shown; gives how many changed.

    Topics that the page did not show stay as they are.
    """
    if whom.is_test:
        return 0
    changed = 0
    for choice in choices(session, whom):
        if choice.topic.id not in shown.wordings:
            continue
        on = choice.topic.id in wanted
        changed += _say(session, whom, choice.topic, on=on, shown=shown, now=now)
    return changed


def leave_everything(session: Session, whom: Addressee, shown: Shown, *, now: datetime) -> int:
    """Write down a no to every topic that can be left, public or not; gives how many changed."""
    if whom.is_test:
        return 0
    changed = 0
    for topic in consent.all_topics(session):
        if topic.topic_class is TopicClass.TRANSACTIONAL:
            continue
        changed += _say(session, whom, topic, on=False, shown=shown, now=now, plainly=True)
    return changed


def take_back(session: Session, whom: Addressee, shown: Shown, *, now: datetime) -> bool:
    """Grant the message's topic again after an unsubscribe by mistake; False if it was not withdrawn.

    Others at the address, for whom that no was written down too, have their own word back.
    """
    contact = ContactId(whom.contact)
    if whom.is_test or whom.erased:
        return False
    shared_addresses.hold(session, contact, whom.address)
    if consent.state(session, contact, whom.topic) is not ConsentState.WITHDRAWN:
        return False
    topic = consent.topic_by_id(session, whom.topic)
    how = Provenance(now, "preferences", _page(whom), _wording(session, topic, shown, now))
    shared_addresses.take_back(session, contact, whom.address, topic, how, source="web", now=now)
    return _say(session, whom, topic, on=True, shown=shown, now=now, plainly=True)


def level_of(session: Session, whom: Addressee) -> Tracking | None:
    """What a contact chose of how closely we may look; None: nothing yet."""
    return tracking.level(session, ContactId(whom.contact))


def track(
    session: Session, whom: Addressee, level: Tracking, *, language: str, wording: str, now: datetime
) -> bool:
    """Write down how closely a contact lets us look; False if it stands so already.

    Only a yes lets the message's hits be judged anew: from a no, nothing is learnt of whoever said it.
    """
    if whom.is_test or whom.erased:
        return False
    shown = consent.add_wording(session, TRACKING_WORDING, language, wording, now=now)
    how = Provenance(now, "preferences", _page(whom), shown)
    if not tracking.choose(session, ContactId(whom.contact), level, how, now=now):
        return False
    kind = EventKind.CONSENT_GRANTED if level is Tracking.INDIVIDUAL else EventKind.CONSENT_WITHDRAWN
    fact = Fact(
        kind,
        now,
        f"tracking:{whom.contact}:{now.isoformat()}",
        whom.contact,
        whom.customer,
        whom.run,
        whom.seq,
        "web",
        detail={"tracking": level.value, "how": "preferences page"},
    )
    history.record(session, fact)
    if level is Tracking.INDIVIDUAL:
        hits.judge_again(session, whom.run, whom.seq)
    return True


def _say(
    session: Session,
    whom: Addressee,
    topic: Topic,
    *,
    on: bool,
    shown: Shown,
    now: datetime,
    plainly: bool = False,
) -> bool:
    """Write a yes or no down, unless it stands so already; `plainly` asks for the very word.

    A service topic, say, is on without a word, and off for a contact who wants nothing only by a plain no.
    """
    contact = ContactId(whom.contact)
    shared_addresses.hold(session, contact, whom.address)
    state, at = consent.hold(session, contact, topic.id, now=now)
    said = ConsentState.GRANTED if on else ConsentState.WITHDRAWN
    how = Provenance(at, "preferences", _page(whom), _wording(session, topic, shown, now))
    if not on and (plainly or _is_on(topic, state)):
        shared_addresses.withdraw(session, contact, whom.address, topic, how, source="web", now=now)
    left_at = shared_addresses.left_by_another(session, contact, topic.id) if on else None
    stands = state is said if plainly else _is_on(topic, state) is on
    if stands and left_at is None and (on or shared_addresses.is_own(session, contact, topic)):
        return False
    at = shared_addresses.after(left_at, at)
    consent.append(session, contact, topic.id, said, how._replace(at=at), now=now)
    _record(session, whom, topic, said, at)
    return True


def _page(whom: Addressee) -> str:
    return f"message {whom.run}.{whom.seq}, page"


def _wording(session: Session, topic: Topic, shown: Shown, now: datetime) -> int | None:
    text = shown.wordings.get(topic.id)
    if text is None:
        return None
    return consent.add_wording(session, WORDING.format(topic.id), shown.language, text, now=now)


def _record(session: Session, whom: Addressee, topic: Topic, said: ConsentState, at: datetime) -> None:
    granted = said is ConsentState.GRANTED
    kind = EventKind.CONSENT_GRANTED if granted else EventKind.CONSENT_WITHDRAWN
    fact = Fact(
        kind,
        at,
        f"{kind}:{whom.contact}:{topic.id}:{at.isoformat()}",
        whom.contact,
        whom.customer,
        whom.run,
        whom.seq,
        "web",
        detail={"topic": topic.id, "how": "preferences page"},
    )
    history.record(session, fact)
    hits.judge_again(session, whom.run, whom.seq)
