"""Which rows of a file are about a contact that an earlier row is about."""

from collections.abc import Sequence
from typing import Any

#: The turn of rows that repeat an earlier one of their part, after the turns 1 and 2 of all others.
REPEATS = 3


class Repeats:
    """Tells within one part of a file which rows are about a contact that an earlier row is about.

    Across parts the store tells (records/imports): there an earlier row has become a contact already.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, int] = {}
        self._by_address: dict[str, int] = {}  # rows with an external id
        self._nameless: dict[str, int] = {}  # by address: rows without one

    def place(self, staged: Sequence[tuple[Any, ...]]) -> list[tuple[int, int | None]] | None:
        """Give for each staged row the turn in which it is merged, and the line that it surely repeats.

        Turn 2 must see the contacts of turn 1. None stands for turn 1 throughout.
        """
        ids = {row[1]: row[0] for row in staged}
        addresses = {row[2]: row[0] for row in staged}
        if (
            len(ids) == len(staged)
            and None not in ids
            and self._by_id.keys().isdisjoint(ids)
            and self._nameless.keys().isdisjoint(addresses)
        ):  # the common case at the common price
            self._by_id.update(ids)
            self._by_address.update(addresses)
            return None
        return [self._place(row[0], row[1], row[2]) for row in staged]

    def _place(self, line: int, known_as: str | None, address: str | None) -> tuple[int, int | None]:
        if known_as is None:
            assert address is not None
            earlier = self._nameless.setdefault(address, line)
            later = address in self._by_address
        else:
            earlier = self._by_id.setdefault(known_as, line)
            later = address in self._nameless
            if address is not None:
                self._by_address.setdefault(address, line)
        if earlier != line:
            return REPEATS, earlier
        return 2 if later else 1, None
