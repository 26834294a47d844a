"""Reads the leaves of a rule from JSON; a leaf that does not hold is None, with its problems noted."""

from collections.abc import Mapping
from typing import Any

from campaigns.segments.fields import Field, FieldType, nearest
from campaigns.segments.operands import (
    VALUELESS,
    Problems,
    read_between,
    read_count,
    read_list,
    read_number,
    read_text,
    read_times,
    read_value,
    read_window,
    read_word,
    shown,
)
from campaigns.segments.rules import (
    NEVER,
    ONCE,
    Answered,
    Bought,
    Comparison,
    Condition,
    ConsentIs,
    Did,
    InSegment,
    Operator,
    Spent,
    Standing,
    Value,
    Who,
)
from campaigns.values import EventKind

_ORDERED = [Operator.EQUAL, Operator.NOT_EQUAL, Operator.LESS, Operator.AT_MOST, Operator.MORE]
_ORDERED += [Operator.AT_LEAST, Operator.BETWEEN, Operator.SET, Operator.EMPTY]
_TIMED = [*_ORDERED, Operator.BEFORE, Operator.AFTER, Operator.IN_THE_LAST, Operator.NOT_IN_THE_LAST]
_TIMED += [Operator.IN_THE_NEXT, Operator.ANNIVERSARY]
_TEXTUAL = [Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN, Operator.NOT_IN, Operator.CONTAINS]
_TEXTUAL += [Operator.NOT_CONTAINS, Operator.STARTS, Operator.ENDS, Operator.SET, Operator.EMPTY]

#: Which operators fit a field of a type.
OPERATORS: Mapping[FieldType, list[Operator]] = {
    FieldType.TEXT: _TEXTUAL,
    FieldType.NUMBER: [*_ORDERED, Operator.IN, Operator.NOT_IN],
    FieldType.BOOLEAN: [Operator.EQUAL, Operator.NOT_EQUAL, Operator.SET, Operator.EMPTY],
    FieldType.DATE: _TIMED,
    FieldType.MOMENT: _TIMED,
    FieldType.LIST: [Operator.ANY_OF, Operator.ALL_OF, Operator.NONE_OF, Operator.SET, Operator.EMPTY],
}
#: Other spellings of operators that are understood.
SPELLINGS = {"≠": "!=", "≤": "<=", "≥": ">=", "<>": "!=", "==": "="}
#: Kinds whose events are judged: a machine may have done them.
JUDGED = {EventKind.OPENED, EventKind.CLICKED, EventKind.VIEWED, EventKind.SCORE_CLICKED}
_NUMERIC = {Operator.EQUAL, Operator.LESS, Operator.AT_MOST, Operator.MORE, Operator.AT_LEAST}
_ANSWERS = [Operator.EQUAL, Operator.IN, Operator.LESS, Operator.AT_MOST, Operator.MORE]
_ANSWERS += [Operator.AT_LEAST, Operator.BETWEEN, Operator.CONTAINS]
_CHOICE = Field("answer", FieldType.TEXT, "answer")


def refuse_others(node: Mapping[str, Any], allowed: set[str], path: str, problems: Problems) -> None:
    """Refuse keys that mean nothing here, each with the nearest that does."""
    for key in node:
        if key not in allowed:
            cure = nearest(key, allowed) or f"Known here: {', '.join(sorted(allowed))}."
            problems.add(path, f"has the unknown key {shown(key)}.", cure)


def read_condition(
    node: dict[str, Any], fields: Mapping[str, Field], path: str, problems: Problems
) -> Condition | None:
    """Read a field, its operator and its value."""
    refuse_others(node, {"field", "is", "value"}, path, problems)
    field = _field(node["field"], fields, f"{path}.field", problems)
    if field is None:
        return None
    operator = _operator(node.get("is"), OPERATORS[field.type], field, f"{path}.is", problems)
    if operator is None:
        return None
    if operator in VALUELESS:
        if "value" in node:
            problems.add(f"{path}.value", f"means nothing with {operator.value!r}.", "Remove it.")
        return Condition(field, operator)
    if "value" not in node:
        return problems.add(path, 'has no "value".', f"{operator.value!r} compares with one.")
    value = read_value(node["value"], field, operator, f"{path}.value", problems)
    return None if value is None else Condition(field, operator, value)


