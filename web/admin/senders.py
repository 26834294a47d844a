"""Senders: whom our mail is from, checked before anybody gets a mail of theirs."""

from collections.abc import Mapping

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.delivery.headers import ascii_domain, wire_address
from campaigns.errors import BadForm, BadInput
from campaigns.imports.addresses import BadAddress, normalise
from campaigns.records import senders
from campaigns.values import Problem, Sender
from web.admin.desk import line, settings, too_long, written
from web.session import read, write

LONGEST_NAME = 100
LONGEST_POSTAL_ADDRESS = 500


@settings.get("/senders/new")
def new_sender() -> ResponseReturnValue:
    """Show an empty sender."""
    return _form(None, {}, ())


@settings.post("/senders")
def create_sender() -> ResponseReturnValue:
    """Add a sender."""
    try:
        sender = read_sender()
    except BadForm as bad:
        return _form(None, request.form, bad.problems)
    with write() as session:
        senders.add(session, sender, now=utc_now())
    _say_saved(sender)
    return redirect(url_for("settings.index"))


@settings.get("/senders/<int:sender_id>")
def sender(sender_id: int) -> ResponseReturnValue:
    """Show a sender, to be changed."""
    with read() as session:
        row = senders.get(session, sender_id)
    form = {
        "name": row.name,
        "address": row.address,
        "reply_to": row.reply_to or "",
        "bounce_domain": row.bounce_domain,
        "postal_address": row.postal_address,
    }
    return _form(sender_id, form, ())


@settings.post("/senders/<int:sender_id>")
def save_sender(sender_id: int) -> ResponseReturnValue:
    """Save a sender; mails that are made from now on are from the new one."""
    with read() as session:
        senders.get(session, sender_id)
    try:
        changed = read_sender()
    except BadForm as bad:
        return _form(sender_id, request.form, bad.problems)
    with write() as session:
        senders.change(session, sender_id, changed)
    _say_saved(changed)
    return redirect(url_for("settings.index"))


def read_sender() -> Sender:
    """Read the form.

    Raises:
        BadForm: with every problem.
    """
    name, postal_address = line("name"), written("postal_address")
    problems = too_long("name", name, LONGEST_NAME)
    address = _address("address", problems)
    reply_to = _address("reply_to", problems) if line("reply_to") else None
    bounce_domain = _domain("bounce_domain", problems)
    problems += too_long("postal_address", postal_address, LONGEST_POSTAL_ADDRESS)
    if problems:
        raise BadForm(problems)
    return Sender(name, address, bounce_domain, reply_to, postal_address)


def _address(field: str, problems: list[Problem]) -> str:
    """Read an address that a mail server takes; the library's reason stands with the problem."""
    try:
        address = normalise(line(field))
        wire = wire_address(field, address)
    except BadAddress as bad:
        problems.append(Problem(field, _("is not a mail address."), str(bad)))
        return ""
    except BadInput:
        address = wire = ""
    if not wire.isascii() or not wire:
        what = _("is not an address that every mail server takes.")
        problems.append(Problem(field, what, _("Use plain letters and digits before the @.")))
    return address


def _domain(field: str, problems: list[Problem]) -> str:
    try:
        domain = ascii_domain(line(field).lower())
    except BadInput:
        domain = ""
    if "." not in domain:
        problems.append(
            Problem(field, _("is not a domain."), _("Write it like bounce.company.example, without an @."))
        )
    return domain


def _say_saved(sender: Sender) -> None:
    domain = sender.address.rpartition("@")[2]
    flash(_("“%(name)s” was saved.", name=sender.name), "success")
    words = _(
        "Before the first mail: see that the mail server may send for %(domain)s (SPF and DKIM), and that "
        "mail to %(bounces)s reaches us.",
        domain=domain,
        bounces=sender.bounce_domain,
    )
    flash(words, "warning")


def _form(number: int | None, form: Mapping[str, str], problems: tuple[Problem, ...]) -> ResponseReturnValue:
    page = render_template("admin/sender.html", number=number, form=form, problems=problems)
    return page, 422 if problems else 200
