"""What a contact posted on a survey's page, read by its form; every posted text is hostile."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from campaigns.errors import BadForm
from campaigns.surveys.form import Form, Question, QuestionType
from campaigns.values import Problem

LONGEST_TEXT = 4000

_NUMBER = re.compile(r"[0-9]|10").fullmatch
_NO_PRODUCTS: Mapping[str, Collection[str]] = MappingProxyType({})

Attribute = str | int | list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question: exactly one of choices, number and text is there."""

    question: str  #: its key
    choices: tuple[str, ...] = ()  #: single, multiple and product: keys or SKUs
    number: int | None = None  #: scale
    text: str | None = None  #: text

    def value(self) -> tuple[str, ...] | int | str:
        """Give whichever of the three is there."""
        if self.number is not None:
            return self.number
        return self.choices if self.text is None else self.text


def read_answers(
    form: Form,
    posted: Mapping[str, Sequence[str]],
    *,
    products: Mapping[str, Collection[str]] = _NO_PRODUCTS,
) -> tuple[Answer, ...]:
    """Read the posted fields, which are named by the questions' keys; unanswered questions are left out.

    Fields of other names are the page's own and are not looked at. `products` has the SKUs of each category
    that the form's product questions name.

    Raises:
        BadForm: with every problem, each at its question's key.

    """
    problems: list[Problem] = []
    answers: list[Answer] = []
    for question in form.questions:
        try:
            answer = _read(question, posted.get(question.key, ()), products)
        except _Refused as refused:
            problems.append(Problem(question.key, *refused.args))
            continue
        if answer is not None:
            answers.append(answer)
        elif question.required:
            problems.append(Problem(question.key, "has no answer.", "Please answer this question."))
    if problems:
        raise BadForm(problems)
    return tuple(answers)


def read_click(form: Form, key: str, value: str) -> Answer | None:
    """Read an answer given by a link in the mail: a scale's number or a single choice; None for all else."""
    question = form.question(key)
    if question is None or question.type not in {QuestionType.SCALE, QuestionType.SINGLE}:
        return None
    try:
        return _read(question, [value], _NO_PRODUCTS)
    except _Refused:
        return None


def attributes(form: Form, answers: Sequence[Answer]) -> dict[str, Attribute]:
    """Say which attributes of the contact the answers set: a choice, a list of them, a number, a text."""
    found: dict[str, Attribute] = {}
    for answer in answers:
        question = form.question(answer.question)
        if question is None or question.attribute is None:
            continue
        value = answer.value()
        if not isinstance(value, tuple):
            found[question.attribute] = value
        else:
            found[question.attribute] = value[0] if question.type is QuestionType.SINGLE else list(value)
    return found


def attribute_types(form: Form) -> dict[str, str]:
    """Say which type each attribute set by the form has, in the words of attribute definitions."""
    return {question.attribute: _TYPES[question.type] for question in form.questions if question.attribute}


_TYPES = {
    QuestionType.SINGLE: "text",
    QuestionType.MULTIPLE: "list",
    QuestionType.SCALE: "number",
    QuestionType.TEXT: "text",
    QuestionType.PRODUCT: "list",
}


class _Refused(Exception):
    """What is wrong with one answer, and what to do."""


def _read(
    question: Question, posted: Sequence[str], products: Mapping[str, Collection[str]]
) -> Answer | None:
    if not all(isinstance(value, str) for value in posted) or isinstance(posted, str):
        raise _Refused("is not made of texts.", "Please send the form as the page shows it.")
    given = [value for value in posted if value.strip()]
    if not given:
        return None
    if question.type is QuestionType.PRODUCT:
        named = question.category is not None
        offered = sorted(products.get(question.category or "", ())) if named else question.skus
        return Answer(question.key, choices=_several(given, offered))
    return _READERS[question.type](question, given)


def _single(question: Question, given: Sequence[str]) -> Answer:
    return Answer(question.key, choices=_several([_only(given)], [choice.key for choice in question.choices]))


def _multiple(question: Question, given: Sequence[str]) -> Answer:
    return Answer(question.key, choices=_several(given, [choice.key for choice in question.choices]))


def _scale(question: Question, given: Sequence[str]) -> Answer:
    value = _only(given)
    if not _NUMBER(value) or not question.low <= int(value) <= question.high:
        raise _Refused(
            "is not a number of this scale.",
            f"Please choose a whole number from {question.low} to {question.high}.",
        )
    return Answer(question.key, number=int(value))


def _text(question: Question, given: Sequence[str]) -> Answer | None:
    text = _clean(_only(given))
    if len(text) > LONGEST_TEXT:
        raise _Refused(f"has {len(text)} characters.", f"Please use {LONGEST_TEXT} at most.")
    return Answer(question.key, text=text) if text else None


_READERS: Mapping[QuestionType, Callable[[Question, Sequence[str]], Answer | None]] = {
    QuestionType.SINGLE: _single,
    QuestionType.MULTIPLE: _multiple,
    QuestionType.SCALE: _scale,
    QuestionType.TEXT: _text,
}


def _only(given: Sequence[str]) -> str:
    if len(given) > 1:
        raise _Refused("has more than one answer.", "Please give one.")
    return given[0]


def _several(given: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    """Take what was chosen in the form's order, whatever order it was posted in."""
    chosen = set(given)
    if not chosen <= set(offered):
        raise _Refused("has a choice that was not offered.", "Please choose again.")
    if len(chosen) < len(given):
        raise _Refused("has the same choice twice.", "Please choose again.")
    return tuple(key for key in offered if key in chosen)


def _clean(text: str) -> str:
    """Take out what no database holds and nobody typed: control characters, halves of characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in {"Cc", "Cs"}
    ).strip()
