"""What was typed into a form, read once: values of the right type, or all that does not hold.

Nothing here is for a mail: what strangers type reaches nobody's mailbox (list bombing lives by that).
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

from campaigns.forms.spec import ATTRIBUTE, Spec
from campaigns.values import Problem

LONGEST_NAME = 80
LONGEST_TEXT = 200
_COUNTRY = re.compile(r"[A-Z]{2}").fullmatch
#: What makes a name a billboard: an address, a path, a tag, or letters that end like a domain.
_SIGNS = re.compile(r"[<>{}]")
_BILLBOARD = re.compile(r"://|www\.|[/\\@]|[\w-]{3,}\.[a-z]{2,}(?=$|[\s/?#:,!])", re.IGNORECASE)
_HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}  #: controls, marks of direction, unpaired halves
_JOINERS = "\u200c\u200d"  #: stand within words of several scripts


def read_fields(
    spec: Spec, typed: Mapping[str, str], types: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Read every field that a form asks for; `types` are those of attributes, by key."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for asked in spec.fields:
        text = clean(typed.get(asked.key, ""))
        if not text:
            if asked.required:
                problems.append(Problem(asked.key, "is missing."))
            continue
        try:
            values[asked.key] = _value(asked.key, text, types)
        except ValueError as error:
            problems.append(Problem(asked.key, str(error)))
    return values, problems


def clean(text: str) -> str:
    """One line, composed, without what cannot be seen."""
    kept = "".join(
        letter if letter in _JOINERS or unicodedata.category(letter) not in _HIDDEN else " "
        for letter in text[:2000]
    )
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _value(key: str, text: str, types: Mapping[str, str]) -> Any:
    if key == "country":
        if not _COUNTRY(text):
            raise ValueError("is no country of the list.")
        return text
    kind = types.get(key.removeprefix(ATTRIBUTE), "text") if key.startswith(ATTRIBUTE) else "name"
    match kind:
        case "number":
            return _number(text)
        case "boolean":
            return text.lower() in {"1", "yes", "true", "on"}
        case "date":
            return date.fromisoformat(text).isoformat() if len(text) == 10 else _no("is no date.")
        case _:
            return _plain(text, LONGEST_NAME if kind == "name" else LONGEST_TEXT)


def _plain(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"is longer than {longest} characters.")
    if _SIGNS.search(text):
        raise ValueError("may hold none of < > { }.")
    if _BILLBOARD.search(text):
        raise ValueError("looks like a web address; leave that out.")
    return text


def _number(text: str) -> float | int:
    if not re.fullmatch(r"-?\d{1,15}(?:[.,]\d{1,6})?", text, re.ASCII):
        raise ValueError("is no number.")
    value = float(text.replace(",", "."))
    return int(value) if value.is_integer() else value


def _no(why: str) -> Any:
    raise ValueError(why)
