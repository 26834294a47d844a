"""A customer's record: who they are, what passed between us, what is open, what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from secrets import token_hex
from typing import Any

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_timezone

from campaigns.clock import utc_now
from campaigns.records import customers as store
from campaigns.records import staff
from campaigns.records.cases import KINDS as CASE_KINDS
from campaigns.records.customers import Cursor, Page
from campaigns.records.customers.acting import CHANNELS
from campaigns.records.customers.people import BUYING_ROLES
from campaigns.records.customers.stream import GROUPS
from campaigns.records.staff import Desk, Staff
from campaigns.values import Problem
from web.numbers import numbers_from
from web.sales.desk import customers, me
from web.sales.sentences import Shown, tell
from web.session import read

PAGE = 40


@dataclass(frozen=True, slots=True)
class Refused:
    """A form of the record that did not hold: it stands open on the page with what was typed."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on one day of the reader's."""

    on: date
    lines: list[Shown]


@customers.get("/<int:customer>", endpoint="show")
def show(customer: int) -> ResponseReturnValue:
    """Show a customer's record."""
    return render(customer)


def render(customer: int, refused: Refused | None = None) -> str:
    """Make the record's page; `refused` opens the form that did not hold."""
    now = utc_now()
    with read() as session:
        summary = store.summary(session, customer, now)
        page = _stream(session, customer)
        people = staff.listing(session)
    return render_template(
        "customers/show.html",
        summary=summary,
        title=summary.title,
        now=now,
        refused=refused or Refused(),
        once=token_hex(8),
        owners=[one for one in people if one.active],
        reps=[one for one in people if one.active and one.sits_at(Desk.SALES)],
        is_rep=me().sits_at(Desk.SALES),
        me=me(),
        groups=tuple(GROUPS),
        case_kinds=CASE_KINDS,
        channels=CHANNELS,
        buying_roles=BUYING_ROLES,
        **_of_stream(customer, page, people),
    )


@customers.get("/<int:customer>/stream", endpoint="stream")
def stream(customer: int) -> ResponseReturnValue:
    """Give the next lines of the stream, to be put where the button to them was."""
    with read() as session:
        title = store.get(session, customer).name
        page = _stream(session, customer)
        people = staff.listing(session)
    last = request.args.get("day", "")
    return render_template(
        "customers/stream.html", **_of_stream(customer, page, people), last=last, title=title
    )


def _stream(session: Any, customer: int) -> Page:
    return store.stream(
        session,
        customer,
        group=_group(),
        only_people=_only_people(),
        after=_cursor(),
        limit=PAGE,
    )


def _of_stream(customer: int, page: Page, people: Sequence[Staff]) -> dict[str, Any]:
    days = by_day(tell(page, customer, {one.email: one.name for one in people}))
    kept: dict[str, Any] = {"show": _group(), "people": "1" if _only_people() else None}
    further = {**kept, "from": str(page.next)} if page.next else None
    return {
        "days": days,
        "group": _group(),
        "only_people": _only_people(),
        "reading_on": _cursor() is not None,
        "customer_id": customer,
        "more_url": url_for("customers.show", customer=customer, **further) if further else None,
        "more_part": url_for("customers.stream", customer=customer, **further, day=days[-1].on.isoformat())
        if further and days
        else None,
    }


def by_day(lines: Sequence[Shown]) -> list[Day]:
    """Part lines, newest first, by the days of the reader's time zone."""
    days: list[Day] = []
    zone = get_timezone()
    for line in lines:
        on = line.at.astimezone(zone).date()
        if not days or days[-1].on != on:
            days.append(Day(on, []))
        days[-1].lines.append(line)
    return days


def _group() -> str | None:
    named = request.args.get("show", "")
    return named if named in GROUPS else None


def _only_people() -> bool:
    return request.args.get("people") == "1"


def _cursor() -> Cursor | None:
    """Where to read on; whatever else stands in the address is not understood."""
    text = request.args.get("from")
    if text is None:
        return None
    parts = text.split(".")
    read = numbers_from(parts)
    if len(parts) != len(Cursor._fields) or len(read) != len(parts):
        abort(400)
    return Cursor(*read)
