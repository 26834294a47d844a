"""What contacts say on their own pages about the topics they want to hear of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.records import consent, history
from campaigns.records.addressees import Addressee
from campaigns.records.consent import Provenance, Topic
from campaigns.values import ConsentState, ContactId, EventKind, Fact, TopicClass

#: How a page's wordings are named in the ledger; the language is beside it.
WORDING = "preferences {}"


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
        Choice(topic, said.get(topic.id), _is_on(topic, said.get(topic.id)))
        for topic in consent.all_topics(session)
        if topic.topic_class is not TopicClass.TRANSACTIONAL and (topic.public or topic.id == whom.topic)
    ]


def _is_on(topic: Topic, state: ConsentState | None) -> bool:
    if topic.topic_class is TopicClass.SERVICE:
        return state is not ConsentState.WITHDRAWN
    return state is ConsentState.GRANTED


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
        current = consent.hold(session, ContactId(whom.contact), choice.topic.id)
        if on != _is_on(choice.topic, current):
            _say(session, whom, choice.topic, on=on, shown=shown, now=now)
            changed += 1
    return changed


def leave_everything(session: Session, whom: Addressee, shown: Shown, *, now: datetime) -> int:
    """Write down a no to every topic that can be left, public or not; gives how many changed."""
    if whom.is_test:
        return 0
    changed = 0
    for topic in consent.all_topics(session):
        if topic.topic_class is TopicClass.TRANSACTIONAL:
            continue
        if consent.hold(session, ContactId(whom.contact), topic.id) is not ConsentState.WITHDRAWN:
            _say(session, whom, topic, on=False, shown=shown, now=now)
            changed += 1
    return changed


def take_back(session: Session, whom: Addressee, shown: Shown, *, now: datetime) -> bool:
    """Grant the message's topic again after an unsubscribe by mistake; False if it was not withdrawn."""
    state = consent.hold(session, ContactId(whom.contact), whom.topic)
    if whom.is_test or whom.erased or state is not ConsentState.WITHDRAWN:
        return False
    _say(session, whom, consent.topic_by_id(session, whom.topic), on=True, shown=shown, now=now)
    return True


def _say(session: Session, whom: Addressee, topic: Topic, *, on: bool, shown: Shown, now: datetime) -> None:
    text = shown.wordings.get(topic.id)
    wording = None
    if text is not None:
        key = WORDING.format(topic.id)
        wording = consent.add_wording(session, key, shown.language, text, now=now)
    how = Provenance(now, "preferences", f"message {whom.run}.{whom.seq}, page", wording)
    write = consent.grant if on else consent.withdraw
    write(session, ContactId(whom.contact), topic.id, how, now=now)
    kind = EventKind.CONSENT_GRANTED if on else EventKind.CONSENT_WITHDRAWN
    fact = Fact(
        kind,
        now,
        f"{kind}:{whom.contact}:{topic.id}:{now.isoformat()}",
        whom.contact,
        whom.customer,
        whom.run,
        whom.seq,
        "web",
        detail={"topic": topic.id, "how": "preferences page"},
    )
    history.record(session, fact)
