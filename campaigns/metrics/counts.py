"""Where a process keeps its counts, so that another can read them and no kill takes them back.

A process holds a file of its own while it lives (`sender-0`, locked); its successor takes the same file and
counts on, so there are never more files than there were processes at once. A count is eight aligned bytes,
written in place by a plain `write()`: it outlives the process, and a full disk is an error that can be
ignored, where a mapped page would be the end of the process.
"""

import fcntl
import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

Series = tuple[str, tuple[str, ...]]  #: a metric's name, and its labels' values in their order
Write = Callable[[float, int], None]

VALUE = struct.Struct("<d")
LENGTH = struct.Struct("<I")
MOST_KEY = 4000  #: bytes of a name with its labels; a file that says more is not ours


class Counts:
    """A process's counts: in memory, and in a file once `keep` is called; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[Series, float] = {}
        self._places: dict[Series, int] = {}
        self._file: int | None = None
        self._end = 0

    def add(self, amounts: Mapping[Series, float]) -> None:
        """Add to several series at once."""
        with self._lock:
            for series, amount in amounts.items():
                self._values[series] = value = self._values.get(series, 0.0) + amount
                self._put(series, value)

    def read(self) -> dict[Series, float]:
        """What is counted so far."""
        with self._lock:
            return dict(self._values)

    def keep(self, folder: Path, role: str) -> Path:
        """Go on in the first of this role's files that no living process holds."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in count():
            path = folder / f"{role}-{number}.counts"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                self._go_on(file)
                return path
        raise AssertionError("count() ends")

    def forget(self) -> None:
        """Begin anew, in memory only: a forked child must not write into its parent's file."""
        self._lock = Lock()
        if self._file is not None:
            os.close(self._file)
        self._values, self._places, self._file, self._end = {}, {}, None, 0

    def _go_on(self, file: int) -> None:
        with self._lock:
            before = self._values
            records, self._end = _records(_all_of(file))
            os.ftruncate(file, self._end)  # what follows was not written whole
            self._file = file
            self._values = {series: value for series, value, _ in records}
            self._places = {series: place for series, _, place in records}
        self.add(before)

    def _put(self, series: Series, value: float) -> None:
        if self._file is None:
            return
        with suppress(OSError):  # a full disk must not stop a sender for the sake of its counts
            place = self._places.get(series)
            if place is not None:
                os.pwrite(self._file, VALUE.pack(value), place)
                return
            record = _record(series, value)
            if os.pwrite(self._file, record, self._end) == len(record):
                self._end += len(record)
                self._places[series] = self._end - VALUE.size


def read_all(folder: Path) -> dict[Series, float]:
    """Add up the counts of every process that keeps or kept its own in this folder."""
    total: dict[Series, float] = {}
    for path in sorted(folder.glob("*.counts")):
        for series, value, _ in _records(path.read_bytes())[0]:
            total[series] = total.get(series, 0.0) + value
    return total


def _all_of(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _record(series: Series, value: float) -> bytes:
    """A length, the name padded so that the value is aligned, the value."""
    key = json.dumps([series[0], *series[1]]).encode()
    key += b" " * (-(LENGTH.size + len(key)) % VALUE.size)
    return LENGTH.pack(len(key)) + key + VALUE.pack(value)


def _records(data: bytes) -> tuple[list[tuple[Series, float, int]], int]:
    """Each series with its value and the value's place; and where the next record goes."""
    found, end = [], 0
    for series, place in _places(data):
        found.append((series, VALUE.unpack_from(data, place)[0], place))
        end = place + VALUE.size
    return found, end


def _places(data: bytes) -> Iterator[tuple[Series, int]]:
    """Stop at the first record that is not whole: it is being written, or its writer was killed."""
    at = 0
    while at + LENGTH.size <= len(data):
        (length,) = LENGTH.unpack_from(data, at)
        place = at + LENGTH.size + length
        if not 0 < length <= MOST_KEY or place + VALUE.size > len(data):
            return
        try:
            name, *labels = json.loads(data[at + LENGTH.size : place])
        except ValueError:
            return
        yield (name, tuple(labels)), place
        at = place + VALUE.size
