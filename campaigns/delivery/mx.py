"""Who takes the mail of a domain: MX records asked for many domains at once, with patience for none."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from enum import StrEnum

import dns.exception
import dns.name
import dns.resolver

from campaigns.delivery.domains import Unasked, addresses
from campaigns.delivery.lanes import OTHER, lane_of_servers

AT_ONCE = 32  #: questions
FIRST = 8  #: asked alone: if nobody answers any of them, the others are not asked
KNOWN = ("gmail.com", "outlook.com", "gmx.net")  #: asked beside domains that are missing: they never are
LONGEST = 253  #: signs of a domain
#: What is never a stranger's domain (RFC 2606, RFC 6761): nobody is asked about it.
OURS_ALONE = frozenset(
    {"example", "test", "invalid", "localhost", "local", "onion"}
    | {"example.com", "example.net", "example.org"}
)


class Mail(StrEnum):
    """What the DNS says of a domain's mail."""

    TAKEN = "taken"  #: some server takes it
    REFUSED = "refused"  #: a null MX: the domain takes none
    MISSING = "missing"  #: there is no such domain, or no server for its mail
    UNHEARD = "unheard"  #: no name server answered; this says nothing


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of one domain."""

    domain: str
    mail: Mail
    lane: str = OTHER
    servers: str = ""  #: names of its mail servers, the best first


def ask_all(domains: Sequence[str], resolver: dns.resolver.Resolver) -> list[Heard]:
    """Ask about many domains at once; where nobody answers about the first few, the rest is unheard.

    A resolver that denies everything (of a captive network, or a firewall) is believed in nothing.
    """
    heard = list(_asked(domains, resolver))
    if all(one.mail is not Mail.MISSING for one in heard) or not denies_all(resolver):
        return heard
    return [Heard(one.domain, Mail.UNHEARD) if one.mail is Mail.MISSING else one for one in heard]


def denies_all(resolver: dns.resolver.Resolver) -> bool:
    """Whether a name server denies even those domains that are never missing."""
    # that all of a round are missing proves nothing: those that were missing once are asked together
    fresh = _unremembering(resolver)
    return any(ask(one, fresh).mail is Mail.MISSING for one in KNOWN)


def answers_about_known(resolver: dns.resolver.Resolver) -> bool:
    """Whether a name server answers about any of the domains that are never missing."""
    fresh = _unremembering(resolver)
    return any(ask(one, fresh).mail is Mail.TAKEN for one in KNOWN)


def _unremembering(resolver: dns.resolver.Resolver) -> dns.resolver.Resolver:
    """The same name servers, asked anew: what they said an hour ago does not tell how they are now."""
    fresh = copy(resolver)
    fresh.cache = None
    return fresh


def _asked(domains: Sequence[str], resolver: dns.resolver.Resolver) -> Iterator[Heard]:
    with ThreadPoolExecutor(AT_ONCE, "mx") as pool:
        first = list(pool.map(lambda domain: ask(domain, resolver), domains[:FIRST]))
        yield from first
        if first and all(one.mail is Mail.UNHEARD for one in first):
            yield from (Heard(domain, Mail.UNHEARD) for domain in domains[FIRST:])
        else:
            yield from pool.map(lambda domain: ask(domain, resolver), domains[FIRST:])


def ask(domain: str, resolver: dns.resolver.Resolver) -> Heard:
    """Ask about one domain; a host without MX takes its own mail.

    Source: RFC 5321 §5.1, RFC 7505 (a lone "." refuses all mail).
    """
    try:
        found = resolver.resolve(domain, "MX", search=False)
    except dns.resolver.NoAnswer:
        return _by_address(domain, resolver)
    except (dns.resolver.NXDOMAIN, dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong):
        return Heard(domain, Mail.MISSING)
    except (dns.exception.DNSException, OSError, UnicodeError):
        return Heard(domain, Mail.UNHEARD)
    records = sorted((record.preference, record.exchange.to_text().rstrip(".").lower()) for record in found)
    hosts = [host for _, host in records if host]
    if not hosts:
        return Heard(domain, Mail.REFUSED)
    return Heard(domain, Mail.TAKEN, lane_of_servers(hosts), " ".join(hosts)[:500])


def is_askable(domain: str) -> bool:
    """Whether a domain may be a stranger's: it has a dot, and no name that stands for an example."""
    parts = domain.split(".")
    return (
        len(domain) <= LONGEST
        and len(parts) > 1
        and all(parts)
        and parts[-1] not in OURS_ALONE
        and ".".join(parts[-2:]) not in OURS_ALONE
    )


def _by_address(domain: str, resolver: dns.resolver.Resolver) -> Heard:
    try:
        return Heard(domain, Mail.TAKEN if addresses(domain, resolver) else Mail.MISSING)
    except Unasked:
        return Heard(domain, Mail.UNHEARD)
