"""Whether the world takes a sender's mail for ours: what the DNS says of its domains, and should say."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import dns.resolver

from campaigns.delivery import spf
from campaigns.delivery.dkim_keys import Published, published, record_name, record_text, zone_line
from campaigns.delivery.dmarc import GONE, POLICIES, VERSION, Standing, aligned, look_up
from campaigns.delivery.domains import Unasked, addresses, mail_servers, open_resolver
from campaigns.delivery.headers import ascii_domain
from campaigns.delivery.routes import Routing
from campaigns.delivery.smtp.target import is_loopback
from campaigns.doctor.findings import Finding, bad, ok, told, warn
from campaigns.doctor.ways import OURS as OWN
from campaigns.doctor.ways import Ways, examine_provider, ways_of
from campaigns.records.dkim_keys import DkimKey, KeyState, rested_until, states
from campaigns.values import Sender

AT_ONCE = 8  #: questions to the DNS at the same time
MOST_SENDERS = 50
SHOWN = 160  #: of a stranger's record

Check = Callable[[dns.resolver.Resolver], Iterable[Finding]]
Look = Callable[[str, dns.resolver.Resolver], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Identity:
    """A sender as the DNS knows it."""

    own: str  #: the domain of its address
    bounce: str
    keys: tuple[DkimKey, ...]  #: those that are its domain's, or the next domain's above
    host: str = ""  #: the server that delivers our mail to others; empty: unknown
    ways: Ways = OWN  #: how its mail leaves

    @classmethod
    def of(cls, sender: Sender, keys: Iterable[DkimKey], host: str = "", ways: Ways = OWN) -> "Identity":
        """The domains of a sender, with those of all keys that are for it."""
        own = ascii_domain(sender.address.rpartition("@")[2].lower())
        labels = own.split(".")
        above = [".".join(labels[at:]) for at in range(len(labels) - 1)] or [own]
        known = list(keys)
        near = next((name for name in above if any(key.domain == name for key in known)), own)
        return cls(
            own,
            ascii_domain(sender.bounce_domain.lower()),
            tuple(key for key in known if key.domain == near),
            host,
            ways,
        )


def delivering_host(smtp_url: str, sender: Sender) -> str:
    """The host that delivers a sender's mail to others, as far as can be told: a server of the sender's own.

    A provider's server that takes our mail is seldom the one that delivers it.
    """
    host = (urlsplit(smtp_url).hostname or "").lower()
    own = ascii_domain(sender.address.rpartition("@")[2].lower())
    return host if "." in host and not is_loopback(host) and _under_one_roof(host, own) else ""


def delivering_host_of(routing: Routing, sender: Sender) -> str:
    """The same among all accounts: this machine where it delivers, else a server of the sender's own."""
    ours = [one.options.get("hello", "") for one in routing.accounts.values() if one.kind == "direct"]
    if named := [name for name in ours if name]:
        return named[0].lower()
    urls = [one.options.get("url", "") for one in routing.accounts.values() if one.kind == "smtp"]
    return next((host for url in urls if (host := delivering_host(url, sender))), "")


def examine_senders(
    senders: Sequence[Sender],
    keys: Sequence[DkimKey],
    now: datetime,
    resolver: dns.resolver.Resolver | None = None,
    routing: Routing | None = None,
) -> list[Finding]:
    """Ask the DNS about each sender's domains; without a network that is said, and no more."""
    if not senders:
        return [warn("senders", "there is none yet", "Add one in the pages: Settings, Senders.")]
    known = [(one, OWN if routing is None else ways_of(routing, one)) for one in senders[:MOST_SENDERS]]
    identities = dict.fromkeys(Identity.of(sender, keys, ways=ways) for sender, ways in known)
    checks = [check for identity in identities for check in checks_of(identity, now)]
    return ask("senders: DNS", checks, resolver)


def ask(
    what: str,
    checks: Sequence[Check],
    resolver: dns.resolver.Resolver | None = None,
) -> list[Finding]:
    """Make checks, several at the same time; each finding once, in the checks' order."""
    try:
        asking = resolver or open_resolver()
    except Unasked as error:
        return [unasked(what, error)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda check: list(check(asking)), checks)
        return list(dict.fromkeys(finding for findings in found for finding in findings))


