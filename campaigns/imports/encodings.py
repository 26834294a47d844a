"""What a file's bytes say of its encoding, line by line: UTF-8 is hardly ever met by chance."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from campaigns.errors import BadImport
from campaigns.values import Problem

MOST_LOOKED_AT = 64 << 20  #: bytes; more would make whoever named the wrong file wait
LONGEST_LINE = 1 << 20
NAMED = 10  #: lines
AROUND = 15  #: letters
_HIGH = bytes(range(128, 256))


@dataclass(frozen=True, slots=True)
class Lines:
    """How many lines hold more than ASCII, and as what they can be read."""

    good: int  #: are UTF-8
    bad: tuple[int, ...]  #: the numbers of those that are not
    word: str  #: the first that shows it

    @property
    def is_mostly_utf8(self) -> bool:
        """Whether what is not UTF-8 is the exception."""
        return self.good >= max(len(self.bad), 1)

    def told(self) -> str:
        """Name the lines that are not UTF-8."""
        more = f" and {len(self.bad) - NAMED:,} more" if len(self.bad) > NAMED else ""
        word = "line" if len(self.bad) == 1 else "lines"
        return f"{word} {', '.join(map(str, self.bad[:NAMED]))}{more}"


def look(path: Path) -> Lines:
    """Look through the beginning of a file."""
    good, bad, word = 0, [], ""
    for number, line in enumerate(_lines(path), 1):
        if line.isascii():
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            bad.append(number)
        else:
            good += 1
            word = word or _first_word(text)
    return Lines(good, tuple(bad), word)


def _first_word(text: str) -> str:
    """What stands around the first letter that shows it: a line may be one endless word."""
    at = next(position for position, sign in enumerate(text) if not sign.isascii())
    before, after = (
        re.search(r"\w*\Z", text[max(at - AROUND, 0) : at]),
        re.match(r"\w*", text[at + 1 : at + AROUND]),
    )
    return f"{before[0] if before else ''}{text[at]}{after[0] if after else ''}"


def _lines(path: Path) -> Iterator[bytes]:
    read = 0
    with path.open("rb") as file:
        while read < MOST_LOOKED_AT and (line := file.readline(LONGEST_LINE)):
            read += len(line)
            yield line


def refuse_garbling(path: Path, encoding: str) -> None:
    """See that a file of UTF-8 is not read as an encoding that takes any bytes.

    Raises:
        BadImport: most of its lines are UTF-8; they would come in as "JÃ¶rg".
    """
    if not is_of_single_bytes(encoding):
        return
    lines = look(path)
    if not lines.is_mostly_utf8:
        return
    but = f" but for {lines.told()}" if lines.bad else ""
    what = f"is UTF-8{but}: as {encoding} {lines.word!r} would become {_garbled(lines.word, encoding)!r}."
    cure = "Leave --encoding out." if not lines.bad else "Mend that, and leave --encoding out."
    raise BadImport([Problem(str(path), what, cure)])


def _garbled(word: str, encoding: str) -> str:
    return word.encode().decode(encoding, errors="replace")


def is_of_single_bytes(encoding: str) -> bool:
    """Whether each byte is a letter by itself, so that hardly any file can be told not to be of it."""
    try:
        read = _HIGH.decode(encoding, errors="replace")
    except (LookupError, UnicodeError):  # some codecs are for other things than files
        return False
    return len(read) == len(_HIGH) and set(read) != {"\N{REPLACEMENT CHARACTER}"}
