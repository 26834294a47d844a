"""SPF: who may send for a domain, how many questions that takes, and whether an address is among them.

Source: RFC 7208.
"""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import dns.resolver

from campaigns.delivery.domains import addresses, exchangers, texts

MOST_LOOKUPS = 10  #: then receivers call the record broken (§4.6.4)
MOST_VOIDS = 2  #: of them, those that found nothing
GIVE_UP = 30  #: lookups after which we count no further
MOST_NAMES = 10  #: mail servers of one mx
TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9._-]*)(?:([:=])([^\s/]+))?(/\S*)?")
WIDTHS = re.compile(r"(?:/(\d{1,2}))?(?://(\d{1,3}))?")
COUNTED = frozenset({"a", "mx", "ptr", "exists"})  # include and redirect are, where they are followed
RESULT = {"+": "pass", "": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass
class Reading:
    """What a record says, all that it includes among it."""

    lookups: int = 0
    voids: int = 0
    wrong: list[str] = field(default_factory=list)  #: what makes receivers give up, in words
    ending: str = ""  #: what it says of all others: pass, fail, softfail, neutral; empty: nothing
    result: str = "neutral"  #: for the address that was asked about


def records(domain: str, resolver: dns.resolver.Resolver) -> list[str]:
    """The SPF records of a domain; more than one is an error.

    Raises:
        Unasked: no name server answered.

    Source: §4.5.
    """
    found = texts(domain, resolver)
    return [text for text in found if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def read(domain: str, record: str, resolver: dns.resolver.Resolver, address: str | None = None) -> Reading:
    """Read a domain's record and all that it includes; the result is for the address, if one is given.

    Raises:
        Unasked: no name server answered.
    """
    reader = _Reader(resolver, address)
    reader.reading.result = reader.follow(domain, record, outermost=True) or "neutral"
    if reader.reading.lookups > MOST_LOOKUPS:
        reader.reading.wrong.append(f"{reader.reading.lookups} lookups; receivers stop after {MOST_LOOKUPS}")
    if reader.reading.voids > MOST_VOIDS:
        reader.reading.wrong.append(f"{reader.reading.voids} lookups find nothing; {MOST_VOIDS} may")
    return reader.reading


class _Reader:
    def __init__(self, resolver: dns.resolver.Resolver, address: str | None) -> None:
        self.reading = Reading()
        self._resolver = resolver
        self._address = ip_address(address) if address else None
        self._inside: list[str] = []

    def follow(self, domain: str, record: str, *, outermost: bool = False) -> str | None:
        """The result of one record; all of its terms are counted, also those behind the one that matches."""
        self._inside.append(domain)
        result, ended, redirect = None, False, ""
        for word in record.split()[1:]:
            term = TERM.fullmatch(word)
            if term is None:
                self._wrong(f"{domain}: {word[:60]!r} cannot be read")
                continue
            sign, name, value = term[1], term[2].lower(), term[4] or ""
            if term[3] == "=":
                redirect = value if name == "redirect" else redirect
            elif ended:
                continue
            elif name == "all":
                ended, result = True, result or RESULT[sign]
                self.reading.ending = RESULT[sign] if outermost else self.reading.ending
            elif self._matches(name, value, term[5] or "", domain):
                result = result or RESULT[sign]
        if redirect and not ended:
            later = self._included(redirect, "redirect", outermost=outermost)
            result = result or later
        self._inside.pop()
        return result

    def _matches(self, name: str, value: str, width: str, domain: str) -> bool:
        self.reading.lookups += name in COUNTED
        if self.reading.lookups > GIVE_UP or "%" in value:  # macros depend on the mail
            return False
        if name == "include":
            return self._included(value, name) == "pass"
        if name in {"ip4", "ip6"}:
            return self._within(value + width)
        if name == "a":
            return self._hosts([value or domain], width)
        if name == "mx":
            found = exchangers(value or domain, self._resolver)
            if not found:
                self.reading.voids += 1
            if len(found) > MOST_NAMES:
                self._wrong(f"{value or domain} has {len(found)} mail servers; {MOST_NAMES} may be asked for")
            return self._hosts(found[:MOST_NAMES], width) if self._address else False
        if name not in {"exists", "ptr"}:
            self._wrong(f"{domain}: {name!r} is no mechanism")
        return False

    def _included(self, domain: str, why: str, *, outermost: bool = False) -> str | None:
        self.reading.lookups += 1
        if self.reading.lookups > GIVE_UP or "%" in domain:
            return None
        if domain in self._inside:
            self._wrong(f"{domain} includes itself")
            return None
        found = records(domain, self._resolver)
        if len(found) != 1:
            self.reading.voids += not found
            self._wrong(f"{why}: {domain} has {len(found) or 'no'} SPF record{'s' * (len(found) > 1)}")
            return None
        return self.follow(domain, found[0], outermost=outermost)

    def _hosts(self, names: list[str], width: str) -> bool:
        found = [one for name in names if name for one in addresses(name, self._resolver)]
        if not found:
            self.reading.voids += 1
        if (widths := WIDTHS.fullmatch(width)) is None:
            self._wrong(f"{width[:60]!r} is no width")
            return False
        four, six = widths[1] or 32, widths[2] or 128
        return any(self._within(f"{one}/{six if ':' in one else four}") for one in found)

    def _within(self, network: str) -> bool:
        try:
            known = ip_network(network, strict=False)
        except ValueError:
            self._wrong(f"{network[:60]!r} is no network")
            return False
        return self._address is not None and self._address.version == known.version and self._address in known

    def _wrong(self, what: str) -> None:
        self.reading.wrong.append(what)
