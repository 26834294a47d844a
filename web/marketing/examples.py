"""Examples of rules, whole as they stand, that name only what is there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from campaigns.records import catalog, consent, segments, surveys
from campaigns.segments.fields import FieldType
from campaigns.surveys.form import QuestionType

#: What is asked of an attribute, by its type.
ASKED: dict[FieldType, dict[str, Any]] = {
    FieldType.NUMBER: {"is": ">=", "value": 5},
    FieldType.BOOLEAN: {"is": "=", "value": True},
    FieldType.DATE: {"is": "in the last", "value": {"days": 30}},
    FieldType.MOMENT: {"is": "in the last", "value": {"days": 30}},
}


@dataclass(frozen=True, slots=True)
class Example:
    """A rule to begin with."""

    key: str
    words: LazyString
    rule: dict[str, Any]

    @property
    def text(self) -> str:
        """The rule as it is pasted."""
        return json.dumps({"version": 1, "rule": self.rule}, indent=2, ensure_ascii=False)


def examples(session: Session, *, but: str | None = None) -> list[Example]:
    """Those that hold in this store; `but` is the segment they are for, which cannot stand on itself."""
    return [*_of_fields(), *_of_attributes(session), *_of_history(session), *_of_words(session, but)]


def find(session: Session, key: str, *, but: str | None = None) -> Example | None:
    """The example of this key, or None."""
    return next((one for one in examples(session, but=but) if one.key == key), None)


def _of_fields() -> Iterator[Example]:
    places = [{"field": "contact.city", "is": "=", "value": city} for city in ("Hamburg", "Bremen")]
    country = {"field": "contact.country", "is": "=", "value": "DE"}
    yield Example("places", _("All of several, with any of two places"), {"all": [country, {"any": places}]})
    organisation = {"field": "customer.kind", "is": "=", "value": "organisation"}
    yield Example("role", _("A role, at an organisation"), {"role": "decider", "at": organisation})
    birthday = {"field": "contact.birthday", "is": "anniversary", "value": {"days": 7}}
    yield Example("birthday", _("A birthday today or in the next 7 days"), birthday)
    since = {"field": "contact.created_at", "is": "in the last", "value": {"days": 30}}
    yield Example("since", _("Known to us for 30 days at most"), since)


def _of_attributes(session: Session) -> Iterator[Example]:
    for (entity, key), kind in sorted(segments.definitions(session).items()):
        rule = {"field": f"{entity}.attributes.{key}", **ASKED.get(kind, {"is": "set"})}
        yield Example("attribute", _("An attribute of your own"), rule)
        return


def _of_history(session: Session) -> Iterator[Example]:
    silent = {"did_not": "clicked", "by": "human", "within": {"last": {"days": 180}}}
    yield Example("silent", _("Has not clicked, as a person, for half a year"), silent)
    twice = {"bought": "anything", "times": {"at least": 2}, "within": {"last": {"days": 90}}}
    yield Example("twice", _("Bought at least twice in the last 90 days"), twice)
    spent = {"at least": 10000, "currency": "EUR"}
    year = {"last": {"days": 365}}
    yield Example(
        "spent",
        _("Bought for at least 100 euros in a year"),
        {"bought": "anything", "spent": spent, "within": year},
    )
    category = catalog.first_category(session)
    if category is not None:
        goods = {"category": category}
        both = [{"bought": goods}, {"did_not_buy": goods, "within": {"last": {"days": 90}}}]
        yield Example("goods", _("Bought certain goods, but not lately"), {"all": both})


def _of_words(session: Session, but: str | None) -> Iterator[Example]:
    for topic in consent.all_topics(session)[:1]:
        yield Example("consent", _("Agreed to a topic"), {"consent": topic.key, "is": "granted"})
    scales = (
        (survey.key, question)
        for survey in surveys.listing(session)
        for question in survey.form.questions
        if question.type is QuestionType.SCALE
    )
    for survey, question in list(scales)[:1]:
        rule = {"answered": survey, "question": question.key, "is": ">=", "value": question.high - 1}
        yield Example("answered", _("Gave one of the two best marks in a survey"), rule)
    others = [row.key for row in segments.listing(session) if row.key != but]
    for other in others[:1]:
        yield Example("without", _("Everybody but another segment"), {"not": {"segment": other}})
