"""Sign-up forms: whether people confirm, and whether their browsers can prove work."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from campaigns.config import Settings
from campaigns.doctor.findings import Finding, ok, warn
from campaigns.doctor.store import is_missing
from campaigns.records import forms
from campaigns.records.forms import SignUpForm
from campaigns.wiring import open_stores

NEAR = frozenset({"localhost", "127.0.0.1", "::1"})


def examine_forms(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at each form that takes sign-ups; the store has findings of its own."""
    taking = [form for form in _forms(settings) if form.is_open]
    for form in taking:
        check = f"sign-up form {form.key}"
        if form.is_halted(now):
            found = f"halted until {form.halted_until:%Y-%m-%d %H:%M} UTC: hardly anybody confirms its mails"
            cure = "Look at its last sign-ups on its page; switch it off if robots fill it in."
            yield warn(check, found, cure)
        else:
            yield ok(check, "on, and people confirm")
    parts = urlsplit(settings.public_url)
    if taking and parts.scheme != "https" and parts.hostname not in NEAR:
        found = "the public address is plain http: browsers prove no work there, so few sign-ups are taken"
        yield warn("sign-up forms", found, "Put TLS before it, and set POSTROOM_PUBLIC_URL to https://….")


def _forms(settings: Settings) -> list[SignUpForm]:
    """The forms, or none where the store cannot tell."""
    if is_missing(settings.database_url):
        return []
    stores = open_stores(settings.database_url)
    try:
        with stores.readers() as session:
            return forms.listing(session)
    except SQLAlchemyError:
        return []
    finally:
        stores.engine.dispose()
