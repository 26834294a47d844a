"""What names a person in texts: addresses, phones and names, found and taken out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

GONE = "…"  #: stands where a text was
LEAST_DIGITS = 8  #: of a phone number; fewer would be found in anything
LEAST_LETTERS = 3  #: of a single name
_BETWEEN = r"[\s()./-]*"


@dataclass(frozen=True)
class Needles:
    """The words by which one person is found in texts."""

    emails: tuple[str, ...]
    phones: tuple[str, ...]
    names: tuple[str, ...]  #: given, family: each for itself

    @cached_property
    def anywhere(self) -> tuple[str, ...]:
        """Texts that mean this person in whatever row they stand, in small letters."""
        return tuple(text.lower() for text in (*self.emails, *self.phones))

    @cached_property
    def in_bodies(self) -> tuple[str, ...]:
        """How a mail address may stand in JSON or in a posted form."""
        ways = {way for one in self.emails for way in (one, quote(one, safe=""), one.replace("@", "\\u0040"))}
        return tuple(sorted(way.lower() for way in ways))

    @cached_property
    def sure(self) -> re.Pattern[str]:
        """Addresses and phones."""
        return _any_of([*map(re.escape, self.emails), *self._phone_ways()])

    @cached_property
    def near(self) -> re.Pattern[str]:
        """Names too: only for texts about this person's own customer, since others have the same names."""
        single = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in self.names if len(name) >= LEAST_LETTERS]
        whole = [re.escape(" ".join(way)) for way in (self.names, self.names[::-1]) if len(way) > 1]
        return _any_of([*map(re.escape, self.emails), *self._phone_ways(), *whole, *single])

    @cached_property
    def raw(self) -> re.Pattern[bytes]:
        """Addresses as they stand in the body of a call."""
        found = _any_of([re.escape(way) for way in self.in_bodies])
        return re.compile(found.pattern.encode(), re.IGNORECASE)

    def _phone_ways(self) -> Iterable[str]:
        for phone in self.phones:
            digits = re.sub(r"\D", "", phone)
            if len(digits) >= LEAST_DIGITS:
                yield rf"[+\d]?[\d\s()./-]*{_BETWEEN.join(digits[-LEAST_DIGITS:])}"


def _any_of(ways: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(set(ways), key=len, reverse=True)
    return re.compile("|".join(longest_first) or r"(?!)", re.IGNORECASE)


def without(value: Any, words: re.Pattern[str]) -> Any:
    """A value of a text or JSON column with these words taken out, wherever in it they stand."""
    if isinstance(value, str):
        return words.sub(GONE, value)
    if isinstance(value, dict):
        return {without(key, words): without(held, words) for key, held in value.items()}
    if isinstance(value, list):
        return [without(held, words) for held in value]
    return value
