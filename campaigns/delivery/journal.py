"""The crash journal: what each sender began and what it was answered, in files that outlive it.

Every sender has a folder named after it, with a lock that it holds while it lives, and in it one page for
each chunk that it holds. A line is written before a message's first byte and one after its reply, into shared
memory that is the file's: it outlives a killed process, though not a power cut, which the boot id tells. A
journal that is synced each few messages tells even then what was surely not begun.

    FOLDER/OWNER/lock               host, boot id and owner; locked by flock
    FOLDER/OWNER/dead               there if recovery found its owner dead
    FOLDER/OWNER/RUN-NUMBER-FENCE   "live" or "gone", then lines:
        c SEQ                               nothing above is begun before another such line is on the disk
        s SEQ µs                            begun
        a SEQ µs KIND CODE ENHANCED TEXT    answered

A page can be revoked by another process, for a sender that is frozen may wake. Its owner writes "s", then
looks at the first byte; the other writes the first byte, waits a moment, then reads the lines. Whoever comes
second sees the other's word: no message is begun after its page was read.
"""

import fcntl
import mmap
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from time import sleep
from uuid import uuid4

from campaigns.values import Outcome, OutcomeKind

HEAD = b"live\n"
GONE = ord("g")
SAID_SIZE = 120  #: what is kept of a reply
CEILING_SIZE = len("c 2147483647\n")
LINES_SIZE = SAID_SIZE + 2 * len("s 2147483647 1763800000000000\n")  #: room for a message's two lines
KEPT = 60.0  #: seconds that a dead sender's journal is kept
NO_CEILING = 2**63
SETTLING = 0.01  #: seconds for an owner's last store to be seen by all processors
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SAFE = re.compile(r"[^A-Za-z0-9._-]")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Revoked(Exception):
    """The page was taken over: nothing more of its chunk may be begun."""


@dataclass
class Read:
    """What a page says; a line that was torn is left out."""

    started: dict[int, datetime] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    moments: dict[int, datetime] = field(default_factory=dict)  #: when each was answered
    ceiling: int | None = None  #: all above was surely not begun; None: what is not in `started` was not