def checks_of(identity: Identity, now: datetime) -> list[Check]:
    """What must hold before a sender's mail is welcome anywhere.

    What receivers demand and is not there is bad; what may be so without our seeing it, a warning: whether
    the mail server signs (DKIM), whether it delivers from elsewhere (SPF).

    Source: Gmail's, Yahoo's and Outlook.com's rules for bulk senders.
    """
    own, bounce = identity.own, identity.bounce
    mine: dict[str, Look] = {
        f"{bounce}: MX": partial(_mx, bounce),
        f"{bounce}: SPF": partial(_spf, bounce, identity.host),
    }
    looks: dict[str, Look] = {
        **(mine if identity.ways.returned else {}),
        f"{own}: DKIM": partial(_dkim, identity, now),
        **{f"{own}: {kind}": partial(examine_provider, kind, own) for kind in identity.ways.providers},
        f"{own}: DMARC": partial(_dmarc, own),
        f"{own}: alignment": partial(_alignment, identity),
    }
    return [guarded_by(check, look) for check, look in looks.items()]


def guarded_by(check: str, look: Look) -> Check:
    """A check that says so if no name server answers."""

    def made(resolver: dns.resolver.Resolver) -> Iterator[Finding]:
        try:
            yield from look(check, resolver)
        except Unasked as error:
            yield unasked(check, error)

    return made


def unasked(check: str, error: Unasked) -> Finding:
    """Nobody could be asked."""
    cure = told("Ask again where there is a network and a name server.")
    return warn(check, told("could not ask: %(why)s", why=str(error)), cure)


