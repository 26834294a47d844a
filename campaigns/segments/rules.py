"""The rule tree: who belongs to a segment. Its JSON form, by examples, is in docs/SEGMENTS.md.

A document is `{"version": 1, "rule": RULE}`. A RULE is one of:

    {"everyone": true}
    {"all": [RULE, …]}      {"any": [RULE, …]}      {"not": RULE}
    {"field": NAME, "is": OPERATOR, "value": VALUE}
    {"did": KIND, "times": TIMES, "within": WINDOW, "by": "human" | "any",
                  "campaign": ID, "link": URL, "who": "contact" | "customer"}
    {"did_not": KIND, …as above without "times"}
    {"bought": GOODS, "times": TIMES, "spent": {"at least": 5000, "currency": "EUR"}, "within": WINDOW,
                  "who": "customer" | "contact"}
    {"did_not_buy": GOODS, …as above without "times" and "spent"}
    {"answered": SURVEY, "question": KEY, "is": OPERATOR, "value": VALUE, "within": WINDOW}
    {"consent": TOPIC, "is": "granted" | "pending" | "withdrawn" | "none"}
    {"role": ROLE, "at": RULE over customer fields}
    {"segment": KEY}

    TIMES  = {"at least": N} | {"at most": N} | {"exactly": N}
    WINDOW = {"last": SPAN} | {"between": [FROM, TO]} | "ever"
    SPAN   = {"hours": N} | {"days": N} | {"weeks": N}
    GOODS  = "anything" | {"sku": SKU} | {"category": NAME}

Laws. Every leaf is true or false, never unknown: a missing value makes a positive question false, and
the negative operator of a pair is exactly the complement of the positive one. `{"not": X}` is exactly
the complement of X among the contacts that are not erased.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from campaigns.segments.fields import Field
from campaigns.values import EventKind

VERSION = 1
MAX_DEPTH = 12
MAX_NODES = 500
MAX_VALUES = 1000  #: in one list
MAX_LISTED = 10_000  #: values in all lists together, those of segments within included
MAX_TEXT = 1000


class Operator(StrEnum):
    """How a field's value is asked; the word is the JSON word."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    BETWEEN = "between"  #: both ends included
    CONTAINS = "contains"
    NOT_CONTAINS = "does not contain"
    STARTS = "starts with"
    ENDS = "ends with"
    IN = "in"
    NOT_IN = "not in"
    SET = "set"  #: has a value; an empty text or list is none
    EMPTY = "empty"
    BEFORE = "before"
    AFTER = "after"
    IN_THE_LAST = "in the last"
    NOT_IN_THE_LAST = "not in the last"
    IN_THE_NEXT = "in the next"
    ANNIVERSARY = "anniversary"  #: month and day fall on today, or on one of the next days
    ANY_OF = "any of"
    ALL_OF = "all of"
    NONE_OF = "none of"


#: Each negative operator and the positive one whose complement it is.
COMPLEMENTS = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_IN: Operator.IN,
    Operator.EMPTY: Operator.SET,
    Operator.NOT_IN_THE_LAST: Operator.IN_THE_LAST,
    Operator.NONE_OF: Operator.ANY_OF,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time; weeks and days are whole multiples of 24 hours."""

    amount: int
    unit: str  #: hours, days or weeks

    @property
    def length(self) -> timedelta:
        """Give the span as a timedelta."""
        return timedelta(**{self.unit: self.amount})


@dataclass(frozen=True, slots=True)
class Between:
    """Two ends, both included; a day given for a moment means all of that day in UTC."""

    low: float | date
    high: float | date


@dataclass(frozen=True, slots=True)
class Last:
    """From so long ago on; no end, so what is recorded after `now` counts too."""

    span: Span


Window = Last | Between | None
Scalar = str | int | float | bool | date | datetime
Value = Scalar | Span | Between | tuple[Scalar, ...] | None


class Comparison(StrEnum):
    """How a count or a sum is asked."""

    AT_LEAST = "at least"
    AT_MOST = "at most"
    EXACTLY = "exactly"


@dataclass(frozen=True, slots=True)
class Times:
    """How often."""

    comparison: Comparison
    count: int

    def accepts(self, number: int) -> bool:
        """Say whether this number of times is meant."""
        match self.comparison:
            case Comparison.AT_LEAST:
                return number >= self.count
            case Comparison.AT_MOST:
                return number <= self.count
            case Comparison.EXACTLY:
                return number == self.count


ONCE = Times(Comparison.AT_LEAST, 1)
NEVER = Times(Comparison.EXACTLY, 0)


class Who(StrEnum):
    """Whose doings count."""

    CONTACT = "contact"  #: only what is known to be this person's
    CUSTOMER = "customer"  #: everything at the customer the contact is at


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every contact that is not erased."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The complement."""

    rule: "Rule"


@dataclass(frozen=True, slots=True)
class Condition:
    """A field's value, asked by an operator."""

    field: Field
    operator: Operator
    value: Value = None


@dataclass(frozen=True, slots=True)
class Did:
    """An event happened to the contact so many times in a window."""

    kind: EventKind
    times: Times = ONCE
    within: Window = None
    human: bool = False  #: only events judged to be a person's doing
    campaign: int | None = None
    link: str | None = None  #: the destination, as stored; a prefix of it if it ends in *
    who: Who = Who.CONTACT


@dataclass(frozen=True, slots=True)
class Spent:
    """A sum of money in minor units of one currency; nothing bought is a sum of nought."""

    comparison: Comparison
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Bought:
    """Orders, neither cancelled nor returned, that hold the goods; `times` counts orders."""

    sku: str | None = None
    category: str | None = None
    times: Times | None = ONCE  #: None: any number, nought included; then `spent` decides
    spent: Spent | None = None
    within: Window = None
    who: Who = Who.CUSTOMER


@dataclass(frozen=True, slots=True)
class Answered:
    """The contact posted a survey; with a question, gave an answer to it that fits."""

    survey: str
    question: str | None = None
    operator: Operator | None = None
    value: Value = None
    within: Window = None


class Standing(StrEnum):
    """What a contact's last word on a topic is."""

    GRANTED = "granted"
    PENDING = "pending"
    WITHDRAWN = "withdrawn"
    NONE = "none"  #: never said anything


@dataclass(frozen=True, slots=True)
class ConsentIs:
    """Where the contact stands on a topic."""

    topic: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class HasRole:
    """The contact has a role at some customer, of which `at` (on customer fields only) holds."""

    role: str
    at: "Rule | None" = None


@dataclass(frozen=True, slots=True)
class InSegment:
    """The contact is in another segment, as its newest version stands."""

    key: str


Leaf = Everyone | Condition | Did | Bought | Answered | ConsentIs | HasRole | InSegment
Rule = AllOf | AnyOf | Not | Leaf
