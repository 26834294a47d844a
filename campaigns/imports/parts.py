"""A contacts file read part by part, ahead of what the database does with the parts.

A large file is read by a process of its own: reading and checking a row costs as much as merging it.
"""

import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

from campaigns.imports.complaints import Complaint, Effect
from campaigns.imports.contacts import ContactRows, Reading
from campaigns.imports.mapping import Layout
from campaigns.imports.repeats import Repeats
from campaigns.imports.source import Rows, Source, read_body
from campaigns.imports.staged import Filled, Filler

ROWS_AT_ONCE = 400  #: read column by column; few enough to stay in the processor's cache
STRETCH = 140_000  #: lines among which repeats are told in memory; the store tells of all before
PROCESS_FROM = 10_000_000  #: bytes; fewer are read before a process would be up


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be read, and where to; can be pickled."""

    source: Source
    layout: Layout
    reading: Reading
    filler: Filler
    lines_of_a_part: int
    folder: Path  #: private; complaints wait there until their part is merged
    #: Whoever reads parts of one file must cut it alike.
    rows_at_once: int = field(default_factory=lambda: ROWS_AT_ONCE)
    stretch: int = field(default_factory=lambda: STRETCH)


class Stretch(NamedTuple):
    """Lines of a part that are merged together."""

    last: int  #: its last line; it begins where the one before ended
    turns: tuple[int, ...]


class Part(NamedTuple):
    """A part of the file that was read, checked and filled."""

    rows: int  #: that were read
    filled: Filled
    stretches: tuple[Stretch, ...]
    last_line: int
    complaints: Path

    def complained(self) -> Iterator[Complaint]:
        """Give what was wrong with single cells and rows, in the order of lines."""
        with self.complaints.open(encoding="ascii") as file:
            for line, column, value, reason, effect in map(json.loads, file):
                yield Complaint(line, column, value, reason, Effect(effect))
        self.complaints.unlink()


def repeat_of(line: int, earlier: int) -> Complaint:
    """Say of a line that an earlier one stands."""
    reason = (
        f"is about the same contact as line {earlier}, which stands; only what it says on consent was taken."
    )
    return Complaint(line, "", "", reason, Effect.REPEAT)


def start_reader(path: Path) -> Executor:
    """Start what will read a file: for a large one a process, which takes a while to come up.

    Nothing is left of it where nobody reads on.
    """
    # a daemon, as a Celery worker is, may have no children
    if not path.is_file() or path.stat().st_size < PROCESS_FROM or multiprocessing.current_process().daemon:
        return ThreadPoolExecutor(1, "import")
    spawn = multiprocessing.get_context("spawn")  # a fork would take along threads' locks and open databases
    executor = ProcessPoolExecutor(1, mp_context=spawn, initializer=_live_and_die)
    executor.submit(_come_up)
    return executor


@contextmanager
def read_ahead(job: Job, reader: Executor) -> Iterator[Iterator[Part]]:
    """Give the parts in order; the next is read while one is worked on.

    Beside a process the first is read here: there is nothing to work on before it is there.

    Raises:
        BadImport: from the iterator, if the file cannot be read to its end.
    """
    with reader as executor:
        if isinstance(executor, ProcessPoolExecutor):
            opened = executor.submit(_open, job)
            coming = executor.submit(_fill, 1)
            others = _each(1, coming, lambda number: executor.submit(_fill, number))
            yield chain(_first(job, opened), others)
        else:
            parts = Parts(job)
            coming = executor.submit(parts.fill, 0)
            yield _each(0, coming, lambda number: executor.submit(parts.fill, number))


def _first(job: Job, opened: Future[None]) -> Iterator[Part]:
    if part := Parts(job).fill(0):
        yield part
    opened.result()


def _each(
    number: int, coming: Future[Part | None], ask: Callable[[int], Future[Part | None]]
) -> Iterator[Part]:
    while part := coming.result():
        number += 1
        coming = ask(number)
        yield part


class _Mine:
    """What the reading process reads."""

    parts: "Parts"


def _live_and_die() -> None:
    """Leave an interruption to the importing process; end when that ends, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _come_up() -> None:
    """Do nothing: what this module needs is imported by now."""


