"""Random rules whose values are near those of the World, so that they are met by some and not by others."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from campaigns.segments.fields import FieldType, Spelling, known_fields
from campaigns.segments.leaves import JUDGED, OPERATORS
from campaigns.segments.rules import (
    NEVER,
    AllOf,
    Answered,
    AnyOf,
    Between,
    Bought,
    Comparison,
    Condition,
    ConsentIs,
    Did,
    Everyone,
    HasRole,
    InSegment,
    Last,
    Not,
    Operator,
    Rule,
    Span,
    Spent,
    Standing,
    Times,
    Who,
)
from campaigns.values import EventKind
from tests.rooms.segments.world import CHOICES, DEFINITIONS, NOW, PAGES, ROLES, TAGS, TEXTS, TOPICS

FIELDS = known_fields(DEFINITIONS)
_codes = [
    "prospect",
    "ACTIVE",
    "lost",
    "person",
    "import",
    "de",
    "EN",
    "rep@shop.example",
    "mail.EXAMPLE",
    "ada",
]
texts = st.sampled_from([text for text in TEXTS + _codes + ["e", "ö", "Ö", "%", "_", "@"] if text])
numbers = st.sampled_from([0, 12, 12.0, 12.5, -3, 0.1, 99, 250.5, 10**15])
days = st.sampled_from(
    [NOW.date() + timedelta(days=away) for away in (0, 1, -1, -7, 7, -30, -365)] + [date(1980, 2, 29)]
)
moments = st.one_of(
    days,
    st.sampled_from(
        [NOW, NOW - timedelta(days=7), NOW - timedelta(microseconds=1), datetime(1969, 3, 1, tzinfo=UTC)]
    ),
)


def spans(*units: str) -> st.SearchStrategy[Span]:
    return st.builds(Span, st.sampled_from([0, 1, 7, 30, 90]), st.sampled_from(units))


@st.composite
def between(draw: st.DrawFn, ends: st.SearchStrategy[Any]) -> Between:
    pair = [draw(ends), draw(ends)]
    pair.sort(key=lambda end: datetime.combine(end, datetime.min.time(), UTC) if type(end) is date else end)
    return Between(*pair)


windows = st.one_of(st.none(), st.builds(Last, spans("hours", "days", "weeks")), between(moments))
times = st.one_of(
    st.builds(Times, st.just(Comparison.AT_LEAST), st.integers(1, 3)),
    st.builds(Times, st.sampled_from([Comparison.AT_MOST, Comparison.EXACTLY]), st.integers(0, 3)),
)
SCALARS: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: texts,
    FieldType.LIST: st.sampled_from([tag for tag in TAGS if tag]),
    FieldType.NUMBER: numbers,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATE: days,
    FieldType.MOMENT: moments,
}


@st.composite
def conditions(draw: st.DrawFn, entity: str | None = None) -> Condition:
    names = [name for name in FIELDS if entity is None or name.startswith(entity)]
    field = FIELDS[draw(st.sampled_from(names))]
    operator = draw(st.sampled_from(OPERATORS[field.type]))
    scalars = SCALARS[field.type]
    if field.spelling is Spelling.COUNTRY:
        part = operator in (Operator.CONTAINS, Operator.STARTS, Operator.ENDS)
        scalars = st.sampled_from(["DE", "GR", "E"] if part else ["DE", "GR", "EE"])
    if field.spelling in (Spelling.ADDRESS, Spelling.DOMAIN):
        scalars = st.sampled_from(
            ["shared@example.com", "p7@example.com", "xn--kln-sna.example", "mail.example", "e", "@"]
        )
    match operator:
        case Operator.SET | Operator.EMPTY:
            return Condition(field, operator)
        case Operator.IN | Operator.NOT_IN | Operator.ANY_OF | Operator.ALL_OF | Operator.NONE_OF:
            return Condition(
                field, operator, tuple(draw(st.lists(scalars, min_size=1, max_size=3, unique=True)))
            )
        case Operator.BETWEEN:
            return Condition(field, operator, draw(between(scalars)))
        case Operator.IN_THE_LAST | Operator.NOT_IN_THE_LAST | Operator.IN_THE_NEXT:
            units = ("days", "weeks") if field.type is FieldType.DATE else ("hours", "days", "weeks")
            return Condition(field, operator, draw(spans(*units)))
        case Operator.ANNIVERSARY:
            return Condition(field, operator, Span(draw(st.sampled_from([0, 1, 2, 7, 366])), "days"))
        case _:
            return Condition(field, operator, draw(scalars))


@st.composite
def dids(draw: st.DrawFn) -> Did:
    kinds = [EventKind.SENT, EventKind.OPENED, EventKind.CLICKED, EventKind.CASE_OPENED, EventKind.IMPORTED]
    kinds += [EventKind.CONSENT_GRANTED, EventKind.CONSENT_WITHDRAWN]
    kind = draw(st.sampled_from(kinds))
    return Did(
        kind,
        draw(times),
        draw(windows),
        kind in JUDGED and draw(st.booleans()),
        draw(st.sampled_from([None, None, 1, 2])),
        draw(st.sampled_from([None, *PAGES, "https://shop.example/t*", "https://shop.example/100%*"]))
        if kind is EventKind.CLICKED
        else None,
        draw(st.sampled_from(list(Who))),
    )


@st.composite
def purchases(draw: st.DrawFn) -> Bought:
    goods = draw(
        st.sampled_from([(None, None), ("T-1", None), ("C-1", None), (None, "tea"), (None, "Coffee & more")])
    )
    spent = draw(
        st.one_of(
            st.none(),
            st.builds(
                Spent,
                st.sampled_from(Comparison),
                st.sampled_from([0, 500, 2500]),
                st.sampled_from(["EUR", "USD"]),
            ),
        )
    )
    how_often = draw(st.one_of(st.none(), times)) if spent else draw(times)
    return Bought(*goods, how_often, spent, draw(windows), draw(st.sampled_from(list(Who))))


@st.composite
def answers(draw: st.DrawFn) -> Answered:
    survey, window = draw(st.sampled_from(["spring", "nps"])), draw(windows)
    question = draw(st.sampled_from([None, "colour", "score", "why"]))
    ordered = st.sampled_from(
        [Operator.EQUAL, Operator.LESS, Operator.AT_MOST, Operator.MORE, Operator.AT_LEAST]
    )
    scores = st.sampled_from([0, 6, 7.5, 9])
    match question, draw(st.booleans()):
        case "colour", True:
            return Answered(
                survey,
                question,
                Operator.IN,
                tuple(draw(st.lists(st.sampled_from(CHOICES), min_size=1, unique=True))),
                window,
            )
        case "colour", False:
            return Answered(survey, question, Operator.EQUAL, draw(st.sampled_from(CHOICES)), window)
        case "score", True:
            return Answered(survey, question, draw(ordered), draw(scores), window)
        case "score", False:
            return Answered(survey, question, Operator.BETWEEN, draw(between(scores)), window)
        case "why", True:
            return Answered(survey, question, Operator.CONTAINS, draw(texts), window)
        case _:
            return Answered(survey, question, None, None, window)


consents = st.builds(ConsentIs, st.sampled_from(TOPICS), st.sampled_from(Standing))


def grouped(leaves: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Any]:
    def group(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        lists = st.lists(inner, min_size=1, max_size=4).map(tuple)
        return st.one_of(st.builds(AllOf, lists), st.builds(AnyOf, lists), st.builds(Not, inner))

    return st.recursive(leaves, group, max_leaves=most)


roles = st.builds(
    HasRole,
    st.sampled_from([*ROLES, "PROKURIST*IN"]),
    st.one_of(st.none(), grouped(conditions("customer"), 3)),
)
leaves: st.SearchStrategy[Rule] = st.one_of(
    conditions(), conditions(), dids(), purchases(), answers(), consents, roles, st.just(Everyone())
)
rules: st.SearchStrategy[Rule] = grouped(leaves, 8)
SEGMENTS: dict[str, Rule] = {
    "active": AnyOf((Did(EventKind.CLICKED, human=True), Bought(within=Last(Span(90, "days"))))),
    "quiet": AllOf((Not(InSegment("active")), Did(EventKind.SENT, NEVER))),
}
nested_rules = grouped(st.one_of(leaves, st.sampled_from([InSegment("active"), InSegment("quiet")])), 5)