def _mx(domain: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    servers = mail_servers(domain, resolver)
    if servers:
        yield ok(check, ", ".join(servers[:4]))
        return
    cure = told(
        "Add an MX record for %(domain)s that names your mail server, and let it hand the mail to Postroom: "
        "by a Maildir, a mailbox (IMAP, POP3) or a pipe.",
        domain=domain,
    )
    found = told("no server takes mail: what bounces is never known")
    yield bad(check, found, cure, f"{domain}. 3600 IN MX 10 your-mail-server.")


def _spf(domain: str, host: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    records = spf.records(domain, resolver)
    if not records:
        cure = told("Add a TXT record to %(domain)s that names the mail server.", domain=domain)
        sending = f"a:{host}" if host else "include:your-mail-server"
        found = told("no record: large providers refuse such mail")
        yield bad(check, found, cure, zone_line(domain, f"v=spf1 {sending} ~all"))
    elif len(records) > 1:
        found = told("%(count)s records: receivers take that for an error", count=len(records))
        yield bad(check, found, told("Leave one."))
    else:
        yield _spf_read(domain, host, records[0], check, resolver)


def _spf_read(domain: str, host: str, record: str, check: str, resolver: dns.resolver.Resolver) -> Finding:
    shown = record[:SHOWN]
    sending = addresses(host, resolver) if host else []
    asked: list[str | None] = [*sending] or [None]
    readings = [spf.read(domain, record, resolver, one) for one in asked]
    first = readings[0]
    if first.wrong:
        found = told(
            "%(record)s: receivers take it for an error: %(why)s", record=shown, why="; ".join(first.wrong)
        )
        return bad(check, found, told("Correct it; name networks (ip4:, ip6:) instead of including others."))
    if first.ending == "pass":
        found = told("%(record)s: everyone may send in your name", record=shown)
        return bad(check, found, told("End it with ~all or -all."))
    missing = [one for one, reading in zip(sending, readings, strict=False) if reading.result != "pass"]
    if missing:
        found = told(
            "%(record)s does not name %(host)s (%(missing)s)",
            record=shown,
            host=host,
            missing=", ".join(missing),
        )
        cure = told("If that server delivers the mail itself, add a:%(host)s.", host=host)
        return warn(check, found, cure)
    return ok(check, told("%(record)s (%(count)s of 10 lookups)", record=shown, count=first.lookups))


def _dkim(
    identity: Identity, now: datetime, check: str, resolver: dns.resolver.Resolver
) -> Iterator[Finding]:
    alive = [key for key in identity.keys if key.retired_at is None]
    if not alive and identity.ways.signed:
        found = told(
            "Postroom has no key for it: unless the mail server signs, large providers refuse the mail"
        )
        cure = told(
            "Run postroom dkim make %(domain)s, or see that the mail server signs.", domain=identity.own
        )
        yield warn(check, found, cure)
    state = states(identity.keys)
    for key in alive:
        until = rested_until(key, identity.keys)
        if until is None or until > now:
            yield judge_key(key, state[key.id], resolver)


def judge_key(key: DkimKey, state: KeyState, resolver: dns.resolver.Resolver) -> Finding:
    """Look a key's record up.

    Raises:
        Unasked: no name server answered.
    """
    name = record_name(key.selector, key.domain)
    seen = published(key.algorithm, key.public, resolver, name)
    check, line = (
        f"{key.domain}: DKIM {key.selector}",
        zone_line(name, record_text(key.algorithm, key.public)),
    )
    if seen is Published.SAME and state is KeyState.WAITING:
        cure = told("Run postroom dkim check %(domain)s: then it signs.", domain=key.domain)
        return warn(check, told("its record is there, and it waits to be let"), cure)
    if seen is Published.SAME:
        return ok(check, DKIM_STATES[state])
    if seen is Published.TESTED:
        return warn(check, told("its record is marked as a test (t=y)"), told("Remove t=y from it."), line)
    if state is KeyState.WAITING:
        cure = told("Set the record; then run postroom dkim check %(domain)s.", domain=key.domain)
        return warn(check, told("does not sign yet: %(what)s", what=SEEN[seen]), cure, line)
    if state is KeyState.RESTING:
        cure = told("Set the record again for some days.")
        return warn(check, told("signed mails that are still read: %(what)s", what=SEEN[seen]), cure, line)
    cure = told("Set the record at once, or retire the key: such mail is worse than unsigned.")
    return bad(check, told("signs, and nobody can verify it: %(what)s", what=SEEN[seen]), cure, line)


def _dmarc(domain: str, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    standing = look_up(domain, resolver)
    if standing.doubled:
        name = standing.doubled[0]
        found = told("%(name)s has several records: receivers ignore them all", name=f"_dmarc.{name}")
        yield bad(check, found, told("Leave one."))
    elif standing.policy is None:
        found = told("no record: large providers refuse bulk mail without one")
        cure = told("Add a TXT record to %(name)s, and tighten it later.", name=f"_dmarc.{domain}")
        line = zone_line(f"_dmarc.{domain}", f"v={VERSION}; p=none; rua=mailto:dmarc@{standing.organisation}")
        yield bad(check, found, cure, line)
    else:
        yield _dmarc_read(standing, check)


def _dmarc_read(standing: Standing, check: str) -> Finding:
    policy = standing.policy
    assert policy is not None, "asked of a domain without a policy"
    shown = policy.text[:SHOWN]
    if policy.tag("p").lower() not in POLICIES:
        found = told("%(record)s: without p= it asks for nothing", record=shown)
        return warn(check, found, told("Say p=none, p=quarantine or p=reject."))
    if gone := [name for name in GONE if policy.tag(name)]:
        found = told("%(record)s: nobody heeds %(tags)s any more", record=shown, tags=", ".join(gone))
        return warn(check, found, told("Remove what RFC 9989 has taken away; t=y stands for a trial."))
    return ok(check, shown)


def _alignment(identity: Identity, check: str, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    """Whether SPF and DKIM speak for the domain in the From header.

    Source: RFC 9989 §4.4.
    """
    own, bounce = look_up(identity.own, resolver), look_up(identity.bounce, resolver)
    if own.policy is None:  # then nothing says yet whose the domains are
        together, strict = _under_one_roof(identity.own, identity.bounce), False
    else:
        together = aligned(own, bounce, own.policy.tag("aspf", "r").lower())
        strict = own.policy.tag("adkim", "r").lower() == "s"
    if not together and identity.ways.returned:
        found = told("returned mail goes to %(bounce)s", bounce=identity.bounce)
        cure = told(
            "Use a bounce domain under %(domain)s, or SPF does not speak for the sender (DMARC alignment).",
            domain=identity.own,
        )
        yield warn(check, found, cure)
    signs = {key.domain for key in identity.keys if key.retired_at is None}
    if strict and signs and identity.own not in signs:
        found = told("the DMARC record wants signatures of %(domain)s itself (adkim=s)", domain=identity.own)
        yield warn(check, found, told("Make a key for %(domain)s.", domain=identity.own))


def _under_one_roof(one: str, other: str) -> bool:
    """Whether two domains look like one owner's."""
    below = one.endswith(f".{other}") or other.endswith(f".{one}")
    return one == other or below or one.split(".")[-2:] == other.split(".")[-2:]


DKIM_STATES: Mapping[KeyState, str] = {
    KeyState.SIGNING: told("signs; its record is there"),
    KeyState.RESTING: told("a newer key signs; its record is still there, as it should be"),
}
SEEN: Mapping[Published, str] = {
    Published.MISSING: told("there is no record"),
    Published.REVOKED: told("the record has no key"),
    Published.OTHER: told("another key stands there"),
    Published.SEVERAL: told("there are several records"),
}
