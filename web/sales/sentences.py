"""Each line of the stream as a sentence for people, with its icon, who did it, and what can be looked up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from markupsafe import escape

from campaigns.records.customers.stream import Entry, Page, Unsent
from campaigns.records.history import Event
from web.reasons import reason
from web.sales import words
from web.sales.tellers import JUDGED, TELLERS
from web.sales.telling import Line, Telling, campaign, say


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with all that its line needs."""

    at: datetime
    contact: str | None  #: whom it is about
    by: str | None  #: who of us did it
    line: Line
    mail: str | None  #: address of the mail as it reads
    state: str | None  #: of the message, where it was sent or not


def tell(page: Page, customer: int, staff: Mapping[str, str]) -> list[Shown]:
    """Turn a page of the stream into lines; `staff` names those of us by mail address."""
    return [_shown(page, customer, entry, staff) for entry in page.entries]


def _shown(page: Page, customer: int, entry: Entry, staff: Mapping[str, str]) -> Shown:
    line = _unsent(page, entry) if isinstance(entry, Unsent) else _event(page, entry)
    by = None if isinstance(entry, Unsent) else entry.detail.get("by")
    mail, state = None, None
    if entry.run is not None and entry.seq is not None:
        known = page.mails.get((entry.run, entry.seq))
        sent = not isinstance(entry, Unsent) and entry.kind == "sent"
        state = known.state if known and sent and known.state != "sent" else None
        if sent or (known and not isinstance(entry, Unsent) and entry.kind in {"failed", "unknown"}):
            mail = url_for("customers.mail", customer=customer, run=entry.run, seq=entry.seq)
    contact = page.contacts.get(entry.contact) if entry.contact is not None else None
    return Shown(entry.at, contact, staff.get(str(by), str(by)) if by else None, line, mail, state)


def _unsent(page: Page, entry: Unsent) -> Line:
    why = words.gate(entry.gate, entry.topic)
    told = say(_("Not mailed: %(why)s. Campaign: %(campaign)s"), why=why, campaign=campaign(page, entry.run))
    return Line("mail-off", told, quiet=True)


def _event(page: Page, event: Event) -> Line:
    telling = Telling(page, event)
    teller = TELLERS.get(event.kind)
    line = teller(telling) if teller else Line("circle-dot", escape(event.kind))
    return _judged(line, telling) if event.kind in JUDGED else line


def _judged(line: Line, told: Telling) -> Line:
    """Say who did it: a proxy's or a machine's doing is no sign of the person."""
    who = told.event.verdict
    reasons = told.detail.get("reasons")
    facts = (
        ((_("Why we think so"), "; ".join(reason(str(one)) for one in reasons)),)
        if isinstance(reasons, list) and reasons
        else ()
    )
    quiet = who in {"machine", "privacy"}
    tone = line.tone if who == "human" else ""
    return replace(line, verdict=who, facts=(*line.facts, *facts), quiet=quiet, tone=tone)
