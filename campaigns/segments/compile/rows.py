"""Questions about a field: the expression of its value, and what an operator asks of it."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, func, literal, or_, select

from campaigns.model.base import Moment
from campaigns.model.customers import activity, contacts, customers
from campaigns.model.staff import staff
from campaigns.segments.compile.dialect import Expression, Speech, Stored, fold, surely
from campaigns.segments.compile.frame import Frame, Row
from campaigns.segments.compile.intervals import anniversaries, interval_of, within
from campaigns.segments.fields import Field, FieldType, Spelling
from campaigns.segments.rules import COMPLEMENTS, Condition, Operator, Span, Value

_LANGUAGE = "contact.language"
TABLES = {"contact": contacts, "customer": customers, "activity": activity}


def field_condition(condition: Condition, frame: Frame) -> Row:
    """Compile one field condition."""
    positive = COMPLEMENTS.get(condition.operator, condition.operator)
    where = asked(condition.field, positive, condition.value, frame)
    negative = positive is not condition.operator
    beside = TABLES[condition.field.entity]
    return Row(
        surely(where) if negative else where, frozenset() if beside is contacts else frozenset({beside})
    )


def stored_of(field: Field, speech: Speech) -> Stored:
    """Give a field's stored value; of an attribute, typed. Not for lists."""
    table = TABLES[field.entity]
    if field.attribute is not None:
        return speech.attribute(table.c.attributes, field.attribute, field.type)
    if field.name in _DERIVED:
        return Stored(_DERIVED[field.name](speech))
    return Stored(table.c[field.name.partition(".")[2]])


def indexed(field: Field, speech: Speech) -> Stored | None:
    """Give the expression to index so that an attribute is found by its value; None where none helps.

    It must stand in the compiled rules letter for letter, and so must the test of the type.
    """
    if field.attribute is None or field.type in (FieldType.LIST, FieldType.BOOLEAN):
        return None
    stored = stored_of(field, speech)
    return replace(stored, value=speech.fold(stored.value)) if field.type is FieldType.TEXT else stored


def _domain(speech: Speech) -> Expression:
    place = speech.position(contacts.c.email, "@")
    return case((place > 0, func.substr(contacts.c.email, place + 1)))


def _language(speech: Speech) -> Expression:
    place = speech.position(contacts.c.locale, "-")
    return case((place > 0, func.substr(contacts.c.locale, 1, place - 1)), else_=contacts.c.locale)


def _owner(_speech: Speech) -> Expression:
    owner = select(staff.c.email).where(staff.c.id == customers.c.owner_id)
    return owner.correlate(customers).scalar_subquery()


_DERIVED: Mapping[str, Callable[[Speech], Expression]] = {
    "contact.domain": _domain,
    _LANGUAGE: _language,
    "customer.owner": _owner,
}


def asked(field: Field, asking: Operator, value: Value, frame: Frame) -> ColumnElement[bool]:
    """Ask a field by a positive operator; the answer is NULL or false where the value is missing."""
    if field.type is FieldType.LIST:
        return _list(field, asking, value, frame.speech)
    stored = stored_of(field, frame.speech)
    match field.type:
        case FieldType.TEXT:
            return stored.and_right(_text(field, stored.value, asking, value, frame.speech))
        case FieldType.NUMBER:
            return stored.and_right(number_asked(stored.value, asking, value, frame.speech.number))
        case FieldType.BOOLEAN:
            return stored.value.is_not(None) if asking is Operator.SET else stored.value == value
        case _:
            return stored.and_right(_time(field, stored.value, asking, value, frame))


def _list(field: Field, asking: Operator, value: Value, speech: Speech) -> ColumnElement[bool]:
    column, key = TABLES[field.entity].c.attributes, field.attribute or ""
    if not isinstance(value, tuple):
        return speech.list_filled(column, key)
    texts = [fold(str(item)) for item in value]
    if asking is Operator.ALL_OF:
        return and_(*(speech.list_meets(column, key, [text]) for text in texts))
    return speech.list_meets(column, key, texts)


