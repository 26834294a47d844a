"""Says a rule as one sentence: English here, German in `german`."""

from collections.abc import Mapping
from datetime import date, datetime

from campaigns.segments.fields import FieldType
from campaigns.segments.german import GERMAN
from campaigns.segments.leaves import JUDGED
from campaigns.segments.rules import (
    COMPLEMENTS,
    NEVER,
    ONCE,
    Answered,
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
    Leaf,
    Operator,
    Rule,
    Span,
    Standing,
    Times,
    Value,
    Who,
    Window,
)
from campaigns.segments.speech import Speech, listed, money, phrase, sentence
from campaigns.values import EventKind

DOINGS: Mapping[EventKind, str] = {
    EventKind.SENT: "were sent a mail",
    EventKind.FAILED: "had a mail refused",
    EventKind.UNKNOWN: "had a mail whose fate is unknown",
    EventKind.DOUBT_SETTLED: "had the fate of a mail settled",
    EventKind.DELIVERED: "had a mail delivered",
    EventKind.OPENED: "opened a mail",
    EventKind.CLICKED: "clicked a link",
    EventKind.VIEWED: "viewed a mail in the browser",
    EventKind.BOUNCED: "had a mail come back",
    EventKind.COMPLAINED: "reported a mail as spam",
    EventKind.DELAYED: "had a mail delayed",
    EventKind.REPLIED: "replied to a mail",
    EventKind.AUTO_REPLIED: "had a robot reply to a mail",
    EventKind.UNSUBSCRIBED: "unsubscribed",
    EventKind.CONSENT_GRANTED: "gave a consent",
    EventKind.CONSENT_WITHDRAWN: "withdrew a consent",
    EventKind.SUPPRESSED: "were put on the never-mail list",
    EventKind.SUPPRESSION_LIFTED: "were taken off the never-mail list",
    EventKind.ANSWERED: "answered a survey",
    EventKind.SCORE_CLICKED: "clicked a score in a mail",
    EventKind.IMPORTED: "were imported",
    EventKind.ORDERED: "ordered something",
    EventKind.ORDER_CANCELLED: "cancelled an order",
    EventKind.ORDER_RETURNED: "returned an order",
    EventKind.CASE_OPENED: "had a case opened",
    EventKind.CASE_CLOSED: "had a case closed",
    EventKind.TASK_CREATED: "had a task made about them",
    EventKind.TASK_DONE: "had a task done about them",
    EventKind.HELD: "were held from marketing",
    EventKind.NOTE: "had a note written about them",
    EventKind.ERASED: "were forgotten",
    EventKind.OWNER_CHANGED: "were given to another owner",
}
_STANDINGS = {
    Standing.GRANTED: "who agreed to",
    Standing.PENDING: "who have still to confirm",
    Standing.WITHDRAWN: "who said no to",
    Standing.NONE: "who never said anything about",
}
_COMPARISONS = {Comparison.AT_LEAST: "at least", Comparison.AT_MOST: "at most", Comparison.EXACTLY: "exactly"}
_WORDS = {
    Operator.EQUAL: "is",
    Operator.LESS: "is less than",
    Operator.AT_MOST: "is at most",
    Operator.MORE: "is more than",
    Operator.AT_LEAST: "is at least",
    Operator.BETWEEN: "is between",
    Operator.CONTAINS: "contains",
    Operator.STARTS: "starts with",
    Operator.ENDS: "ends with",
    Operator.IN: "is",
    Operator.ANY_OF: "include",
    Operator.ALL_OF: "include",
    Operator.BEFORE: "is before",
    Operator.AFTER: "is after",
}
_TIMED = _WORDS | {
    Operator.LESS: "is before",
    Operator.AT_MOST: "is not after",
    Operator.MORE: "is after",
    Operator.AT_LEAST: "is not before",
}


def describe_leaf(leaf: Leaf) -> str:  # noqa: PLR0911 - one branch a kind of leaf
    """Say one leaf, as what follows the word "contacts"."""
    match leaf:
        case Condition():
            return f"whose {leaf.field.label} {_asked(leaf)}"
        case Did():
            return _did(leaf)
        case Bought():
            return _bought(leaf)
        case Answered():
            return _answered(leaf)
        case ConsentIs(topic, standing):
            return f"{_STANDINGS[standing]} {_shown(topic)}"
        case HasRole(role, at):
            return f"who are {_shown(role)} at a customer" + (
                "" if at is None else f" [{phrase(at, ENGLISH)}]"
            )
        case InSegment(key):
            return f"who are in the segment {_shown(key)}"
        case Everyone():
            return "of any kind"