def _field(name: object, fields: Mapping[str, Field], where: str, problems: Problems) -> Field | None:
    if isinstance(name, str) and name in fields:
        return fields[name]
    hint = nearest(name, fields) if isinstance(name, str) else ""
    return problems.add(where, f"names {shown(name)}, which is no field.", hint or "See the list of fields.")


def _operator(
    word: object, fitting: list[Operator], field: Field, where: str, problems: Problems
) -> Operator | None:
    word = SPELLINGS.get(word, word) if isinstance(word, str) else word
    words = [operator.value for operator in fitting]
    if isinstance(word, str) and word in words:
        return Operator(word)
    known = isinstance(word, str) and word in list(Operator)
    what = f"does not fit {field.name}, a {field.type}" if known else "is no operator"
    hint = nearest(word, words) if isinstance(word, str) and not known else ""
    return problems.add(where, f"{shown(word)} {what}.", hint or f"Use one of: {', '.join(words)}.")


def read_did(node: dict[str, Any], path: str, problems: Problems) -> Did | None:
    """Read "did" and "did_not"."""
    head = "did" if "did" in node else "did_not"
    allowed = {head, "within", "by", "campaign", "link", "who"} | ({"times"} if head == "did" else set())
    refuse_others(node, allowed, path, problems)
    word = read_word(
        node[head], [kind.value for kind in EventKind], "kind of event", f"{path}.{head}", problems
    )
    times = read_times(node["times"], f"{path}.times", problems) if "times" in node else ONCE
    campaign = read_count(node["campaign"], f"{path}.campaign", problems) if "campaign" in node else None
    link = read_text(node["link"], f"{path}.link", problems) if "link" in node else None
    within = read_window(node.get("within", "ever"), f"{path}.within", problems)
    who = _who(node, Who.CONTACT, path, problems)
    if word is None or times is None:
        return None
    kind = EventKind(word)
    if link and kind is not EventKind.CLICKED:
        problems.add(f"{path}.link", f"means nothing for {word!r}.", 'Only "clicked" has a link.')
    human = _human(node, kind, path, problems)
    return Did(kind, times if head == "did" else NEVER, within, human, campaign, link, who)


def _human(node: dict[str, Any], kind: EventKind, path: str, problems: Problems) -> bool:
    """By default, what a machine may have done counts only where a person did it."""
    if "by" not in node:
        return kind in JUDGED
    word = read_word(node["by"], ["human", "any"], "doer", f"{path}.by", problems)
    if word == "human" and kind not in JUDGED:
        problems.add(f"{path}.by", f"means nothing for {kind.value!r}, which is never judged.", "Remove it.")
    return word == "human"


def _who(node: dict[str, Any], default: Who, path: str, problems: Problems) -> Who:
    if "who" not in node:
        return default
    word = read_word(node["who"], [who.value for who in Who], "doer", f"{path}.who", problems)
    return Who(word) if word else default


def read_bought(node: dict[str, Any], path: str, problems: Problems) -> Bought | None:
    """Read "bought" and "did_not_buy"."""
    head = "bought" if "bought" in node else "did_not_buy"
    allowed = {head, "within", "who"} | ({"times", "spent"} if head == "bought" else set())
    refuse_others(node, allowed, path, problems)
    goods = _goods(node[head], f"{path}.{head}", problems)
    spent = _spent(node["spent"], f"{path}.spent", problems) if "spent" in node else None
    times = None if "spent" in node else ONCE
    if "times" in node:
        times = read_times(node["times"], f"{path}.times", problems)
    within = read_window(node.get("within", "ever"), f"{path}.within", problems)
    who = _who(node, Who.CUSTOMER, path, problems)
    if goods is None:
        return None
    sku, category = goods
    return Bought(sku, category, times if head == "bought" else NEVER, spent, within, who)


