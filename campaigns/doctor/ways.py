"""What a sender's ways out write anew: providers sign by keys of their own, and take mail back themselves."""

from collections.abc import Iterator
from typing import NamedTuple

import dns.resolver

from campaigns.delivery.domains import tags, texts
from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.providers.calling import calling
from campaigns.delivery.routes import Routing
from campaigns.doctor.findings import Finding, bad, ok, told
from campaigns.values import Sender, TopicClass


class Ways(NamedTuple):
    """How a sender's mail leaves, as its routes say."""

    returned: bool = True  #: some of it comes back to our own return address
    signed: bool = True  #: some of it may carry our signature
    providers: tuple[str, ...] = ()  #: kinds of those that sign, or take back, by themselves


OURS = Ways()  #: all by servers that change nothing


def ways_of(routing: Routing, sender: Sender) -> Ways:
    """Look where the routes of a sender lead, for topics of every class and to every lane."""
    routes = [route for each in TopicClass for route in routing.routes_of(each, sender.address)]
    accounts = [
        routing.accounts[name] for name in dict.fromkeys(name for one in routes for name in one.names())
    ]
    can = [PROVIDERS[one.kind].capabilities for one in accounts]
    kinds = [called.kind for one in accounts if (called := calling(one)) and called.kind != "http"]
    return Ways(
        any(one.envelope_sender for one in can),
        any(one.own_signature for one in can),
        tuple(dict.fromkeys(kinds)),
    )


def examine_provider(
    kind: str, domain: str, check: str, resolver: dns.resolver.Resolver
) -> Iterator[Finding]:
    """Look whether a provider's key for a domain is there: without it nobody whom readers see has signed.

    Raises:
        Unasked: no name server answered.

    Source: RFC 9989 §4.4; RFC 6376 §3.6.1.
    """
    provider = PROVIDERS[kind]
    name = provider.title.partition(" (")[0].partition(",")[0]
    if not provider.selectors:
        yield ok(
            check,
            told(
                "%(provider)s names its keys itself; its own pages tell whether %(domain)s is verified",
                provider=name,
                domain=domain,
            ),
        )
        return
    names = [f"{selector}._domainkey.{domain}" for selector in provider.selectors]
    there = [one for one in names if any(tags(text).get("p") for text in texts(one, resolver))]
    if there:
        yield ok(
            check,
            told("%(provider)s signs in its name; its key is there (%(name)s)", provider=name, name=there[0]),
        )
        return
    found = told(
        "there is no key of %(provider)s (%(names)s): nobody signs in the sender's name",
        provider=name,
        names=", ".join(names),
    )
    cure = told(
        "Verify %(domain)s at %(provider)s, and set the records that it shows.", domain=domain, provider=name
    )
    yield bad(check, found, cure)
