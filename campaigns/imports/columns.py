"""Columns of cells to columns of values, at the price of the cheapest way that is right for each."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from campaigns.imports import values
from campaigns.imports.values import EPOCH, MICROSECOND, Bad, to_microseconds

MOST_REMEMBERED = 20_000


class Cells:
    """Reads the cells of one column, each on its own."""

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
        self._known = _Memo(read)

    def column(self, cells: Sequence[str]) -> list[Any]:
        return list(map(self._known.__getitem__, cells))


class Texts(Cells):
    """Reads a column of texts: those that need no cleaning all at once."""

    def __init__(self, limit: int = values.LONGEST_TEXT) -> None:
        super().__init__(values.short(limit))
        self._limit = limit

    def column(self, cells: Sequence[str]) -> list[Any]:
        stripped = list(map(str.strip, cells))
        if all(map(str.isprintable, stripped)) and max(map(len, stripped), default=0) <= self._limit:
            return [cell or None for cell in stripped]
        return [value or None for value in super().column(cells)]


class Moments(Cells):
    """Reads a column of moments in the past, as microseconds since 1970."""

    def __init__(self, now: datetime) -> None:
        super().__init__(_micros(values.moment(now)))
        self._now = to_microseconds(now)

    def column(self, cells: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        parse, epoch, unit, now, read = datetime.fromisoformat, EPOCH, MICROSECOND, self._now, super().column
        for cell in cells:
            try:
                micros = (parse(cell) - epoch) // unit
            except (ValueError, TypeError):  # no date, or one without a zone
                found += read((cell,))
            else:
                found.append(micros if micros <= now else read((cell,))[0])
        return found


class _Memo(dict[str, Any]):
    def __init__(self, read: Callable[[str], object]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: str) -> object:
        stripped = cell.strip()
        value = self._read(stripped) if stripped else None
        if value == "":  # nothing but control characters
            value = None
        if len(self) < MOST_REMEMBERED:
            self[cell] = value
        return value


def _micros(read: Callable[[str], datetime | Bad]) -> Callable[[str], int | Bad]:
    def read_cell(cell: str) -> int | Bad:
        at = read(cell)
        return at if isinstance(at, Bad) else to_microseconds(at)

    return read_cell
