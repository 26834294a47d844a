"""Forget a person for good, on their wish: look at what goes, then do it, in one transaction."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.records import erasure, history, suppressions, traces
from campaigns.records.erasure import Plan
from campaigns.values import EventKind, Fact

REASON = "erasure"


def plan(session: Session, contact: int) -> Plan:
    """Count what would go; changes nothing.

    Raises:
        NotFound: there is no such contact.
    """
    whom = erasure.person(session, contact)
    found = erasure.plan(session, whom)
    found.emptied["raw calls of providers"] = traces.calls(session, whom.needles)
    return found


def erase(session: Session, contact: int, secret: bytes, *, actor: str, now: datetime) -> bool:
    """Forget a contact; False if that was done before, and what came in since is gone now as well.

    The keyed hashes of their addresses go onto the never-mail list, so that no import, form or campaign
    mails them again; the history says who did it and when.

    Raises:
        NotFound: there is no such contact.
    """
    whom = erasure.person(session, contact, held=True)
    hashed: Callable[[str], bytes] = suppressions.hasher(secret)
    hashes = [hashed(address) for address in whom.needles.emails]
    for one in hashes:
        suppressions.add(session, one, REASON, now=now, actor=actor)
        erasure.forget_evidence(session, one)
    erasure.forget_sign_ups(session, contact, hashes)
    erasure.erase(session, whom, now=now)
    traces.remove(session, contact, whom.needles)
    key = f"erased:{contact}"
    detail: dict[str, object] = {"by": actor}
    history.record(
        session, Fact(EventKind.ERASED, now, key, contact, whom.customer, source="staff", detail=detail)
    )
    return whom.erased_at is None
