"""A delimited text file: its encoding and delimiter, its header, and its rows, one at a time."""

import codecs
import csv
import hashlib
import re
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from campaigns.errors import BadImport
from campaigns.imports.encodings import look, refuse_garbling
from campaigns.values import Problem

DELIMITERS = ",;\t|"
MOST_COLUMNS = 500
LARGEST_CELL = 100_000
LARGEST_FILE = 20 * 2**30
MOST_ROWS = 100_000_000
_LINE_END = re.compile("\r\n|\r|\n")
_PIECE = 1 << 20
_SAMPLE = 64 * 1024
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


#: Some rows: the line of the file on which each begins, and its cells.
Rows = tuple[Sequence[int], list[list[str]]]


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read from its first byte to its last."""

    path: Path
    encoding: str
    delimiter: str
    size: int  #: bytes
    lines: int  #: line ends, so at least as many as rows
    sha256: str
    has_nul: bool  #: some row holds a NUL, which no database takes


def open_source(path: Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> Source:
    """Read a file through once: it must be text of one encoding; its digest names it.

    Raises:
        BadImport: if it cannot be read as text, with the first byte and line at fault.
    """
    _check_name(path, encoding, delimiter)
    refuse_garbling(path, encoding)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    in_utf8 = _is_utf8(encoding)
    digest = hashlib.sha256()
    size = lines = 0
    has_nul = False
    with path.open("rb") as file, ThreadPoolExecutor(1, "digest") as beside:
        digested = beside.submit(digest.update, b"")
        while piece := file.read(_PIECE):
            if size == 0:
                _refuse_marks(path, piece, encoding)
            try:
                text = decoder.decode(piece)
            except UnicodeError as error:
                raise _undecodable(path, encoding, size, lines, piece, error) from error
            digested.result()  # one piece at a time: a slow digest must not gather the file in memory
            digested = beside.submit(digest.update, piece)
            size += len(piece)
            ends, nul = _look(piece if in_utf8 else text.encode(errors="surrogatepass"))
            lines += ends
            has_nul = has_nul or nul
    try:
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise _undecodable(path, encoding, size, lines, b"", error) from error
    if not size:
        raise BadImport([Problem(str(path), "is empty.", "It must have a header and rows.")])
    found = delimiter or _sniff(path, encoding)
    return Source(path, encoding, found, size, lines, digest.hexdigest(), has_nul)


def _look(piece: bytes) -> tuple[int, bool]:
    """Count a piece's line ends, and tell whether it holds a NUL."""
    # quicker than to search for each kind of line end; bytes know no kinds but CR, LF and both
    ends = len(piece.splitlines()) - (piece[-1:] not in b"\r\n")
    return ends, b"\0" in piece


_NO_TEXT = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a spreadsheet or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet"),
    (b"\x1f\x8b", "a compressed file"),
)


def _check_name(path: Path, encoding: str, delimiter: str | None) -> None:
    problems = []
    try:
        codecs.lookup(encoding)
    except LookupError:
        problems.append(
            Problem("--encoding", f"{encoding!r} is no encoding.", "Common ones: utf-8, cp1252, utf-16.")
        )
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        problems.append(
            Problem("--delimiter", f"{delimiter!r} is no delimiter.", "Give one character, as ';' or ','.")
        )
    if not path.is_file():
        problems.append(Problem(str(path), "is no file that can be read.", "Check its name."))
    elif path.stat().st_size > LARGEST_FILE:
        problems.append(Problem(str(path), f"has more than {LARGEST_FILE >> 30} GiB.", "Split it."))
    if problems:
        raise BadImport(problems)


def _refuse_marks(path: Path, head: bytes, encoding: str) -> None:
    for mark, name in _NO_TEXT:
        if head.startswith(mark):
            cure = "Save the table as CSV (UTF-8) and name that file."
            raise BadImport([Problem(str(path), f"is {name} by its first bytes, not a CSV file.", cure)])
    for mark, name in _MARKS:
        if head.startswith(mark) and not encoding.lower().startswith("utf-16"):
            raise BadImport([Problem(str(path), f"is {name} by its first bytes.", f"Add --encoding {name}.")])


