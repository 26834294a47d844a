"""The way out: the mail server, and what the DNS says of the senders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import dns.resolver

from campaigns.config import Settings
from campaigns.delivery.domains import Unasked, domain_policies, mail_servers, open_resolver, sender_policies
from campaigns.delivery.smtp.target import Security, is_loopback, read_target
from campaigns.delivery.smtp.trying import Session, try_server
from campaigns.doctor.findings import Finding, bad, ok, warn
from campaigns.errors import BackendError, BadSettings
from campaigns.values import Sender

AT_ONCE = 8  #: senders whose DNS is asked at the same time
MOST_SENDERS = 50
SOON = timedelta(days=14)


def examine_server(settings: Settings, env: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Try the mail server; no mail is sent."""
    if "POSTROOM_SMTP_URL" not in env:
        found = "none is named: mails go to the local catcher, nobody receives them"
        yield warn("mail server", found, "Set POSTROOM_SMTP_URL: smtps://user:password@host:465")
        return
    try:
        target = read_target(settings.smtp_url)
        session = try_server(target)
    except BadSettings as error:
        yield bad("mail server", str(error), "Correct POSTROOM_SMTP_URL.")
    except BackendError as error:
        cure = "Check host, port, user and password in POSTROOM_SMTP_URL, and that this machine may reach it."
        yield bad("mail server", str(error), cure)
    else:
        login = f", logged in as {target.user}" if target.user else ", without a login"
        yield ok("mail server", f"{target} answers{login}")
        yield _encryption(session, target.security, loopback=is_loopback(target.host))
        yield from examine_session(session, now)


def _encryption(session: Session, security: Security, *, loopback: bool) -> Finding:
    if session.tls:
        return ok("mail server: encryption", f"{session.tls}, certificate verified")
    if loopback:
        return ok("mail server: encryption", "none; the server is this machine")
    cure = "Use smtp+starttls:// or smtps://." if security is Security.PLAIN else ""
    return warn("mail server: encryption", "none: everyone on the way can read the mails", cure)


def examine_session(session: Session, now: datetime) -> Iterator[Finding]:
    """Judge what the server offers."""
    if not session.offer.pipelining:
        cure = (
            "Ask its keeper to offer PIPELINING (Postfix does): without it sending is several times slower."
        )
        yield warn("mail server: pipelining", "not offered", cure)
    if session.certificate_until is not None and session.certificate_until < now + SOON:
        found = f"ends on {session.certificate_until:%Y-%m-%d}"
        yield warn(
            "mail server: certificate", found, "Ask its keeper to renew it: afterwards nothing is sent."
        )


def examine_senders(
    senders: Sequence[Sender], resolver: dns.resolver.Resolver | None = None
) -> list[Finding]:
    """Ask the DNS about each sender's domains; without a network that is said, and no more."""
    if not senders:
        return [warn("senders", "there is none yet", "Add one in the pages: Settings, Senders.")]
    try:
        asking = resolver or open_resolver()
    except Unasked as error:
        return [_unasked("senders: DNS", error)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda sender: list(_sender(sender, asking)), senders[:MOST_SENDERS])
        return list(dict.fromkeys(finding for findings in found for finding in findings))


def _sender(sender: Sender, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    own = sender.address.rpartition("@")[2].lower()
    bounce = sender.bounce_domain.lower()
    yield from _asked(f"{bounce}: MX", lambda check: _mx(check, bounce, resolver))
    yield from _asked(f"{bounce}: SPF", lambda check: _spf(check, bounce, resolver))
    yield from _asked(f"{own}: DMARC", lambda check: _dmarc(check, own, resolver))
    if not _under_one_roof(own, bounce):
        cure = f"Use a bounce domain under {own}, or SPF does not speak for the sender (DMARC alignment)."
        yield warn(f"{own}: alignment", f"returned mail goes to {bounce}", cure)


def _asked(check: str, ask: Callable[[str], Finding]) -> Iterator[Finding]:
    try:
        yield ask(check)
    except Unasked as error:
        yield _unasked(check, error)


def _unasked(check: str, error: Unasked) -> Finding:
    return warn(check, f"could not ask: {error}", "Ask again where there is a network and a name server.")


def _mx(check: str, domain: str, resolver: dns.resolver.Resolver) -> Finding:
    servers = mail_servers(domain, resolver)
    if not servers:
        cure = f"Add an MX record for {domain} that names the server which fills POSTROOM_BOUNCE_MAILDIR."
        return bad(check, "no server takes mail: what bounces is never known", cure)
    return ok(check, ", ".join(servers[:4]))


def _spf(check: str, domain: str, resolver: dns.resolver.Resolver) -> Finding:
    records = sender_policies(domain, resolver)
    if not records:
        cure = f'Add a TXT record to {domain}: "v=spf1 include:your-mail-server ~all".'
        return warn(check, "no record: large providers refuse such mail", cure)
    if len(records) > 1:
        return bad(check, f"{len(records)} records: receivers take that for an error", "Leave one.")
    if {"+all", "all"} & set(records[0].lower().split()):
        return bad(check, f"{records[0][:120]}: everyone may send in your name", "End it with ~all or -all.")
    return ok(check, records[0][:120])


def _dmarc(check: str, domain: str, resolver: dns.resolver.Resolver) -> Finding:
    records = domain_policies(domain, resolver)
    if not records:
        cure = (
            f'Add a TXT record to _dmarc.{domain}: "v=DMARC1; p=none; rua=mailto:...", and tighten it later.'
        )
        return warn(check, "no record: large providers want one of bulk senders", cure)
    if len(records) > 1:
        return bad(check, f"{len(records)} records: receivers ignore them all", "Leave one.")
    return ok(check, records[0][:120])


def _under_one_roof(one: str, other: str) -> bool:
    return (
        one == other
        or one.endswith(f".{other}")
        or other.endswith(f".{one}")
        or one.split(".")[-2:] == other.split(".")[-2:]
    )
