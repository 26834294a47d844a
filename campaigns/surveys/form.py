"""A survey's form: its questions as values, read from JSON with every problem at once.

    {"version": 1, "title": {"en": "Your visit", "de": "Ihr Besuch"}, "questions": [
      {"key": "nps", "type": "scale", "text": {"en": "Would you recommend us?"}, "attribute": "nps"},
      {"key": "why", "type": "text", "text": "Why?"}]}

Each text is one string for everybody, or strings by language, the first of which stands in for those missing.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from campaigns.errors import BadForm, json_words
from campaigns.values import Problem

FORM_VERSION = 1
LONGEST_WORDING = 4000
MOST_QUESTIONS = 50
MOST_CHOICES = 100

_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}").fullmatch
_CHOICE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}").fullmatch
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}").fullmatch
#: What no database and no page should hold: control characters and halves of characters.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]").search


_T = TypeVar("_T")


class QuestionType(StrEnum):
    """How a question is answered."""

    SINGLE = "single"  #: one of the choices
    MULTIPLE = "multiple"  #: any number of the choices
    SCALE = "scale"  #: a whole number, 0 to 10 unless the form says otherwise
    TEXT = "text"  #: in the contact's own words
    PRODUCT = "product"  #: any number of products, by SKU


@dataclass(frozen=True, slots=True)
class Wording:
    """A text in one or more languages; the first stands in for those missing."""

    by_language: tuple[tuple[str, str], ...] = ()  #: a language of "" means one text for everybody

    def read(self, language: str) -> str:
        """Find the text for a BCP 47 tag: itself, its language, else the first; "" for none."""
        texts = {tag.lower(): text for tag, text in self.by_language}
        tag = language.lower().replace("_", "-")
        while tag:
            if tag in texts:
                return texts[tag]
            tag = tag.rpartition("-")[0]
        return self.by_language[0][1] if self.by_language else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be chosen."""

    key: str
    text: Wording


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and what its answer becomes."""

    key: str
    type: QuestionType
    text: Wording
    required: bool = False
    attribute: str | None = None  #: the answer becomes the contact's attribute of this key
    choices: tuple[Choice, ...] = ()  #: single and multiple
    low: int = 0  #: scale
    high: int = 10  #: scale
    low_text: Wording = Wording()  #: scale: what its low end means
    high_text: Wording = Wording()  #: scale: what its high end means
    skus: tuple[str, ...] = ()  #: product: those offered, by name; empty where the category says it
    category: str | None = None  #: product: those offered are the catalog's of this category


@dataclass(frozen=True, slots=True)
class Form:
    """What a survey asks."""

    title: Wording
    questions: tuple[Question, ...]
    intro: Wording = Wording()
    thanks: Wording = Wording()

    def languages(self) -> tuple[str, ...]:
        """Name the languages of the title: those the form is offered in."""
        return tuple(tag for tag, _ in self.title.by_language if tag)

    def question(self, key: str) -> Question | None:
        return next((question for question in self.questions if question.key == key), None)


def parse_form(source: object) -> Form:
    """Read a form from parsed JSON, or from JSON text.

    Raises:
        BadForm: with every problem and its path, "questions[2].choices[0].key".

    """
    reader = _Reader()
    form = reader.form(_load(source))
    if reader.problems or form is None:
        raise BadForm(reader.problems)
    return form


def write_form(form: Form) -> dict[str, Any]:
    """Write a form as JSON values that `parse_form` reads back to an equal one."""
    document = {"version": FORM_VERSION, "title": _write_wording(form.title)}
    for name in ("intro", "thanks"):
        if (wording := getattr(form, name)).by_language:
            document[name] = _write_wording(wording)
    return {**document, "questions": [_write_question(question) for question in form.questions]}


def _write_question(question: Question) -> dict[str, Any]:
    document: dict[str, Any] = {
        "key": question.key,
        "type": question.type.value,
        "text": _write_wording(question.text),
        "required": question.required,
    }
    if question.attribute is not None:
        document["attribute"] = question.attribute
    if question.choices:
        document["choices"] = [
            {"key": each.key, "text": _write_wording(each.text)} for each in question.choices
        ]
    if question.type is QuestionType.SCALE:
        document |= {"low": question.low, "high": question.high}
    for name in ("low_text", "high_text"):
        if (wording := getattr(question, name)).by_language:
            document[name] = _write_wording(wording)
    if question.skus:
        document["skus"] = list(question.skus)
    if question.category is not None:
        document["category"] = question.category
    return document


def _write_wording(wording: Wording) -> str | dict[str, str]:
    texts = dict(wording.by_language)
    return texts.get("", texts)


def _load(source: object) -> object:
    if not isinstance(source, str | bytes):
        return source
    try:
        return json.loads(source)
    except RecursionError:
        raise BadForm([Problem("form", "is nested too deeply.", "A form has three levels.")]) from None
    except ValueError as error:
        raise BadForm([Problem("form", f"is not JSON: {json_words(error)}.", "Correct it there.")]) from None


_FORM_FIELDS = frozenset({"version", "title", "intro", "thanks", "questions"})
_COMMON = frozenset({"key", "type", "text", "required", "attribute"})
_FIELDS: Mapping[QuestionType, frozenset[str]] = {
    QuestionType.SINGLE: _COMMON | {"choices"},
    QuestionType.MULTIPLE: _COMMON | {"choices"},
    QuestionType.SCALE: _COMMON | {"low", "high", "low_text", "high_text"},
    QuestionType.TEXT: _COMMON,
    QuestionType.PRODUCT: _COMMON | {"skus", "category"},
}


class _Reader:
    """Reads JSON values into a form and goes on after a problem, so that all are told."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def form(self, source: object) -> Form | None:
        if (fields := self._object("form", source)) is None:
            return None
        self._known("form", fields, _FORM_FIELDS)
        version = fields.get("version")
        if version != FORM_VERSION or isinstance(version, bool):
            self._problem("version", f"is {_shown(version)}, not {FORM_VERSION}.")
        questions = self._list("questions", fields.get("questions"), self._question, 1, MOST_QUESTIONS)
        self._once("questions", "key", [question.key for question in questions if question.key])
        self._once("questions", "attribute", [each.attribute for each in questions if each.attribute])
        return Form(
            title=self._wording("title", fields.get("title")),
            questions=questions,
            intro=self._optional("intro", fields, "intro"),
            thanks=self._optional("thanks", fields, "thanks"),
        )

    def _question(self, path: str, source: object) -> Question | None:
        if (fields := self._object(path, source)) is None:
            return None
        kind = self._type(f"{path}.type", fields)
        if kind is not None:
            self._known(path, fields, _FIELDS[kind])
        required = fields.get("required", False)
        if not isinstance(required, bool):
            self._problem(f"{path}.required", f"is {_shown(required)}, not true or false.")
        low, high = self._ends(path, fields) if kind is QuestionType.SCALE else (0, 10)
        skus, category = self._products(path, fields) if kind is QuestionType.PRODUCT else ((), None)
        return Question(
            key=self._key(f"{path}.key", fields.get("key")),
            type=kind or QuestionType.TEXT,
            text=self._wording(f"{path}.text", fields.get("text")),
            required=required is True,
            attribute=self._key(f"{path}.attribute", fields["attribute"]) if "attribute" in fields else None,
            choices=self._choices(path, fields, kind),
            low=low,
            high=high,
            low_text=self._optional(f"{path}.low_text", fields, "low_text"),
            high_text=self._optional(f"{path}.high_text", fields, "high_text"),
            skus=skus,
            category=category,
        )

    def _type(self, path: str, fields: Mapping[str, Any]) -> QuestionType | None:
        kind = next((each for each in QuestionType if each == fields.get("type")), None)
        if kind is None:
            self._problem(path, f"is {_shown(fields.get('type'))}, not one of {', '.join(QuestionType)}.")
        return kind

    def _choices(self, path: str, fields: Mapping[str, Any], kind: QuestionType | None) -> tuple[Choice, ...]:
        if kind not in {QuestionType.SINGLE, QuestionType.MULTIPLE}:
            return ()
        least = 2 if kind is QuestionType.SINGLE else 1
        path = f"{path}.choices"
        choices = self._list(path, fields.get("choices"), self._choice, least, MOST_CHOICES)
        self._once(path, "key", [choice.key for choice in choices if choice.key])
        return choices

    def _choice(self, path: str, source: object) -> Choice | None:
        if (fields := self._object(path, source)) is None:
            return None
        self._known(path, fields, frozenset({"key", "text"}))
        key = fields.get("key")
        if not isinstance(key, str) or not _CHOICE_KEY(key):
            self._problem(f"{path}.key", f"is {_shown(key)}.", "Use 1 to 100 letters, digits, _, . or -.")
            key = ""
        return Choice(key, self._wording(f"{path}.text", fields.get("text")))

    def _ends(self, path: str, fields: Mapping[str, Any]) -> tuple[int, int]:
        low, high = fields.get("low", 0), fields.get("high", 10)
        if type(low) is int and type(high) is int and 0 <= low < high <= 10:
            return low, high
        self._problem(path, f"has a scale from {_shown(low)} to {_shown(high)}.", "Stay within 0 and 10.")
        return 0, 10

    def _products(self, path: str, fields: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None]:
        if ("skus" in fields) == ("category" in fields):
            self._problem(path, "needs either skus or a category.", "Give the one that names the products.")
            return (), None
        if "category" in fields:
            return (), self._name(f"{path}.category", fields["category"])
        skus = self._list(f"{path}.skus", fields["skus"], self._name, 1, MOST_CHOICES)
        self._once(f"{path}.skus", "SKU", [sku for sku in skus if sku])
        return skus, None

    def _optional(self, path: str, fields: Mapping[str, Any], name: str) -> Wording:
        return self._wording(path, fields[name]) if name in fields else Wording()

    def _wording(self, path: str, source: object) -> Wording:
        if isinstance(source, str):
            return Wording((("", self._text(path, source)),))
        if not isinstance(source, Mapping) or not source:
            self._problem(path, f"is {_shown(source)}.", "Write a text, or texts by language.")
            return Wording()
        for tag in source:
            if not (isinstance(tag, str) and len(tag) <= 20 and _LANGUAGE(tag)):
                self._problem(
                    path, f"has a text for {_shown(tag)}.", 'Name a language such as "de" or "de-AT".'
                )
        return Wording(tuple((str(tag), self._text(f"{path}.{tag}", text)) for tag, text in source.items()))

    def _text(self, path: str, text: object) -> str:
        if not isinstance(text, str) or not text.strip():
            self._problem(path, f"is {_shown(text)}.", "Write a text.")
            return ""
        if len(text) > LONGEST_WORDING:
            self._problem(path, f"has {len(text)} characters.", f"Use {LONGEST_WORDING} at most.")
        if found := _UNPRINTABLE(text):
            self._problem(path, f"holds {found[0]!a}, which no page can show.", "Take it out.")
        return text

    def _key(self, path: str, key: object) -> str:
        if isinstance(key, str) and _KEY(key):
            return key
        self._problem(path, f"is {_shown(key)}.", "Begin with a letter; use 1 to 60 of a-z, 0-9 and _.")
        return ""

    def _name(self, path: str, name: object) -> str:
        if isinstance(name, str) and 0 < len(name) <= 100 and name == name.strip() and not _UNPRINTABLE(name):
            return name
        self._problem(path, f"is {_shown(name)}.", "Write a name of 1 to 100 characters.")
        return ""

    def _object(self, path: str, source: object) -> Mapping[str, Any] | None:
        if isinstance(source, Mapping):
            return source
        self._problem(path, f"is {_shown(source)}, not an object.")
        return None

    def _list(
        self, path: str, source: object, read: Callable[[str, object], _T | None], least: int, most: int
    ) -> tuple[_T, ...]:
        """Read each element with its own path."""
        if not isinstance(source, list):
            self._problem(path, f"is {_shown(source)}, not a list.")
            return ()
        if not least <= len(source) <= most:
            self._problem(path, f"has {len(source)} elements.", f"Have {least} to {most}.")
        elements = [read(f"{path}[{number}]", each) for number, each in enumerate(source[:most])]
        return tuple(element for element in elements if element is not None)

    def _known(self, path: str, fields: Mapping[str, Any], known: frozenset[str]) -> None:
        for name in fields:
            if name not in known:
                at = ("" if path == "form" else f"{path}.") + ascii(name).strip("'\"")[:60]
                self._problem(at, "is not a field we know.", f"Known here: {', '.join(sorted(known))}.")

    def _once(self, path: str, what: str, keys: Iterable[str]) -> None:
        seen: set[str] = set()
        for key in keys:
            if key in seen:
                self._problem(path, f"has the {what} {_shown(key)} twice.", "Give each its own.")
            seen.add(key)

    def _problem(self, path: str, what: str, cure: str = "") -> None:
        self.problems.append(Problem(path, what, cure))


def _shown(value: object) -> str:
    """Quote a hostile value, in ASCII and cut."""
    if value is None:
        return "missing"
    text = ascii(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "…"
