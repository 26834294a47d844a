"""Reads single fields of a form: each gives its value or adds a problem."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flask_babel import gettext as _

from campaigns.errors import BadForm
from campaigns.values import Problem
from web.numbers import number_from

CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?")


@dataclass
class Fields:
    """A form under reading, with the problems found so far."""

    form: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def text(self, name: str) -> str:
        return self.form.get(name, "").strip()

    def add(self, name: str, what: str, cure: str) -> None:
        self.problems.append(Problem(name, what, cure))

    def choice(self, name: str, known: Collection[int]) -> int | None:
        """One of the ids offered, or None for nothing chosen."""
        text = self.text(name)
        if not text:
            return None
        if (chosen := number_from(text)) is not None and chosen in known:
            return chosen
        self.add(name, _("is not one of those offered."), _("Choose one of the list."))
        return None

    def whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number between two bounds, or None for nothing typed."""
        text = self.text(name)
        if not text:
            return None
        if (number := number_from(text)) is not None and low <= number <= high:
            return number
        what = _("is not a whole number from %(low)s to %(high)s.", low=low, high=high)
        self.add(name, what, _("Correct it, or leave it empty."))
        return None

    def moment(self, name: str) -> datetime | None:
        """A local date and time, or None for nothing typed."""
        text = self.text(name)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is not None or not 2000 <= found.year < 2200:
            self.add(name, _("is not a date and time."), _("Write it like 2026-11-30T09:00."))
            return None
        return found

    def clock(self, name: str) -> int | None:
        """A time of day in minutes after midnight, or None for nothing typed."""
        text = self.text(name)
        if not text:
            return None
        if (found := CLOCK.fullmatch(text)) is not None:
            return int(found[1]) * 60 + int(found[2])
        self.add(name, _("is not a time of day."), _("Write it like 09:30."))
        return None

    def done(self) -> None:
        """Say that all is read.

        Raises:
            BadForm: with every problem found.
        """
        if self.problems:
            raise BadForm(self.problems)