def _text(
    field: Field, stored: Expression, asking: Operator, value: Value, speech: Speech
) -> ColumnElement[bool]:
    if asking is Operator.SET:
        return and_(stored.is_not(None), stored != "")
    if field.name == _LANGUAGE and (words := _plain_words(asking, value)):
        return or_(*(_speaks(word, speech) for word in words))
    if field.spelling is not Spelling.FREE and asking in (Operator.EQUAL, Operator.IN):
        return stored.in_(value) if isinstance(value, tuple) else stored == value
    if asking is Operator.EQUAL and field.attribute is None:
        return speech.is_word(speech.fold(stored), fold(str(value)))
    return text_asked(speech.fold(stored), asking, value, speech)


def _plain_words(asking: Operator, value: Value) -> list[str]:
    """Give the languages that are asked for, if each can be met at the start of a locale."""
    asked_for = value if isinstance(value, tuple) else (value,)
    words = [fold(str(item)) for item in asked_for]
    plain = asking in (Operator.EQUAL, Operator.IN) and all(word and "-" not in word for word in words)
    return words if plain else []


def _speaks(word: str, speech: Speech) -> ColumnElement[bool]:
    """Ask for a language without finding its end in each locale."""
    start = func.substr(contacts.c.locale, 1, len(word) + 1)
    return speech.fold(start).in_([word, f"{word}-"])


def text_asked(folded: Expression, asking: Operator, value: Value, speech: Speech) -> ColumnElement[bool]:
    """Ask a folded text."""
    if isinstance(value, tuple):
        return folded.in_([fold(str(item)) for item in value])
    text = fold(str(value))
    match asking:
        case Operator.CONTAINS:
            return speech.position(folded, text) > 0
        case Operator.STARTS:
            return func.substr(folded, 1, len(text)) == text
        case Operator.ENDS:
            length = func.length(folded)
            return and_(length >= len(text), func.substr(folded, length - len(text) + 1) == text)
        case _:
            return folded == text


_COMPARED: Mapping[Operator, Callable[[Any, Any], ColumnElement[bool]]] = {
    Operator.EQUAL: operator.eq,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


def number_asked(
    stored: Expression, asking: Operator, value: Any, bind: Callable[[float], Any]
) -> ColumnElement[bool]:
    """Ask a number."""
    match asking:
        case Operator.SET:
            return stored.is_not(None)
        case Operator.IN:
            return stored.in_([bind(item) for item in value])
        case Operator.BETWEEN:
            return and_(stored >= bind(value.low), stored <= bind(value.high))
        case _:
            return _COMPARED[asking](stored, bind(value))


def _time(
    field: Field, stored: Expression, asking: Operator, value: Value, frame: Frame
) -> ColumnElement[bool]:
    if asking is Operator.SET:
        return stored.is_not(None)
    if asking is Operator.ANNIVERSARY and isinstance(value, Span):
        in_json = field.attribute is not None
        day = func.substr(stored, 6, 5) if in_json else frame.speech.day_of_year(stored, field.type)
        return day.in_(anniversaries(value, frame.now))
    interval = interval_of(asking, value, frame.now, days=field.type is FieldType.DATE)
    return within(stored, interval, _written if field.attribute is not None else _typed(field))


def _written(end: date) -> Expression:
    """Write a day or a moment as it stands in JSON, for comparison as text; moments to the second."""
    text = f"{end:%Y-%m-%dT%H:%M:%S}" if isinstance(end, datetime) else end.isoformat()
    return literal(text, String())  # of its own type: a collation must not follow it into BETWEEN


def _typed(field: Field) -> Callable[[date], Any]:
    return (lambda end: literal(end, Moment())) if field.type is FieldType.MOMENT else (lambda end: end)
