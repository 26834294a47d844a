"""What the DNS says of a sending domain: where its mail goes, who may send for it."""

import dns.exception
import dns.resolver

PATIENCE = 3.0  #: seconds for one question, repeats included
NOTHING = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


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
    return resolver


def mail_servers(domain: str, resolver: dns.resolver.Resolver) -> list[str]:
    """Where mail to this domain goes, best first; empty: nowhere. A host without MX takes its own mail.

    Raises:
        Unasked: no name server answered.

    Source: RFC 5321 §5.1, RFC 7505 (a lone "." refuses all mail).
    """
    found = sorted(_ask(domain, "MX", resolver), key=lambda text: int(text.partition(" ")[0]))
    if found:
        return [host for text in found if (host := text.partition(" ")[2].rstrip("."))]
    return [domain] if _ask(domain, "A", resolver) or _ask(domain, "AAAA", resolver) else []


def sender_policies(domain: str, resolver: dns.resolver.Resolver) -> list[str]:
    """The SPF records of a domain; more than one is an error.

    Raises:
        Unasked: no name server answered.

    Source: RFC 7208 §4.5.
    """
    texts = _texts(domain, resolver)
    return [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def domain_policies(domain: str, resolver: dns.resolver.Resolver) -> list[str]:
    """The DMARC records for mail from a domain: its own, else of the nearest domain above that has one.

    Raises:
        Unasked: no name server answered.

    Source: RFC 7489 §6.6.3.
    """
    labels = domain.rstrip(".").split(".")
    for at in range(max(1, len(labels) - 1)):
        texts = _texts("_dmarc." + ".".join(labels[at:]), resolver)
        if found := [text for text in texts if text.replace(" ", "").lower().startswith("v=dmarc1")]:
            return found
    return []


def _texts(name: str, resolver: dns.resolver.Resolver) -> list[str]:
    """TXT records, their pieces joined: whatever bytes a stranger put there, as text."""
    try:
        answer = resolver.resolve(name, "TXT", search=False)
    except NOTHING:
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise Unasked(str(error)) from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def _ask(name: str, kind: str, resolver: dns.resolver.Resolver) -> list[str]:
    try:
        return [record.to_text() for record in resolver.resolve(name, kind, search=False)]
    except NOTHING:
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise Unasked(str(error)) from error
