"""What the DNS says of a domain, as it says it; what that means is for others to tell."""

import re

import dns.exception
import dns.resolver
import dns.reversename

PATIENCE = 3.0  #: seconds for one question, repeats included
NOTHING = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)
KEPT = 500  #: answers, for as long as they hold
TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", re.DOTALL)


class Unasked(Exception):
    """No name server answered; this says nothing about the name."""


def open_resolver() -> dns.resolver.Resolver:
    """Make what asks the machine's own name servers.

    Raises:
        Unasked: the machine names none.
    """
    try:
        resolver = dns.resolver.Resolver()
    except dns.exception.DNSException as error:
        raise Unasked(str(error)) from error
    resolver.lifetime = PATIENCE
    resolver.cache = dns.resolver.LRUCache(KEPT)
    return resolver


def mail_servers(domain: str, resolver: dns.resolver.Resolver) -> list[str]:
    """Where mail to this domain goes, best first; empty: nowhere. A host without MX takes its own mail.

    Raises:
        Unasked: no name server answered.

    Source: RFC 5321 §5.1, RFC 7505 (a lone "." refuses all mail).
    """
    found = exchangers(domain, resolver)
    if found:
        return [host for host in found if host]
    return [domain] if addresses(domain, resolver) else []


def exchangers(domain: str, resolver: dns.resolver.Resolver) -> list[str]:
    """The hosts of a domain's MX records, best first; an empty one is the "." that refuses all mail.

    Raises:
        Unasked: no name server answered.
    """
    found = sorted(_ask(domain, "MX", resolver), key=lambda text: int(text.partition(" ")[0]))
    return [text.partition(" ")[2].rstrip(".") for text in found]


def addresses(host: str, resolver: dns.resolver.Resolver) -> list[str]:
    """A host's addresses.

    Raises:
        Unasked: no name server answered.
    """
    return _ask(host, "A", resolver) + _ask(host, "AAAA", resolver)


def host_names(address: str, resolver: dns.resolver.Resolver) -> list[str]:
    """The names that an address claims (PTR).

    Raises:
        Unasked: no name server answered.
    """
    name = dns.reversename.from_address(address).to_text()
    return [found.rstrip(".") for found in _ask(name, "PTR", resolver)]


def texts(name: str, resolver: dns.resolver.Resolver) -> list[str]:
    """TXT records, their pieces joined: whatever bytes a stranger put there, as text.

    Raises:
        Unasked: no name server answered.
    """
    try:
        answer = resolver.resolve(name, "TXT", search=False)
    except NOTHING:
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise Unasked(str(error)) from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def tagged(name: str, version: str, resolver: dns.resolver.Resolver) -> list[str]:
    """Those TXT records that begin with a version, such as v=DMARC1.

    Raises:
        Unasked: no name server answered.
    """
    found = texts(name, resolver)
    return [
        text for text in found if next(iter(tags(text.partition(";")[0]).items()), None) == ("v", version)
    ]


def tags(text: str) -> dict[str, str]:
    """Read a record of tags (name=value; …); what is none, or comes twice, is left out.

    Source: RFC 6376 §3.2, as DMARC, MTA-STS, TLS-RPT and BIMI write it too.
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        if (tag := TAG.fullmatch(part)) is not None:
            found.setdefault(tag[1].lower(), tag[2])
    return found


def _ask(name: str, kind: str, resolver: dns.resolver.Resolver) -> list[str]:
    try:
        return [record.to_text() for record in resolver.resolve(name, kind, search=False)]
    except NOTHING:
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise Unasked(str(error)) from error