def _undecodable(
    path: Path, encoding: str, size: int, lines: int, piece: bytes, error: UnicodeError
) -> BadImport:
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    held = len(error.object) - len(piece) if isinstance(error, UnicodeDecodeError) else 0
    bad = error.object[start] if isinstance(error, UnicodeDecodeError) and start < len(error.object) else None
    offset = size - held + start
    line = lines + piece[: max(start - held, 0)].count(b"\n") + 1
    what = (
        f"byte {offset + 1} (line {line})"
        + ("" if bad is None else f", 0x{bad:02x},")
        + f" is not {encoding}."
    )
    other = "cp1252" if encoding.lower().replace("-", "") in {"utf8", "utf8sig"} else "utf-8"
    cure = f"If it was written on Windows add --encoding {other}, or save it as UTF-8."
    if other == "cp1252" and (found := look(path)).is_mostly_utf8 and found.bad:
        many = found.good + len(found.bad)
        what = f"{what} Of {many:,} lines with such letters all are UTF-8 but {found.told()}."
        cure = "Mend those lines and save the file as UTF-8; another --encoding would garble all others."
    return BadImport([Problem(str(path), what, cure)])


def _sniff(path: Path, encoding: str) -> str:
    """Take the delimiter that splits the header into most columns, outside quotes."""
    with _text(path, encoding) as file:
        sample = file.read(_SAMPLE)
    counts = {}
    for mark in DELIMITERS:
        try:
            first = next(iter(csv.reader(sample.splitlines(keepends=True), delimiter=mark)), [])
        except csv.Error:
            first = []
        counts[mark] = len(first)
    return max(DELIMITERS, key=lambda mark: counts[mark])


def _text(path: Path, encoding: str) -> TextIO:
    return path.open("r", encoding="utf-8-sig" if _is_utf8(encoding) else encoding, newline="")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def read_rows(source: Source, at_once: int = 2000) -> Generator[Rows, None, None]:
    """Give the rows that are not blank, many at once, each with its first line; the header comes alone.

    Raises:
        BadImport: if the rows cannot be told apart, or are too many or too wide.
    """
    previous = csv.field_size_limit(LARGEST_CELL)
    line = 1
    try:
        with _text(source.path, source.encoding) as file:
            reader = csv.reader(file, delimiter=source.delimiter, strict=True)
            size = 1
            while rows := list(islice(reader, size)):
                lines = _lines(line, reader.line_num, rows)
                line = reader.line_num + 1
                if [] in rows:
                    lines = [number for number, cells in zip(lines, rows, strict=True) if cells]
                    rows = [cells for cells in rows if cells]
                if rows:
                    _refuse_too_much(source, lines, rows)
                    yield lines, rows
                    size = at_once
    except csv.Error as error:
        where = f"{source.path}, from line {line} on"
        cure = "Check the quotes there, or the delimiter."
        raise BadImport([Problem(where, f"cannot be split into cells: {error}.", cure)]) from error
    finally:
        csv.field_size_limit(previous)


def read_body(source: Source, at_once: int) -> Generator[Rows, None, None]:
    """Give the rows after the header, as `read_rows` does."""
    rows = read_rows(source, at_once)
    next(rows, None)
    return rows


def _lines(first: int, last: int, rows: list[list[str]]) -> Sequence[int]:
    """Give the line on which each row begins; a quoted cell may hold line ends."""
    if last - first + 1 == len(rows):
        return range(first, last + 1)
    starts = []
    for cells in rows:
        starts.append(first)
        first += 1 + sum(len(_LINE_END.findall(cell)) for cell in cells)
    return starts


def _refuse_too_much(source: Source, lines: Sequence[int], rows: list[list[str]]) -> None:
    widest = max(map(len, rows))
    if widest > MOST_COLUMNS:
        what, cure = f"has {widest} columns; at most {MOST_COLUMNS} can be read.", "Check the delimiter."
        line = next(number for number, cells in zip(lines, rows, strict=True) if len(cells) == widest)
        raise BadImport([Problem(f"{source.path}, line {line}", what, cure)])
    if lines[-1] > MOST_ROWS:
        raise BadImport([Problem(f"{source.path}", f"has more than {MOST_ROWS:,} lines.", "Split the file.")])