class Page:
    """The lines about one chunk, by its owner; with `sync` they are put on the disk each so many messages."""

    def __init__(self, path: Path, messages: int, sync: int = 0) -> None:
        self._path, self._sync = path, sync
        self._size = len(HEAD) + messages * LINES_SIZE
        if sync:
            self._size += (messages // sync + 3) * CEILING_SIZE
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # a full disk must be found out now, not between a mail and the line about its reply
            os.posix_fallocate(self._file, 0, self._size)
            self._lines = mmap.mmap(self._file, self._size)
            self._lines[: len(HEAD)] = HEAD
            self._at = len(HEAD)
            self._ceiling = NO_CEILING
            if sync:
                self._raise_to(0)
                _sync(path.parent)
        except OSError:
            os.close(self._file)
            path.unlink()
            raise

    def started(self, seq: int, at: datetime) -> None:
        """Write that a message's first byte comes next.

        Raises:
            Revoked: it must not be written.
        """
        if seq > self._ceiling:
            self._raise_to(seq + self._sync - 1)
        self._append(b"s %d %d\n" % (seq, at.timestamp() * 1e6))
        if self._lines[0] == GONE:
            raise Revoked(f"{self._path.name} was taken over")

    def answered(self, seq: int, outcome: Outcome, at: datetime) -> None:
        """Write what came of a started message."""
        text = outcome.text if outcome.text.isprintable() else " ".join(outcome.text.split())
        said = f"{outcome.kind.value} {outcome.code or '-'} {outcome.enhanced or '-'} {text}"
        cut = said.encode("utf-8", "replace")[:SAID_SIZE]
        self._append(b"a %d %d %s\n" % (seq, at.timestamp() * 1e6, cut))

    def discard(self) -> None:
        """Throw the page away, for its chunk is settled in the store."""
        self._lines.close()
        os.close(self._file)
        self._path.unlink(missing_ok=True)

    def _raise_to(self, ceiling: int) -> None:
        """Let messages up to a seq be begun, as soon as the disk knows of it and of all that came before."""
        self._append(b"c %d\n" % ceiling)
        os.fdatasync(self._file)
        self._ceiling = ceiling

    def _append(self, line: bytes) -> None:
        end = self._at + len(line)
        if end > self._size:
            raise ValueError(f"{self._path} has room for the messages of its chunk only, each begun once")
        # an interrupt between the two leaves a gap, never a line over another
        at, self._at = self._at, end
        self._lines[at:end] = line


class Journal:
    """One sender's folder, locked until `close` or until the process ends, however it ends."""

    def __init__(self, folder: Path, owner: str, sync: int = 0) -> None:
        """Make the folder; `sync`: see Page.

        Raises:
            OSError: it cannot be made or locked; without a journal nothing may be sent.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.owner, self._sync = owner, sync
        self._own = folder / _name(owner)
        made = folder / f".{_name(owner)}"
        made.mkdir(mode=0o700)
        self._lock = os.open(made / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._lock, f"{gethostname()} {boot_id()} {owner}\n".encode())
        os.fsync(self._lock)
        made.rename(self._own)  # only now can others find it, locked
        _sync(folder)

    def page(self, run: int, number: int, fence: int, *, messages: int) -> Page:
        """Begin the page of a chunk just claimed.

        Raises:
            Revoked: the chunk was taken over already.
            OSError: there is no room for it.
        """
        try:
            return Page(self._own / f"{run}-{number}-{fence}", messages, self._sync)
        except FileExistsError:
            raise Revoked(f"chunk {number} of run {run} was taken over") from None

    def close(self) -> None:
        """Remove the folder, unless it holds a page: that is for recovery to read."""
        if not any(path.name != "lock" for path in self._own.iterdir()):
            shutil.rmtree(self._own)
        os.close(self._lock)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The journal of a sender that is dead; nobody else reads it meanwhile."""

    owner: str
    complete: bool  #: False: written before the machine's last start; lines may be missing
    path: Path

    def read(self, run: int, number: int, fence: int) -> Read | None:
        """What it says of a chunk, nothing if it holds no page of it; None if it cannot be relied on."""
        path = self.path / f"{run}-{number}-{fence}"
        if not self.complete:
            return _read_synced(path)
        return _read(path) if path.exists() else Read()


@contextmanager
def abandoned(folder: Path) -> Iterator[list[Abandoned]]:
    """The journals of this host's dead senders, locked meanwhile; what is settled may be removed within."""
    locks: list[int] = []
    found: list[Abandoned] = []
    try:
        for path in sorted(folder.iterdir()) if folder.exists() else []:
            if (lock := _lock_of_the_dead(path)) is not None:
                locks.append(lock)
                host, boot, owner = os.pread(lock, 1000, 0).decode("utf-8", "replace").split(maxsplit=2)
                of_now = boot == boot_id()
                if of_now or host == gethostname():  # a container made anew has another host name
                    found.append(Abandoned(owner.strip(), of_now, path))
        yield found
    finally:
        for lock in locks:
            os.close(lock)


def remove(journal: Abandoned, now: datetime) -> None:
    """Remove a dead sender's journal, when all its chunks are settled.

    It is kept for a while from the first call on: the database may still be at its owner's last claim.
    """
    dead = journal.path / "dead"
    with suppress(FileExistsError):
        dead.touch(exist_ok=False)
    if now.timestamp() - dead.stat().st_mtime > KEPT:
        shutil.rmtree(journal.path)


def revoke(folder: Path, owner: str, run: int, number: int, fence: int) -> Read | None:
    """Forbid a sender that may be frozen to begin anything more of a chunk, and read what it began.

    None if its journal is not on this machine: then all may have been begun. So too if it vanishes meanwhile;
    then the chunk is settled, and nothing can be written about it with this fence.
    """
    own = folder / _name(owner)
    path = own / f"{run}-{number}-{fence}"
    try:
        if not _is_of_here(own):
            return None
        with suppress(FileExistsError), path.open("xb") as file:
            file.write(b"gone\n")  # it had not begun the page, and will not
        file_number = os.open(path, os.O_RDWR)
        try:
            os.pwrite(file_number, b"gone", 0)
        finally:
            os.close(file_number)
        sleep(SETTLING)
        return _read(path)
    except FileNotFoundError:
        return None


def new_owner() -> str:
    """Make a name for a sender of this process: nobody had it before."""
    return f"{gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


def boot_id() -> str:
    """Name this start of the machine; a name of its own where the system has none, so nothing is believed."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return f"unknown-{uuid4()}"


def _lock_of_the_dead(path: Path) -> int | None:
    try:
        lock = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # whoever held the lock a moment ago may have settled all, and removed the folder
        still = os.path.samestat(os.fstat(lock), (path / "lock").stat())
        whole = still and len(os.pread(lock, 1000, 0).split(maxsplit=2)) == 3
    except OSError:
        whole = False
    if not whole:
        os.close(lock)
        return None
    return lock


def _is_of_here(own: Path) -> bool:
    return (own / "lock").read_text(errors="replace").split(maxsplit=2)[1:2] == [boot_id()]


def _read(path: Path) -> Read | None:
    page = Read()
    lines = _lines(path)
    for line in lines:
        try:
            _take_in(page, line.lstrip(b"\0"))
        except ValueError:
            if line is not lines[-1]:  # only a last line can be torn
                return None
    return page


def _read_synced(path: Path) -> Read | None:
    """What is surely on the disk; None if the page was never synced.

    After a power cut any part may be missing that was not synced. So of a line that touches a gap nothing is
    believed but that messages may have been begun.
    """
    page, ceilings = Read(), list[int]()
    with suppress(FileNotFoundError):
        for line in _lines(path):
            with suppress(ValueError):
                if line.lstrip(b"\0").startswith(b"c "):
                    ceilings.append(int(line.lstrip(b"\0c ")))
                elif b"\0" not in line:
                    _take_in(page, line)
    page.ceiling = max(ceilings, default=None)
    return None if page.ceiling is None else page


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().rstrip(b"\0").splitlines(keepends=True)[1:]


def _take_in(page: Read, line: bytes) -> None:
    """Add what a line says.

    Raises:
        ValueError: it is not whole.
    """
    if not line.endswith(b"\n"):
        raise ValueError("no end")
    sort, number, *rest = line.decode("utf-8", "replace")[:-1].split(" ", 6)
    seq = int(number)
    if sort == "c" and not rest:
        return
    micros, *rest = rest
    at = EPOCH + timedelta(microseconds=int(micros))
    if sort == "s" and not rest:
        page.started[seq] = at
    elif sort == "a":
        kind, code, enhanced, text = rest
        page.outcomes[seq] = Outcome(
            OutcomeKind(kind),
            None if code == "-" else int(code),
            None if enhanced == "-" else enhanced,
            text,
        )
        page.moments[seq] = at
    else:
        raise ValueError("neither begun nor answered")


def _name(owner: str) -> str:
    return SAFE.sub("_", owner)


def _sync(folder: Path) -> None:
    """Let the folder's entries outlive a power cut, so that a missing one has another reason."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
