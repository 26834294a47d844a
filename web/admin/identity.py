"""Whether the world takes a sender's mail for ours: what the DNS says, and the keys that sign."""

from flask import current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.delivery.dkim import Algorithm
from campaigns.delivery.dkim_keys import Vault, record_name, record_text, zone_line
from campaigns.delivery.domains import open_resolver
from campaigns.doctor.findings import Finding, Told
from campaigns.doctor.senders import Identity, ask, checks_of, delivering_host_of
from campaigns.doctor.ways import ways_of
from campaigns.doctor.welcome import more_checks_of
from campaigns.errors import NotAllowed
from campaigns.flows import keying
from campaigns.records import dkim_keys, senders
from campaigns.records.dkim_keys import DkimKey, KeyState
from web.admin.desk import settings
from web.session import read, routing, write
from web.session import settings as installation


@settings.get("/senders/<int:sender_id>/dns")
def sender_dns(sender_id: int) -> ResponseReturnValue:
    """Show what the DNS says of a sender, and what it should say; it is asked at once."""
    with read() as session:
        sender = senders.get(session, sender_id)
        keys = dkim_keys.listing(session)
    ways = ways_of(routing(), sender)
    identity = Identity.of(sender, keys, delivering_host_of(routing(), sender), ways)
    now = utc_now()
    resolver = current_app.extensions.get("resolver")
    must = ask(f"{identity.own}: DNS", checks_of(identity, now), resolver)
    more = ask(f"{identity.own}: DNS", more_checks_of(identity), resolver) if not _unasked(must) else []
    return render_template(
        "admin/identity.html",
        number=sender_id,
        sender=sender,
        identity=identity,
        must=must,
        more=more,
        keys=_rows(identity.keys),
        heard=not _unasked(must),
        tell=tell,
        now=now,
    )


@settings.post("/senders/<int:sender_id>/keys")
def make_key(sender_id: int) -> ResponseReturnValue:
    """Make a sender's first key, or new ones in the place of those that sign."""
    vault, now = Vault(installation().secret), utc_now()
    try:
        with write() as session:
            sender = senders.get(session, sender_id)
            identity = Identity.of(sender, dkim_keys.listing(session))
            if dkim_keys.chosen(identity.keys):
                made = keying.rotate(session, vault, identity.keys[0].domain, now=now)
            else:
                _require_none_waits(identity)
                made = [keying.make(session, vault, identity.own, Algorithm.RSA, now=now)]
    except NotAllowed:
        flash(_("A key waits for its record already."), "warning")
    else:
        names = ", ".join(key.selector for key in made)
        flash(_("Key %(names)s was made. It signs once its record was seen.", names=names), "success")
    return redirect(url_for("settings.sender_dns", sender_id=sender_id))


@settings.post("/senders/<int:sender_id>/keys/check")
def check_keys(sender_id: int) -> ResponseReturnValue:
    """Look for the records of a sender's keys that wait; those that are there sign from now on."""
    with read() as session:
        identity = Identity.of(senders.get(session, sender_id), dkim_keys.listing(session))
    waiting = [key for key in identity.keys if key.active_from is None and key.retired_at is None]
    ready = keying.visible(waiting, current_app.extensions.get("resolver") or open_resolver())
    with write() as session:
        keying.activate(session, ready, now=utc_now())
    for key in ready:
        flash(_("Key %(name)s signs from now on.", name=key.selector), "success")
    for key in waiting:
        if key not in ready:
            flash(_("The record of key %(name)s is not there yet.", name=key.selector), "warning")
    return redirect(url_for("settings.sender_dns", sender_id=sender_id))


def tell(text: str) -> str:
    """Say a finding's words in the reader's language; what others wrote stays as it is."""
    if not isinstance(text, Told):
        return text
    values = {name: tell(value) if isinstance(value, str) else value for name, value in text.values.items()}
    words: str = _(text.pattern, **values) if values else _(text.pattern)
    return words


def _require_none_waits(identity: Identity) -> None:
    if any(key.active_from is None and key.retired_at is None for key in identity.keys):
        raise NotAllowed("a key waits")


def _rows(keys: tuple[DkimKey, ...]) -> list[tuple[DkimKey, KeyState, str]]:
    """The keys that are not retired, with their states and records."""
    state = dkim_keys.states(keys)
    return [
        (
            key,
            state[key.id],
            zone_line(record_name(key.selector, key.domain), record_text(key.algorithm, key.public)),
        )
        for key in keys
        if key.retired_at is None
    ]


def _unasked(found: list[Finding]) -> bool:
    """Whether nobody answered at all."""
    return all("could not ask" in one.found for one in found if ": DKIM" not in one.check)
