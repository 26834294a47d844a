"""The way out: the mail server."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from campaigns.config import Settings
from campaigns.delivery.smtp.target import Security, is_loopback, read_target
from campaigns.delivery.smtp.trying import Session, try_server
from campaigns.doctor.findings import Finding, bad, ok, warn
from campaigns.errors import BackendError, BadSettings

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
