"""What the company sets up before it writes to anybody: people, sender, topics, templates, segments, a survey."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from campaigns.records import (
    campaigns,
    catalog,
    consent,
    segments,
    senders,
    staff,
    surveys,
    templates,
)
from campaigns.records.catalog import Offer
from campaigns.records.staff import Desk, NewStaff
from campaigns.surveys.form import parse_form
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from campaigns.values import BodyKind, Sender, Source, TopicClass
from demo.company import GENRES, TITLES, sku

AUTHOR = "Mara Voss"
PASSWORD = "nightingale-demo"  # noqa: S105 - printed at every start: the demo's store holds nobody real
LOGINS = {
    "mara@nightingale.example": ("Mara Voss", frozenset({Desk.MARKETING, Desk.ADMIN})),
    "rene@nightingale.example": ("René Albrecht", frozenset({Desk.SALES})),
    "sofia@nightingale.example": ("Sofía Lindqvist", frozenset({Desk.SERVICE})),
}
REP, HIS_COUNTRIES = "rene@nightingale.example", frozenset({"DE", "GB"})
SENDER = Sender(
    "Nightingale Records",
    "hello@nightingale.example",
    "bounce.nightingale.example",
    "reply@nightingale.example",
    "Nightingale Records, 9 Tower Lane, Bristol BS1 2AB, United Kingdom",
)
NEWSLETTER, SERVICE = "news", "service"
DATA = Path(__file__).parent / "data"
SUBJECTS = {
    "en": "{{ contact.given_name|default('Hello') }}, eight records for this week",
    "de": "{% if contact.given_name %}{{ contact.given_name }}, acht{% else %}Acht{% endif %} Platten für diese Woche",
}
PREHEADERS = {"en": "What we could not stop playing.", "de": "Was bei uns nicht mehr vom Teller kommt."}
LANGUAGES = ("en", "de")

SEGMENTS = {
    "readers": (
        "Everybody with an address",
        {"field": "contact.email", "is": "set"},
    ),
    "recent-buyers": (
        "Bought in the last year and a bit, with a genre we know",
        {
            "all": [
                {"bought": "anything", "within": {"last": {"days": 400}}},
                {"field": "contact.attributes.genre", "is": "set"},
                {"field": "contact.country", "is": "in", "value": ["DE", "GB", "US", "FR"]},
            ]
        },
    ),
    "jazz-lovers": (
        "Jazz: said so, or bought it twice",
        {
            "any": [
                {"field": "contact.attributes.genre", "is": "=", "value": "Jazz"},
                {"bought": {"category": "Jazz"}, "times": {"at least": 2}, "within": "ever"},
            ]
        },
    ),
}
SURVEY = {
    "version": 1,
    "title": {"en": "How was your last order?", "de": "Wie war Ihre letzte Bestellung?"},
    "intro": {
        "en": "Five short questions. You can leave out all but the first.",
        "de": "Fünf kurze Fragen. Nur die erste braucht eine Antwort.",
    },
    "thanks": {
        "en": "A person reads every answer.",
        "de": "Jede Antwort wird von einem Menschen gelesen.",
    },
    "questions": [
        {
            "key": "recommend",
            "type": "scale",
            "required": True,
            "text": {
                "en": "How likely are you to recommend us to a friend?",
                "de": "Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?",
            },
            "attribute": "nps",
        },
        {
            "key": "genre",
            "type": "single",
            "text": {"en": "What do you listen to most?", "de": "Was hören Sie am meisten?"},
            "choices": [
                {"key": "classical", "text": {"en": "Classical", "de": "Klassik"}},
                {"key": "jazz", "text": "Jazz"},
                {"key": "rock", "text": "Rock"},
            ],
            "attribute": "listens_to",
        },
        {
            "key": "heard",
            "type": "multiple",
            "text": {"en": "Where did you hear of us?", "de": "Woher kennen Sie uns?"},
            "choices": [
                {"key": "friends", "text": {"en": "From friends", "de": "Von Freunden"}},
                {"key": "press", "text": {"en": "From the press", "de": "Aus der Presse"}},
                {"key": "search", "text": {"en": "By searching", "de": "Durch Suchen"}},
            ],
        },
        {
            "key": "interest",
            "type": "product",
            "text": {
                "en": "Which of these should we keep for you?",
                "de": "Was sollen wir für Sie zurücklegen?",
            },
            "skus": ["JAZ-01", "JAZ-02", "ROC-05"],
            "attribute": "interested_in",
        },
        {
            "key": "why",
            "type": "text",
            "text": {"en": "What is the main reason for your score?", "de": "Was ist der Hauptgrund?"},
        },
    ],
}


@dataclass(frozen=True, slots=True)
class Setup:
    """Ids of what was set up."""

    topic: int
    sender: int
    letter: int
    invitation: int
    survey: int
    segments: dict[str, int]


def set_up(session: Session, now: datetime) -> Setup:
    """Write what the imports and campaigns stand on, except the segments."""
    for email, (name, desks) in LOGINS.items():
        staff.add(session, NewStaff(email, name, PASSWORD, desks), now)
    topic = consent.add_topic(
        session,
        NEWSLETTER,
        "Weekly letter",
        TopicClass.MARKETING,
        now=now,
        description="New records, once a week.",
    )
    consent.add_topic(
        session,
        SERVICE,
        "About your orders",
        TopicClass.SERVICE,
        now=now,
        description="Questions about what you ordered.",
    )
    letter = [_letter(language) for language in LANGUAGES]
    templates.save(
        session,
        "weekly-letter",
        "Weekly letter",
        [(one, compile_source(one)) for one in letter],
        author=AUTHOR,
        now=now,
    )
    for name in starters.NAMES:
        sources = [starters.load(name, language) for language in LANGUAGES]
        templates.save(
            session,
            name,
            starters.title(name),
            [(one, compile_source(one)) for one in sources],
            author=AUTHOR,
            now=now,
        )
    for genre, category in enumerate(GENRES):
        for title, name in enumerate(TITLES):
            number = sku(genre, title)
            url = f"https://shop.nightingale.example/records/{number.lower()}"
            price = 1299 + 100 * title + 50 * genre
            catalog.put_on_sale(session, Offer(number, f"{name} ({category})", category, price, "EUR", url))
    surveys.save(session, "order", "How was your last order?", parse_form(SURVEY), author=AUTHOR, now=now)
    return Setup(
        topic=topic.id,
        sender=senders.add(session, SENDER, now=now),
        letter=_known(templates.find(session, "weekly-letter")),
        invitation=_known(templates.find(session, "survey-invitation")),
        survey=_known(surveys.find(session, "order")),
        segments={},
    )


def _letter(language: str) -> Source:
    body = (DATA / f"letter.{language}.mjml").read_text()
    return Source(BodyKind.MJML, SUBJECTS[language], body, PREHEADERS[language], "", language)


def with_segments(session: Session, setup: Setup, now: datetime) -> Setup:
    """Save the segments: after the import, since they name an attribute and a category that it brings."""
    made = {}
    for key, (name, rule) in SEGMENTS.items():
        segments.save(session, key, name, {"version": 1, "rule": rule}, author=AUTHOR, now=now)
        made[key] = _known(segments.find(session, key))
    return replace(setup, segments=made)


def draft_letter(session: Session, setup: Setup, now: datetime, at: datetime) -> int:
    """The weekly letter to everybody who wants it."""
    return campaigns.create(
        session,
        "Weekly letter, week 47",
        actor=AUTHOR,
        now=now,
        topic_id=setup.topic,
        segment_id=setup.segments["readers"],
        template_id=setup.letter,
        sender_id=setup.sender,
        schedule="at",
        starts_at=at,
        time_zone="Europe/Berlin",
        hold_out_percent=2,
    )


def draft_survey(session: Session, setup: Setup, now: datetime, at: datetime) -> int:
    """The survey, to those who bought lately."""
    return campaigns.create(
        session,
        "How was your last order?",
        actor=AUTHOR,
        now=now,
        topic_id=setup.topic,
        segment_id=setup.segments["recent-buyers"],
        template_id=setup.invitation,
        sender_id=setup.sender,
        survey_id=setup.survey,
        schedule="at",
        starts_at=at,
        time_zone="Europe/Berlin",
    )


def _known(found: int | None) -> int:
    assert found is not None
    return found