def _goods(value: object, where: str, problems: Problems) -> tuple[str | None, str | None] | None:
    if value == "anything":
        return None, None
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("sku", "category"):
        key, word = next(iter(value.items()))
        text = read_text(word, f"{where}.{key}", problems)
        return (text, None) if key == "sku" else (None, text)
    cure = 'Write "anything", {"sku": "A-1"} or {"category": "tea"}.'
    return problems.add(where, f"is {shown(value)}, not goods.", cure)


def _spent(value: object, where: str, problems: Problems) -> Spent | None:
    words = [word.value for word in Comparison]
    if not isinstance(value, dict) or len(value) != 2 or "currency" not in value:
        cure = 'Write {"at least": 5000, "currency": "EUR"}, in minor units.'
        return problems.add(where, f"is {shown(value)}, not a sum with its currency.", cure)
    word = next(key for key in value if key != "currency")
    found = read_word(word, words, "comparison", where, problems)
    amount = read_count(value[word], f"{where}.{word}", problems) if found else None
    code = value["currency"]
    if not (isinstance(code, str) and len(code) == 3 and code.isascii() and code.isalpha()):
        problems.add(f"{where}.currency", f"is {shown(code)}, no currency.", 'Write its code, "EUR".')
        return None
    return Spent(Comparison(found), amount, code.upper()) if found and amount is not None else None


def read_answered(node: dict[str, Any], path: str, problems: Problems) -> Answered | None:
    """Read "answered"; "is" and "value" only with a question."""
    refuse_others(node, {"answered", "question", "is", "value", "within"}, path, problems)
    survey = read_text(node["answered"], f"{path}.answered", problems)
    within = read_window(node.get("within", "ever"), f"{path}.within", problems)
    question = read_text(node["question"], f"{path}.question", problems) if "question" in node else None
    operator, value = None, None
    if "is" in node or "value" in node:
        if "question" not in node:
            problems.add(path, 'has "is" or "value" but no "question".', "Name the question by its key.")
        operator, value = _answer(node, path, problems)
    return Answered(survey, question, operator, value, within) if survey else None


def _answer(node: dict[str, Any], path: str, problems: Problems) -> tuple[Operator | None, Value]:
    operator = _operator(node.get("is"), _ANSWERS, _CHOICE, f"{path}.is", problems)
    where, value = f"{path}.value", node.get("value")
    found: Value = None
    if operator is Operator.IN:
        found = read_list(value, _CHOICE, where, problems)
    elif operator is Operator.BETWEEN:
        found = read_between(value, FieldType.NUMBER, where, problems)
    elif operator is Operator.CONTAINS or (operator is Operator.EQUAL and isinstance(value, str)):
        found = read_text(value, where, problems)
    elif operator in _NUMERIC:
        found = read_number(value, where, problems)
    return operator, found


def read_consent(node: dict[str, Any], path: str, problems: Problems) -> ConsentIs | None:
    """Read where the contact stands on a topic."""
    refuse_others(node, {"consent", "is"}, path, problems)
    topic = read_text(node["consent"], f"{path}.consent", problems)
    words = [standing.value for standing in Standing]
    word = read_word(node.get("is"), words, "state of consent", f"{path}.is", problems)
    return ConsentIs(topic, Standing(word)) if topic and word else None


def read_role(node: dict[str, Any], path: str, problems: Problems) -> str | None:
    """Read the role's own words; the rule on its customer is read by the tree's reader."""
    refuse_others(node, {"role", "at"}, path, problems)
    return read_text(node["role"], f"{path}.role", problems)


def read_segment(node: dict[str, Any], path: str, problems: Problems) -> InSegment | None:
    """Read the key of another segment."""
    refuse_others(node, {"segment"}, path, problems)
    key = read_text(node["segment"], f"{path}.segment", problems)
    return InSegment(key) if key else None