def _open(job: Job) -> None:
    _Mine.parts = Parts(job)
    _Mine.parts.skip_first()


def _fill(number: int) -> Part | None:
    return _Mine.parts.fill(number)


class Parts:
    """Cuts a file into parts and fills each."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._reader = ContactRows(job.layout, job.reading, self._complain)
        self._body = read_body(job.source, job.rows_at_once)
        self._held: Rows | None = next(self._body, None)
        self._line = 1
        self._rows = 0
        self._turns: Counter[int] = Counter()
        self._stretches: list[Stretch] = []
        self._said = self._reader.columns.index("said") if "said" in self._reader.columns else None
        self._listed: IO[str] | None = None

    def skip_first(self) -> None:
        """Leave the first part out: it is read elsewhere."""
        end = self._end(0)
        while self._held is not None and self._held[0][0] <= end:
            self._line = self._held[0][-1]
            self._held = next(self._body, None)

    def fill(self, number: int) -> Part | None:
        """Read the next part; None when the file is at its end."""
        if self._held is None:
            return None
        self._stretches.clear()
        self._rows = 0
        path = self._job.folder / f"complaints{number}"
        with path.open("w", encoding="ascii") as self._listed:
            rows = chain.from_iterable(self._read_part(number))
            filled = self._job.filler.fill(number, self._reader.columns, rows)
        return Part(self._rows, filled, tuple(self._stretches), self._line, path)

    def _complain(self, complaint: Complaint) -> None:
        assert self._listed is not None
        self._listed.write(json.dumps(complaint) + "\n")

    def _read_part(self, number: int) -> Iterator[Iterable[tuple[Any, ...]]]:
        end = self._end(number)
        while self._held is not None and self._held[0][0] <= end:
            yield from self._read_stretch(min(end, self._line + self._job.stretch))
            self._stretches.append(Stretch(self._line, tuple(sorted(self._turns))))

    def _end(self, number: int) -> int:
        size = self._job.lines_of_a_part
        # the first part is small, since nothing can be merged before it is there
        return self._line + (size if number else size // 2)

    def _read_stretch(self, end: int) -> Iterator[Iterable[tuple[Any, ...]]]:
        self._turns.clear()
        repeats = Repeats()
        while self._held is not None and self._held[0][0] <= end:
            lines, rows = self._held
            self._rows += len(rows)
            if self._job.source.has_nul:
                lines, rows = self._without_nul(lines, rows)
            yield self._place(self._reader.read(lines, rows), repeats)
            self._line = self._held[0][-1]
            self._held = next(self._body, None)

    def _place(self, staged: list[tuple[Any, ...]], repeats: Repeats) -> Iterable[tuple[Any, ...]]:
        """Put each row in its turn; a repeat stays only if it says something on consent."""
        placed = repeats.place(staged)
        if placed is None:
            self._turns[1] += len(staged)
            return staged
        kept = []
        for values, (turn, earlier) in zip(staged, placed, strict=True):
            if earlier is not None:
                self._complain(repeat_of(values[0], earlier))
                if self._said is None or values[self._said] is None:
                    continue
            self._turns[turn] += 1
            kept.append((*values[:-1], turn))
        return kept

    def _without_nul(self, lines: Sequence[int], rows: list[list[str]]) -> Rows:
        kept_lines, kept = [], []
        for line, cells in zip(lines, rows, strict=True):
            if any("\0" in cell for cell in cells):
                self._complain(Complaint(line, "", "", "holds a NUL byte.", Effect.REFUSED))
            else:
                kept_lines.append(line)
                kept.append(cells)
        return kept_lines, kept
