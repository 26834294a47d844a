"""DMARC: which policy holds for a domain, and whose domain it is.

Source: RFC 9989 §4.10: the tree of the DNS is walked up, at most eight questions, without a list of suffixes.
"""

from dataclasses import dataclass

import dns.resolver

from campaigns.delivery.domains import tagged, tags

VERSION = "DMARC1"
POLICIES = ("none", "quarantine", "reject")
#: Tags that RFC 9989 took away: nobody heeds them any more.
GONE = ("pct", "rf", "ri")
LONGEST_WALK = 7  #: labels of the second name that is asked, at most


@dataclass(frozen=True, slots=True)
class Policy:
    """A DMARC record and where it stands."""

    domain: str
    text: str

    def tag(self, name: str, default: str = "") -> str:
        """What a tag says."""
        return tags(self.text).get(name, default)

    def asks(self, domain: str) -> str:
        """What it asks receivers to do with mail from a domain that is not proven: none, quarantine, reject.

        Source: RFC 9989 §4.7: without a policy that can be read, none.
        """
        own = self.tag("p").lower()
        said = own if domain == self.domain else self.tag("sp", own).lower()
        return said if said in POLICIES else "none"


@dataclass(frozen=True, slots=True)
class Standing:
    """What DMARC makes of a domain."""

    domain: str
    organisation: str  #: the domain above which another owner begins
    policy: Policy | None
    doubled: tuple[str, ...] = ()  #: domains with several records, all of which are ignored


def look_up(domain: str, resolver: dns.resolver.Resolver) -> Standing:
    """Walk up from a domain.

    Raises:
        Unasked: no name server answered.
    """
    found: list[Policy] = []
    doubled: list[str] = []
    for name in steps(domain):
        records = tagged(f"_dmarc.{name}", VERSION, resolver)
        if len(records) > 1:
            doubled.append(name)
        elif records:
            found.append(Policy(name, records[0]))
            if found[-1].tag("psd").lower() in {"y", "n"}:
                break
    organisation = _organisation(domain, found)
    wanted = [one for one in found if one.domain == domain]
    wanted += [one for one in found if one.domain == organisation]
    wanted += [one for one in found if one.tag("psd").lower() == "y"]
    return Standing(domain, organisation, wanted[0] if wanted else None, tuple(doubled))


def steps(domain: str) -> list[str]:
    """The names that are asked, from the domain itself up."""
    labels = domain.rstrip(".").lower().split(".")
    rest = labels[1:][-LONGEST_WALK:]
    return [".".join(labels), *(".".join(rest[at:]) for at in range(len(rest)))]


def aligned(one: Standing, other: Standing, mode: str) -> bool:
    """Whether two domains belong together: as one (mode s), or under one organisation (mode r).

    Source: RFC 9989 §4.4.
    """
    return one.domain == other.domain if mode == "s" else one.organisation == other.organisation


def _organisation(domain: str, found: list[Policy]) -> str:
    for one in found:
        kind = one.tag("psd").lower()
        if kind == "n":
            return one.domain
        if kind == "y" and one.domain != domain:
            below = len(one.domain.split(".")) + 1
            return ".".join(domain.split(".")[-below:])
    return found[-1].domain if found else domain
