"""Clicks on different links that come close together, found in one pass over a message's hits."""

import ipaddress
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from campaigns.values import Hit

_GATEWAY_BITS = {4: 24, 6: 48}  # scanners ask from many addresses of one network

#: All of IPv4 as IPv6 writes it, beside what belongs to one machine: old hits that were cut say no more.
_NOBODYS = ipaddress.ip_network("::/48")

Group = tuple[str, str]


class Window(NamedTuple):
    """A stretch of time with the number of different links that were followed in it."""

    start: datetime
    end: datetime
    links: int


def by_group(clicks: Iterable[Hit], span: timedelta, least: int) -> dict[Group, list[Window]]:
    """The windows of each agent by itself, and of each network by itself."""
    groups: defaultdict[Group, list[Hit]] = defaultdict(list)
    for hit in clicks:
        for group in groups_of(hit):
            groups[group].append(hit)
    return {group: windows(members, span, least) for group, members in groups.items()}


def groups_of(hit: Hit) -> list[Group]:
    """What a hit has in common with others of the same maker: its agent, and its network where it has one."""
    near = network(hit.address)
    return [("agent", hit.agent), *([("network", near)] if near else [])]


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """The network of an address, as wide as one gateway uses; what is no address stands for itself."""
    try:
        ip = ipaddress.ip_address(address)
        if isinstance(ip, ipaddress.IPv6Address):  # old hits have IPv4 within IPv6
            ip = ip.ipv4_mapped or ip
        return str(ipaddress.ip_network((ip, _GATEWAY_BITS[ip.version]), strict=False))
    except ValueError:
        return address


def beginnings(near: str) -> list[str]:
    """How the addresses of a network begin, as they are written; none: it is no network."""
    try:
        found = ipaddress.ip_network(near)
    except ValueError:
        return []
    if found == _NOBODYS:
        return []
    ip = found.network_address
    if ip.version == 4:
        return [str(ip).rpartition(".")[0] + "."]
    groups = [f"{int(group, 16):x}" for group in ip.exploded.split(":")[:3]]
    written = [":".join(groups) + ":"]
    if groups[2] == "0":  # runs of zeros are left out
        written.append(str(ip))
    return written


def windows(clicks: Iterable[Hit], span: timedelta, least: int) -> list[Window]:
    """Find the stretches in which `least` different links were followed within `span`; overlaps are one."""
    ordered = sorted(clicks, key=lambda hit: hit.at)
    stretches: list[tuple[int, int]] = []
    within: Counter[tuple[str, int | None]] = Counter()
    end = 0
    for start, first in enumerate(ordered):
        while end < len(ordered) and ordered[end].at - first.at <= span:
            within[target(ordered[end])] += 1
            end += 1
        if len(within) >= least:
            overlaps = stretches and first.at <= ordered[stretches[-1][1] - 1].at
            begin = stretches.pop()[0] if overlaps else start
            stretches.append((begin, end))
        within[target(first)] -= 1
        if not within[target(first)]:
            del within[target(first)]
    return [
        Window(ordered[begin].at, ordered[end - 1].at, len({target(hit) for hit in ordered[begin:end]}))
        for begin, end in stretches
    ]


def target(hit: Hit) -> tuple[str, int | None]:
    """What was followed: score 3 and link 3 of a mail are two things."""
    return hit.kind, hit.link


def containing(found: Sequence[Window], at: datetime) -> Window | None:
    """The window that a moment falls into."""
    place = bisect_right(found, at, key=lambda window: window.start) - 1
    return found[place] if place >= 0 and at <= found[place].end else None


def in_words(window: Window) -> str:
    """Say how many links were followed in what time."""
    return f"{window.links} links within {seconds(window.end - window.start)}"


def seconds(span: timedelta) -> str:
    """Say how long."""
    return f"{max(1, round(span.total_seconds()))} s"
