"""What is done from a customer's record: each is one POST, and leads back to the record."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import wraps

from flask import flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_timezone
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadForm
from campaigns.flows import erasing
from campaigns.records import cases, person_file
from campaigns.records import customers as store
from campaigns.records import tasks as task_store
from campaigns.records.cases import NewCase
from campaigns.records.customers import people
from campaigns.records.tasks import NewTask
from campaigns.values import Problem
from web import auth
from web.sales.desk import ACTING, ERASING, LIFTING, customers, me
from web.sales.finding import whole
from web.sales.record import Refused, render
from web.session import read, settings, write

Act = Callable[[int], ResponseReturnValue]


def act(form: str) -> Callable[[Act], Act]:
    """Let a view act: what does not hold opens the record again, with the form and what was typed."""

    def decorate(view: Act) -> Act:
        @wraps(view)
        def guarded(customer: int) -> ResponseReturnValue:
            try:
                return view(customer)
            except BadForm as bad:
                problems = [Problem(f"{form}-{one.where}", one.what, one.cure) for one in bad.problems]
                return render(customer, Refused(form, request.form, problems)), 422

        return guarded

    return decorate


@customers.post("/<int:customer>/note", endpoint="add_note")
@auth.role_required(*ACTING)
@act("note")
def add_note(customer: int) -> ResponseReturnValue:
    """Write a note, or what was said in a call or meeting."""
    with write() as session:
        people.get(session, customer)
        store.note(
            session,
            customer,
            _typed("note-text"),
            actor=me().email,
            now=utc_now(),
            contact=_here(session, customer, "note-contact"),
            channel=_typed("note-channel") or "note",
            once=_once(),
        )
    return _back(customer, _("The note is in the history."))


@customers.post("/<int:customer>/task", endpoint="add_task")
@auth.role_required(*ACTING)
@act("task")
def add_task(customer: int) -> ResponseReturnValue:
    """Make a task about the customer."""
    due = _day("task-due", "due", time(23, 59))
    if due is not None and due < utc_now():
        raise BadForm([Problem("due", "is past.", "Choose today or a later day.")])
    with write() as session:
        people.get(session, customer)
        new = NewTask(
            customer,
            _here(session, customer, "task-contact"),
            _typed("task-title"),
            _typed("task-reason"),
            whole(_typed("task-owner")),
            due,
            f"hand:{_once()}",
        )
        task_store.create(session, new, actor=me().email, now=utc_now())
    return _back(customer, _("The task is made."))


@customers.post("/<int:customer>/case", endpoint="open_case")
@auth.role_required(*ACTING)
@act("case")
def open_case(customer: int) -> ResponseReturnValue:
    """Open a case; a complaint stops promotion from now on."""
    kind = _typed("case-kind")
    with write() as session:
        people.get(session, customer)
        new = NewCase(
            customer, kind, _typed("case-subject"), _here(session, customer, "case-contact"), me().id
        )
        cases.open_case(session, new, actor=me().email, now=utc_now(), once=_once())
    if kind == "complaint":
        return _back(customer, _("The complaint is open. Marketing mails nothing until it is closed."))
    return _back(customer, _("The case is open."))


@customers.post("/<int:customer>/hold", endpoint="hold")
@auth.role_required(*ACTING)
@act("hold")
def hold(customer: int) -> ResponseReturnValue:
    """Ask marketing to wait until a day, or no longer."""
    release = _typed("hold-release") == "1"
    until = None if release else _day("hold-until", "until", time(0))
    if not release and until is None:
        raise BadForm([Problem("until", "is empty.", "Choose a day after today.")])
    with write() as session:
        store.hold(session, customer, until, actor=me().email, reason=_typed("hold-reason"), now=utc_now())
    return _back(customer, _("Marketing may write again.") if release else _("Marketing waits until then."))


@customers.post("/<int:customer>/owner", endpoint="assign")
@auth.role_required(*ACTING)
@act("owner")
def assign(customer: int) -> ResponseReturnValue:
    """Give the customer to a rep, to oneself, or to nobody."""
    typed = _typed("owner-owner")
    owner = whole(typed)
    if typed and owner is None:
        raise BadForm([Problem("owner", "is not known.", "Choose one of the list.")])
    with write() as session:
        new = store.assign(session, customer, owner, actor=me().email, now=utc_now())
    if not new:
        return _back(customer, _("It stood so already; nothing was changed."))
    return _back(customer, _("The customer has another owner."))


@customers.post("/<int:customer>/consent", endpoint="say_consent")
@auth.role_required(*ACTING)
@act("consent")
def say_consent(customer: int) -> ResponseReturnValue:
    """Write down a yes or no that a contact told one of us."""
    contact, topic = _contact("consent-contact"), whole(_typed("consent-topic"))
    said = _typed("consent-said")
    problems = []
    if contact is None:
        problems.append(Problem("contact", "is missing.", "Choose who said it."))
    if topic is None:
        problems.append(Problem("topic", "is missing.", "Choose what it is about."))
    if said not in {"yes", "no"}:
        problems.append(Problem("said", "is missing.", "Choose yes or no."))
    if contact is None or topic is None or problems:
        raise BadForm(problems)
    write_down = store.grant_consent if said == "yes" else store.withdraw_consent
    with write() as session:
        new = write_down(
            session,
            customer,
            contact,
            topic,
            actor=me().email,
            reason=_typed("consent-reason"),
            now=utc_now(),
        )
    return _back(
        customer, _("It is written down.") if new else _("It stood so already; nothing was changed.")
    )


@customers.post("/<int:customer>/lift", endpoint="lift")
@auth.role_required(*LIFTING)
@act("lift")
def lift(customer: int) -> ResponseReturnValue:
    """Take a contact's address off the never-mail list."""
    contact = _contact("lift-contact")
    if contact is None:
        raise BadForm([Problem("contact", "is missing.", "Choose whose address it is.")])
    with write() as session:
        store.lift_suppression(
            session, customer, contact, actor=me().email, reason=_typed("lift-reason"), now=utc_now()
        )
    return _back(customer, _("The address may be mailed again, where consent allows it."))