def _asked(leaf: Condition) -> str:
    """Say what is asked; a negative question says that the unknown belongs to it."""
    operator, timed = leaf.operator, leaf.field.type in (FieldType.DATE, FieldType.MOMENT)
    if operator in (Operator.SET, Operator.EMPTY):
        return "is known" if operator is Operator.SET else "is not known"
    if operator in COMPLEMENTS:
        return f"{_negative(operator)}{_value(leaf.value, leaf.field.type, ' or ')} or is not known"
    if isinstance(leaf.value, Span):
        return _spanned(operator, leaf.value)
    joint = " and " if operator in (Operator.BETWEEN, Operator.ALL_OF) else " or "
    return f"{(_TIMED if timed else _WORDS)[operator]} {_value(leaf.value, leaf.field.type, joint)}"


def _negative(operator: Operator) -> str:
    if operator is Operator.NOT_CONTAINS:
        return "does not contain "
    if operator is Operator.NONE_OF:
        return "do not include "
    return "is not in the last " if operator is Operator.NOT_IN_THE_LAST else "is not "


def _spanned(operator: Operator, span: Span) -> str:
    if operator is Operator.ANNIVERSARY:
        return "has its anniversary today" + (f" or in the next {_length(span)}" if span.amount else "")
    return f"is in the {'next' if operator is Operator.IN_THE_NEXT else 'last'} {_length(span)}"


def _length(span: Span) -> str:
    return f"{span.amount} {span.unit.removesuffix('s') if span.amount == 1 else span.unit}"


def _value(value: Value, type_: FieldType, joint: str) -> str:
    if isinstance(value, tuple):
        return listed([_shown(item) for item in value], joint)
    if isinstance(value, Between):
        return f"{_shown(value.low)} and {_shown(value.high)}"
    if isinstance(value, Span):
        return _length(value)
    if type_ is FieldType.BOOLEAN:
        return "yes" if value else "no"
    return _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return (
        value.isoformat()
        if isinstance(value, date)
        else f"“{value}”"
        if isinstance(value, str)
        else f"{value}"
    )


def _did(leaf: Did) -> str:
    doing = DOINGS[leaf.kind]
    if leaf.link is not None:
        doing += f" to {leaf.link}"
    if leaf.campaign is not None:
        doing += f" of campaign {leaf.campaign}"
    if leaf.kind in JUDGED:
        doing += " in person" if leaf.human else " (machines counted too)"
    who = "who" if leaf.who is Who.CONTACT else "at whose customer people"
    never = " never" if leaf.times == NEVER else ""
    return f"{who}{never} {doing}{_often(leaf.times)}{_when(leaf.within)}"


def _often(times: Times | None) -> str:
    if times is None or times in (ONCE, NEVER):
        return ""
    return f" {_COMPARISONS[times.comparison]} {times.count} {'time' if times.count == 1 else 'times'}"


def _when(window: Window) -> str:
    if window is None:
        return ""
    if isinstance(window, Last):
        return f" in the last {_length(window.span)}"
    return f" between {_shown(window.low)} and {_shown(window.high)}"


def _bought(leaf: Bought) -> str:
    goods = "anything" if leaf.category is None else f"anything of the category {_shown(leaf.category)}"
    if leaf.sku is not None:
        goods = f"the product {_shown(leaf.sku)}"
    who = "who themselves" if leaf.who is Who.CONTACT else "whose customer"
    never = " never" if leaf.times == NEVER else ""
    paid = ""
    if leaf.spent is not None:
        sum_ = f"{leaf.spent.currency} {money(leaf.spent.amount, leaf.spent.currency)}"
        paid = f" for {_COMPARISONS[leaf.spent.comparison]} {sum_} in all"
    if leaf.times is None:
        return f"{who} bought {goods}{paid}{_when(leaf.within)}"
    return f"{who}{never} bought {goods}{_often(leaf.times)}{paid}{_when(leaf.within)}"


def _answered(leaf: Answered) -> str:
    said = f"who answered the survey {_shown(leaf.survey)}"
    if leaf.question is not None:
        said = f"who answered the question {_shown(leaf.question)} of the survey {_shown(leaf.survey)}"
    if leaf.operator is not None:
        joint = " and " if leaf.operator is Operator.BETWEEN else " or "
        word = _WORDS[leaf.operator].removeprefix("is").strip()
        said += f" with {word} {_value(leaf.value, FieldType.TEXT, joint)}".replace("  ", " ")
    return said + _when(leaf.within)


ENGLISH = Speech(
    everyone="All contacts.",
    contacts="Contacts {phrase}.",
    both=" and ",
    either=" or ",
    outside="who are not among those {phrase}",
    leaf=describe_leaf,
)
SPEECHES: Mapping[str, Speech] = {"en": ENGLISH, "de": GERMAN}


def describe(rule: Rule, language: str = "en") -> str:
    """Say whom a rule means: “Contacts whose country is “DE” and who opened a mail in the last 90 days.”.

    In English, where the language is none of ours.
    """
    return sentence(rule, SPEECHES.get(language, ENGLISH))
