"""Writes a rule as JSON: `parse_rule(to_json(rule)) == rule` for every rule that was read."""

from datetime import UTC, date, datetime
from typing import Any

from campaigns.segments.leaves import JUDGED
from campaigns.segments.rules import (
    NEVER,
    ONCE,
    VERSION,
    AllOf,
    Answered,
    AnyOf,
    Between,
    Bought,
    Condition,
    ConsentIs,
    Did,
    Everyone,
    HasRole,
    InSegment,
    Last,
    Leaf,
    Not,
    Rule,
    Span,
    Times,
    Value,
    Who,
    Window,
)


def to_json(rule: Rule) -> dict[str, Any]:
    """Write the document of a rule."""
    return {"version": VERSION, "rule": node_of(rule)}


def node_of(rule: Rule) -> dict[str, Any]:
    """Write one node and all below it."""
    match rule:
        case AllOf(rules):
            return {"all": [node_of(part) for part in rules]}
        case AnyOf(rules):
            return {"any": [node_of(part) for part in rules]}
        case Not(inner):
            return {"not": node_of(inner)}
        case _:
            return _leaf(rule)


def _leaf(rule: Leaf) -> dict[str, Any]:  # noqa: PLR0911 - one branch a kind of leaf
    match rule:
        case Condition():
            node = {"field": rule.field.name, "is": rule.operator.value}
            return node if rule.value is None else node | {"value": _value(rule.value)}
        case Did():
            return _did(rule)
        case Bought():
            return _bought(rule)
        case Answered():
            return _answered(rule)
        case ConsentIs(topic, standing):
            return {"consent": topic, "is": standing.value}
        case HasRole(role, at):
            return {"role": role} | ({} if at is None else {"at": node_of(at)})
        case InSegment(key):
            return {"segment": key}
        case Everyone():
            return {"everyone": True}


def _value(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if isinstance(value, Between):
        return [_value(value.low), _value(value.high)]
    if isinstance(value, Span):
        return {value.unit: value.amount}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _did(rule: Did) -> dict[str, Any]:
    node: dict[str, Any] = {"did_not" if rule.times == NEVER else "did": rule.kind.value}
    node |= _times(rule.times) | _window(rule.within)
    if rule.kind in JUDGED:
        node["by"] = "human" if rule.human else "any"
    if rule.campaign is not None:
        node["campaign"] = rule.campaign
    if rule.link is not None:
        node["link"] = rule.link
    return node if rule.who is Who.CONTACT else node | {"who": rule.who.value}


def _bought(rule: Bought) -> dict[str, Any]:
    goods: Any = "anything"
    if rule.sku is not None or rule.category is not None:
        goods = {"category": rule.category} if rule.sku is None else {"sku": rule.sku}
    never = rule.times == NEVER and rule.spent is None
    node: dict[str, Any] = {"did_not_buy" if never else "bought": goods}
    if rule.times is not None and not never:
        node |= (
            {"times": {rule.times.comparison.value: rule.times.count}} if rule.spent else _times(rule.times)
        )
    if rule.spent is not None:
        spent = rule.spent
        node["spent"] = {spent.comparison.value: spent.amount, "currency": spent.currency}
    node |= _window(rule.within)
    return node if rule.who is Who.CUSTOMER else node | {"who": rule.who.value}


def _times(times: Times) -> dict[str, Any]:
    return {} if times in (ONCE, NEVER) else {"times": {times.comparison.value: times.count}}


def _window(window: Window) -> dict[str, Any]:
    if window is None:
        return {}
    word = "last" if isinstance(window, Last) else "between"
    return {"within": {word: _value(window.span if isinstance(window, Last) else window)}}


def _answered(rule: Answered) -> dict[str, Any]:
    node: dict[str, Any] = {"answered": rule.survey}
    if rule.question is not None:
        node["question"] = rule.question
    if rule.operator is not None:
        node |= {"is": rule.operator.value, "value": _value(rule.value)}
    return node | _window(rule.within)