@customers.post("/<int:customer>/erase", endpoint="erase")
@auth.role_required(*ERASING)
@act("erase")
def erase(customer: int) -> ResponseReturnValue:
    """Forget a contact for good."""
    contact = _contact("erase-contact")
    if contact is None:
        raise BadForm([Problem("contact", "is missing.", "Choose who is to be forgotten.")])
    if _typed("erase-sure") != "1":
        raise BadForm([Problem("sure", "is not ticked.", "Tick it if they are to be forgotten for good.")])
    with write() as session:
        whom = people.contact_of(session, customer, contact)
        erasing.erase(session, whom.id, settings().secret, actor=me().email, now=utc_now())
    return _back(customer, _("The contact is forgotten."))


@customers.get("/<int:customer>/contacts/<int:contact>.json", endpoint="export_person")
@auth.role_required(*ERASING)
def export_person(customer: int, contact: int) -> ResponseReturnValue:
    """Give everything that is kept about a contact, as a file."""
    with read() as session:
        whom = people.contact_of(session, customer, contact)
        found = person_file.collect(session, whom.id, now=utc_now())
    text = json.dumps(found, ensure_ascii=False, indent=2)
    # what would be a tag, should a program take the file for a page
    answer = make_response(text.replace("<", "\\u003c").replace(">", "\\u003e"))
    answer.headers["Content-Type"] = "application/json; charset=utf-8"
    answer.headers["Content-Disposition"] = f'attachment; filename="contact-{contact}.json"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@customers.post("/<int:customer>/role", endpoint="add_role")
@auth.role_required(*ACTING)
@act("role")
def add_role(customer: int) -> ResponseReturnValue:
    """Say what a contact is at the customer."""
    contact = _contact("role-contact")
    if contact is None:
        raise BadForm([Problem("contact", "is missing.", "Choose who has the role.")])
    with write() as session:
        people.contact_of(session, customer, contact)
        store.add_role(session, contact, customer, _typed("role-role"), now=utc_now())
    return _back(customer, _("The role is written down."))


def _typed(name: str) -> str:
    """What was typed; characters that no store holds are left out."""
    return request.form.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()


def _once() -> str | None:
    """The mark of the page that the form stood on: pressed twice, it acts once."""
    given = request.form.get("once", "")
    return given if given.isalnum() and given.isascii() and len(given) <= 32 else None


def _contact(name: str) -> int | None:
    return whole(_typed(name))


def _here(session: Session, customer: int, name: str) -> int | None:
    """The contact that was chosen, who must be one at this customer; None for nobody in particular."""
    chosen = _contact(name)
    return None if chosen is None else people.contact_of(session, customer, chosen).id


def _day(name: str, where: str, at: time) -> datetime | None:
    """A day of the reader's as a moment; None where none was chosen."""
    text = _typed(name)
    if not text:
        return None
    try:
        chosen = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=get_timezone())
    except ValueError as error:
        raise BadForm([Problem(where, "is not a day.", "Choose one from the calendar.")]) from error
    if not timedelta(0) <= chosen - datetime(1970, 1, 2, tzinfo=UTC) < timedelta(days=365 * 200):
        raise BadForm([Problem(where, "is not a day.", "Choose one from the calendar.")])
    return datetime.combine(chosen.date(), at, tzinfo=chosen.tzinfo).astimezone(UTC)


def _back(customer: int, words: str) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(url_for("customers.show", customer=customer), 303)
