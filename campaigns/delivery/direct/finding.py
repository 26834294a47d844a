"""Which servers take a domain's mail, and in which order they are asked."""

import re
from itertools import groupby
from typing import NamedTuple

import dns.exception
import dns.name
import dns.resolver

from campaigns.delivery.domains import Unasked, addresses
from campaigns.delivery.mx import denies_all
from campaigns.values import Outcome, OutcomeKind

LONGEST = 100  #: signs of a domain that are shown

#: The name of a host; a stranger's records may hold any bytes.
HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")

Tiers = tuple[tuple[str, ...], ...]  #: hosts; those of equal preference together, the best first


class Found(NamedTuple):
    """What was found of a domain: its servers, or what becomes of its mail without any."""

    tiers: Tiers = ()
    instead: Outcome | None = None
    unheard: bool = False  #: no name server answered; this says nothing of the domain


def find(domain: str, resolver: dns.resolver.Resolver) -> Found:
    """Ask for a domain's mail servers; a host without MX takes its own mail.

    That a domain is missing is believed only of a name server that knows those that are never missing.

    Source: RFC 5321 §5.1, RFC 7505 (a lone "." refuses all mail).
    """
    shown = domain[:LONGEST]
    if not HOST.fullmatch(domain):
        return _never("5.1.2", "The address names no domain that mail can go to.")
    try:
        answer = resolver.resolve(domain, "MX", search=False)
        records = sorted((one.preference, one.exchange.to_text().rstrip(".").lower()) for one in answer)
    except dns.resolver.NoAnswer:
        return _by_address(domain, resolver)
    except (dns.resolver.NXDOMAIN, dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong):
        return _missing(f"There is no domain {shown}.", resolver)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return _unheard(shown, error)
    if not any(host for _, host in records):
        return _never("5.1.10", f"{shown} takes no mail (null MX).")
    return _in_tiers(shown, [(preference, host) for preference, host in records if HOST.fullmatch(host)])


def _in_tiers(shown: str, records: list[tuple[int, str]]) -> Found:
    if not records:
        return Found((), deferred("4.4.4", f"{shown} names its mail servers by what is no host's name."))
    equals = groupby(records, key=lambda record: record[0])
    return Found(tuple(tuple(dict.fromkeys(host for _, host in tier)) for _, tier in equals))


def _by_address(domain: str, resolver: dns.resolver.Resolver) -> Found:
    try:
        if addresses(domain, resolver):
            return Found(((domain,),))
    except Unasked as error:
        return _unheard(domain[:LONGEST], error)
    return _missing(f"{domain[:LONGEST]} has neither a mail server (MX) nor an address.", resolver)


def _missing(text: str, resolver: dns.resolver.Resolver) -> Found:
    if denies_all(resolver):
        return Found((), deferred("4.4.3", f"{text} But our name server denies every domain."), unheard=True)
    return _never("5.1.2", text)


def _unheard(shown: str, error: Exception) -> Found:
    return Found((), deferred("4.4.3", f"No name server answers about {shown}: {error}"), unheard=True)


def _never(enhanced: str, text: str) -> Found:
    return Found((), Outcome(OutcomeKind.FAILED, None, enhanced, text))


def deferred(enhanced: str, text: str) -> Outcome:
    """Surely not handed over; to be tried again later."""
    return Outcome(OutcomeKind.DEFERRED, None, enhanced, text[:500])
