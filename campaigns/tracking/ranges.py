"""Whose addresses hits come from: published ranges of scanners, clouds and relays, as files of networks.

An installation loads what it trusts; nothing is looked up when a hit comes in. A line is a network, or
`network,kind,name`; Apple's list of egress addresses and the clouds' JSON are taken as they are published.
"""

import ipaddress
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from campaigns.errors import BadInput
from campaigns.values import Problem

MOST_PROBLEMS = 20  #: told of one file


class RangeKind(Enum):
    """Who asks from a range; of two that hold an address the first here decides."""

    SCANNER = "scanner"  #: a mail security service
    CLOUD = "cloud"  #: rented machines: programs, and people behind some companies' gateways
    PROXY = "proxy"  #: a mail provider's image proxy
    RELAY = "relay"  #: hides people's own addresses, as Apple's does; fetches pictures ahead of them


class Range(NamedTuple):
    """Whose addresses they are."""

    kind: RangeKind
    name: str


class _Spans(NamedTuple):
    """Stretches of addresses that do not overlap, in order."""

    starts: list[int]
    ends: list[int]


class Ranges:
    """Finds who owns an address."""

    def __init__(self, networks: Iterable[tuple[str, Range]] = ()) -> None:
        spans: defaultdict[tuple[int, Range], list[tuple[int, int]]] = defaultdict(list)
        for text, owner in networks:
            network = ipaddress.ip_network(text, strict=False)
            first = int(network.network_address)
            spans[network.version, owner].append((first, first + network.num_addresses - 1))
        order = list(RangeKind)
        self._owners: dict[int, list[tuple[Range, _Spans]]] = {4: [], 6: []}
        for (version, owner), found in sorted(
            spans.items(), key=lambda item: (order.index(item[0][1].kind), item[0][1].name)
        ):
            self._owners[version].append((owner, _merged(found)))
        self.count = sum(map(len, spans.values()))
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, address: str) -> Range | None:
        """Give the owner of an address, None where no file names one."""
        try:
            ip = ipaddress.ip_address(address.partition("/")[0])  # old hits keep their network alone
        except ValueError:
            return None
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        number = int(ip)
        for owner, spans in self._owners[ip.version]:
            place = bisect_right(spans.starts, number) - 1
            if place >= 0 and number <= spans.ends[place]:
                return owner
        return None


NONE = Ranges()


def _merged(spans: Sequence[tuple[int, int]]) -> _Spans:
    starts: list[int] = []
    ends: list[int] = []
    for first, last in sorted(spans):
        if ends and first <= ends[-1] + 1:
            ends[-1] = max(ends[-1], last)
        else:
            starts.append(first)
            ends.append(last)
    return _Spans(starts, ends)


def read_ranges(place: Path) -> Ranges:
    """Read a file of networks, or all files of a folder; none is fine.

    A file's name may say whose networks it holds: scanner-NAME.txt, cloud-NAME.json, proxy-…, relay-….

    Raises:
        BadInput: with what is wrong, each with its file and line.
    """
    problems: list[Problem] = []
    networks: list[tuple[str, Range]] = []
    for path in _files(place):
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        if path.suffix == ".json":
            found, wrong = _read_json(text, path.name)
        else:
            found, wrong = _read(text.splitlines(), path.name)
        networks += found
        problems += wrong
    if problems:
        raise BadInput(problems)
    return Ranges(networks)


class RangesAt:
    """The ranges of a place, read again when its files change; what cannot be read leaves the last ones."""

    def __init__(self, place: Path | None) -> None:
        self._place = place
        self._stamp: tuple[tuple[str, int, int], ...] = ()
        self._ranges = NONE

    def __call__(self) -> Ranges:
        """Give the ranges as of now.

        Raises:
            BadInput: what is wrong with changed files; the next call goes on with the last good ones.
        """
        if self._place is not None and (now := stamp(self._place)) != self._stamp:
            self._stamp = now
            self._ranges = read_ranges(self._place)
        return self._ranges


def stamp(place: Path) -> tuple[tuple[str, int, int], ...]:
    """Tell the files of a place apart from those of another time."""
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in _files(place))


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(path for path in place.iterdir() if path.suffix in {".txt", ".csv", ".cidr", ".json"})
    return [place] if place.is_file() else []


def _read(lines: Iterable[str], file: str) -> tuple[list[tuple[str, Range]], list[Problem]]:
    usual = _owner_by_name(file)
    found: list[tuple[str, Range]] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
        if not cells[0]:
            continue
        owner = _owner(cells, usual)
        wrong = _wrong(cells[0], owner)
        if owner is not None and not wrong:
            found.append((cells[0], owner))
        elif len(problems) < MOST_PROBLEMS:
            problems.append(Problem(f"{file} line {number}", *wrong))
    return found, problems


def _read_json(text: str, file: str) -> tuple[list[tuple[str, Range]], list[Problem]]:
    """Take every network out of a document, wherever it stands; each cloud has a shape of its own.

    Source: https://ip-ranges.amazonaws.com/ip-ranges.json, https://www.gstatic.com/ipranges/cloud.json,
    https://docs.oracle.com/iaas/tools/public_ip_ranges.json, Azure's ServiceTags_Public.json
    """
    owner = _owner_by_name(file)
    if owner is None:
        return [], [Problem(file, "does not say whose networks it holds.", "Call it cloud-NAME.json.")]
    try:
        waiting: list[object] = [json.loads(text)]
    except (ValueError, RecursionError) as error:
        return [], [Problem(file, f"is no JSON: {error}.", "Save it again as it is published.")]
    found: list[tuple[str, Range]] = []
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and "/" in one and _is_network(one):
            found.append((one, owner))
    problems = [] if found else [Problem(file, "holds no network.", "Save it again as it is published.")]
    return found, problems


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _wrong(network: str, owner: Range | None) -> tuple[str, ...]:
    if not _is_network(network):
        return (f"{network[:50]!r} is no network.", "Write one as 192.0.2.0/24 or 2001:db8::/32.")
    kinds = ", ".join(kind.value for kind in RangeKind)
    return (
        () if owner else ("it does not say whose network it is.", f"Write network,kind,name; kinds: {kinds}.")
    )


def _owner(cells: Sequence[str], usual: Range | None) -> Range | None:
    """Whose network a line names: by its own words, by the file's name, or as Apple writes its list."""
    named = cells[1].lower() if len(cells) > 1 else ""
    if named in _KINDS:
        name = cells[2] if len(cells) > 2 and cells[2] else named
        return Range(_KINDS[named], name[:60])
    if usual is not None:
        return usual
    if len(cells) >= _APPLE_CELLS and (not cells[1] or (len(cells[1]) == len("GB") and cells[1].isupper())):
        return Range(RangeKind.RELAY, "Apple")
    return None


_KINDS = {kind.value: kind for kind in RangeKind}
_APPLE_CELLS = 4  # network, country, region, city


def _owner_by_name(file: str) -> Range | None:
    kind, _, name = file.rpartition(".")[0].partition("-")
    return Range(_KINDS[kind.lower()], name[:60] or kind) if kind.lower() in _KINDS else None
