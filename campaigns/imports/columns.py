"""Columns of cells to columns of values, at the price of the cheapest way that is right for each."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from campaigns.imports import values
from campaigns.imports.phones import PhoneReader
from campaigns.imports.values import Bad, to_microseconds

MOST_REMEMBERED = 20_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}[T ]", re.ASCII)


class Cells:
    """Reads the cells of one column, each on its own."""

    sound = False  #: nothing that was read last is a Bad, for certain

    def __init__(self, read: Callable[[str], object]) -> None:
        self._read = read

    def column(self, cells: Sequence[str]) -> list[Any]:
        """Give the values: None for an empty cell, a Bad for one that cannot be read."""
        read = self._read
        return [read(stripped) if (stripped := cell.strip()) else None for cell in cells]


class Repeated(Cells):
    """Reads a column of few distinct cells: what it made of each is remembered."""

    def __init__(self, read: Callable[[str], object]) -> None:
        super().__init__(read)
        self._known = Memo(read)

    def column(self, cells: Sequence[str]) -> list[Any]:
        found = list(map(self._known.__getitem__, cells))
        self.sound = not self._known.met_bad
        return found


class Texts(Cells):
    """Reads a column of texts: those that need no cleaning all at once."""

    def __init__(self, limit: int = values.LONGEST_TEXT) -> None:
        super().__init__(values.short(limit))
        self._limit = limit

    def column(self, cells: Sequence[str]) -> list[Any]:
        stripped = list(map(str.strip, cells))
        self.sound = "".join(stripped).isprintable() and max(map(len, stripped), default=0) <= self._limit
        if self.sound:
            return [cell or None for cell in stripped] if "" in stripped else stripped
        return [value or None for value in super().column(cells)]


class Phones(Cells):
    """Reads a column of phone numbers."""

    def __init__(self, country: str | None) -> None:
        reader = PhoneReader(country)
        super().__init__(reader.read)
        self._read_many = reader.read_many

    def column(self, cells: Sequence[str]) -> list[Any]:
        return list(self._read_many(cells))


class Moments(Cells):
    """Reads a column of moments in the past, as microseconds since 1970."""

    def __init__(self, now: datetime) -> None:
        super().__init__(_micros(values.moment(now)))
        self._now = to_microseconds(now)
        #: A moment is its day, in UTC, and the rest of its text: most of both were met before.
        self._days: dict[str, int] = {}
        self._rests: dict[str, int] = {}

    def column(self, cells: Sequence[str]) -> list[Any]:
        days, rests = self._days, self._rests
        self.sound = False
        with suppress(KeyError):
            known = [days[cell[:10]] + rests[cell[10:]] for cell in cells]
            self.sound = max(known, default=0) <= self._now
            if self.sound:
                return known
        return self._learn(cells)

    def _learn(self, cells: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        day_of, rest_of, now, read = self._days.get, self._rests.get, self._now, self._read_one
        for cell in cells:
            day, rest = day_of(cell[:10]), rest_of(cell[10:])
            if day is not None and rest is not None and day + rest <= now:
                found.append(day + rest)
            else:
                found.append(read(cell))
        return found

    def _read_one(self, cell: str) -> Any:
        try:
            micros = to_microseconds(datetime.fromisoformat(cell))
        except (ValueError, TypeError):  # no date, or one without a zone
            return super().column((cell,))[0]
        if _DAY.match(cell) and len(self._days) < MOST_REMEMBERED and len(self._rests) < MOST_REMEMBERED:
            day = self._days[cell[:10]] = to_microseconds(datetime.fromisoformat(f"{cell[:10]}T00+00:00"))
            self._rests[cell[10:]] = micros - day
        return micros if micros <= self._now else super().column((cell,))[0]


class Memo(dict[str, Any]):
    """What was made of each cell, as long as there is room.

    Args:
        read: reads a stripped cell.
        starts_anew: forget all when full, for cells that lie far apart; else the first ones are kept.

    """

    def __init__(self, read: Callable[[str], object], *, starts_anew: bool = False) -> None:
        super().__init__()
        self._read = read
        self._starts_anew = starts_anew
        self.met_bad = False  #: ever

    def __missing__(self, cell: str) -> object:
        stripped = cell.strip()
        value = self._read(stripped) if stripped else None
        if value == "":  # nothing but control characters
            value = None
        self.met_bad = self.met_bad or isinstance(value, Bad)
        if self._starts_anew and len(self) >= MOST_REMEMBERED:
            self.clear()
        if len(self) < MOST_REMEMBERED:
            self[cell] = value
        return value


def _micros(read: Callable[[str], datetime | Bad]) -> Callable[[str], int | Bad]:
    def read_cell(cell: str) -> int | Bad:
        at = read(cell)
        return at if isinstance(at, Bad) else to_microseconds(at)

    return read_cell
