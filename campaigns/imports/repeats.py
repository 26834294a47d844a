"""Which rows of a file are about a contact that an earlier row is about."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

#: The turn of rows that repeat an earlier one of their part, after the turns 1 and 2 of all others.
REPEATS = 3
_LINE, _ID, _ADDRESS = itemgetter(0), itemgetter(1), itemgetter(2)


class Repeats:
    """Tells within one part of a file which rows are about a contact that an earlier row is about.

    Across parts the store tells (records/imports): there an earlier row has become a contact already.
    """

    def __init__(self) -> None:
        self._ids: set[str | None] = set()
        #: Lines, ids and addresses of rows that nobody has asked after so far: mostly nobody ever does.
        self._plain: list[tuple[list[int], list[str], list[str | None]]] = []
        self._by_id: dict[str, int] = {}
        self._addresses: set[str | None] = set()  # of rows with an external id
        self._nameless: dict[str, int] = {}  # by address: rows without one

    def place(self, staged: Sequence[tuple[Any, ...]]) -> list[tuple[int, int | None]] | None:
        """Give for each staged row the turn in which it is merged, and the line that it surely repeats.

        Turn 2 must see the contacts of turn 1. None stands for turn 1 throughout.
        """
        ids, addresses = list(map(_ID, staged)), list(map(_ADDRESS, staged))
        distinct = set(ids)
        if (
            len(distinct) == len(staged)
            and None not in distinct
            and self._ids.isdisjoint(distinct)
            and (not self._nameless or self._nameless.keys().isdisjoint(addresses))
        ):  # the common case at the common price
            self._ids |= distinct
            self._plain.append((list(map(_LINE, staged)), ids, addresses))
            return None
        self._look_up()
        return [self._place(row[0], row[1], row[2]) for row in staged]

    def _look_up(self) -> None:
        for lines, ids, addresses in self._plain:
            self._by_id.update(zip(ids, lines, strict=True))
            self._addresses.update(addresses)
        self._plain.clear()

    def _place(self, line: int, known_as: str | None, address: str | None) -> tuple[int, int | None]:
        if known_as is None:
            assert address is not None
            earlier = self._nameless.setdefault(address, line)
            later = address in self._addresses
        else:
            earlier = self._by_id.setdefault(known_as, line)
            later = address in self._nameless
            self._ids.add(known_as)
            self._addresses.add(address)
        if earlier != line:
            return REPEATS, earlier
        return 2 if later else 1, None
