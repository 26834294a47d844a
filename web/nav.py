"""The desks and their pages; a page shows as soon as its blueprint is registered."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import current_app, request
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.records import forms, outbox
from campaigns.records.staff import Desk, Staff
from web.session import read


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation."""

    label: LazyString
    endpoint: str  #: "campaigns.index"; the blueprint's name marks its pages as current
    icon: str
    counted: Callable[[Session], int] | None = None  #: shown only while there are any
    number: int = 0  #: how many there are, of what is counted

    @property
    def current(self) -> bool:
        """Tell whether the page shown is one of this entry's."""
        blueprint = self.endpoint.partition(".")[0]
        return request.blueprint == blueprint or (request.blueprint or "").startswith(blueprint + ".")


@dataclass(frozen=True, slots=True)
class DeskPages:
    """The pages of a desk."""

    desk: Desk
    label: LazyString
    entries: tuple[Entry, ...]


def _halted(session: Session) -> int:
    return forms.how_many_halted(session, utc_now())


DESKS = (
    DeskPages(
        Desk.MARKETING,
        _("Marketing"),
        (
            Entry(_("Home"), "home.index", "home"),
            Entry(_("Campaigns"), "campaigns.index", "send"),
            Entry(_("Journeys"), "journeys.index", "route"),
            Entry(_("Segments"), "segments.index", "filter"),
            Entry(_("Content"), "templates.index", "template"),
            Entry(_("Surveys"), "surveys.index", "forms"),
            Entry(_("Sign-up forms"), "forms.index", "user-plus"),
            Entry(_("Forms halted"), "halted.lead_to_halted", "alert-triangle", _halted),
            Entry(_("Reports"), "reports.index", "chart-bar"),
            Entry(_("In doubt"), "doubts.index", "alert-triangle", outbox.how_many),
            Entry(_("Caught mails"), "catcher.index", "mailbox"),
        ),
    ),
    DeskPages(
        Desk.SALES,
        _("Sales"),
        (
            Entry(_("Customers"), "customers.index", "users"),
            Entry(_("Responses"), "responses.index", "messages"),
            Entry(_("Tasks"), "tasks.index", "list-check"),
        ),
    ),
    DeskPages(
        Desk.SERVICE,
        _("Service"),
        (
            Entry(_("Look-up"), "lookup.index", "search"),
            Entry(_("Cases"), "cases.index", "lifebuoy"),
        ),
    ),
    DeskPages(
        Desk.ADMIN,
        _("Settings"),
        (
            Entry(_("Settings"), "settings.index", "settings"),
            Entry(_("Accounts"), "accounts.index", "server"),
            Entry(_("Lanes"), "lanes.index", "gauge"),
            Entry(_("Staff"), "staff.index", "users-group"),
            Entry(_("Imports"), "imports.index", "file-import"),
        ),
    ),
)


def desks_of(person: Staff | None) -> list[DeskPages]:
    """Give what a person sees: their desks, with the pages that exist."""
    if person is None:
        return []
    known = current_app.view_functions
    shown = [
        DeskPages(pages.desk, pages.label, tuple(_counted(e) for e in pages.entries if e.endpoint in known))
        for pages in DESKS
        if person.sits_at(pages.desk)
    ]
    held = [replace(pages, entries=tuple(e for e in pages.entries if _has_any(e))) for pages in shown]
    return [pages for pages in held if pages.entries]


def _counted(entry: Entry) -> Entry:
    """Count what an entry counts; the page that says that the store is away needs its frame too."""
    if entry.counted is None:
        return entry
    try:
        with read() as session:
            return replace(entry, number=entry.counted(session))
    except SQLAlchemyError:
        return entry


def _has_any(entry: Entry) -> bool:
    return entry.counted is None or entry.number > 0 or entry.current


def first_page(person: Staff) -> str | None:
    """Give the endpoint that a person starts at; None if they see none yet."""
    return next((entry.endpoint for pages in desks_of(person) for entry in pages.entries), None)
