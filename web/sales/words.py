"""What the store's words are called on a page, in the reader's language."""

import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers
from flask import current_app, url_for
from flask_babel import get_locale, get_timezone
from flask_babel import gettext as _
from markupsafe import Markup

from campaigns.records.plans import OUTSIDE, UNREADABLE
from web.language import PLAIN, zone_name

LONGEST_LINK = 70


def _named(known: dict[str, str], value: str | None) -> str:
    return known.get(value or "", value or "")


def kind(value: str) -> str:
    """Name a kind of customer."""
    return _named(
        {"person": _("Private person"), "household": _("Household"), "organisation": _("Organisation")}, value
    )


def stage(value: str) -> str:
    """Name a lifecycle stage; one we do not know stays as it is."""
    known = {
        "prospect": _("Prospect"),
        "new": _("New"),
        "active": _("Active"),
        "at risk": _("At risk"),
        "lapsed": _("Lapsed"),
        "won back": _("Won back"),
    }
    return _named(known, value)


def stage_tone(value: str) -> str:
    """Give the tone of a stage's badge."""
    return {"active": "good", "won back": "good", "new": "info", "at risk": "warn"}.get(value, "muted")


def role(value: str) -> str:
    """Name what a contact is at a customer; a title stays as it is."""
    known = {
        "economic buyer": _("Economic buyer"),
        "decider": _("Decider"),
        "evaluator": _("Evaluator"),
        "influencer": _("Influencer"),
        "gatekeeper": _("Gatekeeper"),
        "user": _("User of the product"),
        "champion": _("Champion"),
    }
    return _named(known, value)


def case_kind(value: str) -> str:
    """Name a kind of case."""
    known = {
        "request": _("Request"),
        "complaint": _("Complaint"),
        "return": _("Return"),
        "question": _("Question"),
    }
    return _named(known, value)


def case_kinds(value: str) -> str:
    """Name a kind of case, of many."""
    known = {
        "request": _("Requests"),
        "complaint": _("Complaints"),
        "return": _("Returns"),
        "question": _("Questions"),
    }
    return _named(known, value)


def channel(value: str) -> str:
    """Name the channel of a note."""
    known = {
        "note": _("Note"),
        "call": _("Call"),
        "meeting": _("Meeting"),
        "letter": _("Letter"),
        "message": _("Message"),
    }
    return _named(known, value)


def source(value: str | None) -> str:
    """Say where a word or a value comes from."""
    known = {
        "import": _("by an import"),
        "form": _("on a form"),
        "preferences": _("on the preferences page"),
        "unsubscribe": _("by unsubscribing"),
        "survey": _("in a survey"),
        "staff": _("told to one of us"),
        "complaint": _("by a spam report"),
        "shared address": _("said by another contact at this address"),
    }
    return _named(known, value)


def suppression(value: str) -> str:
    """Say why an address is never mailed."""
    known = {
        "hard bounce": _("the mailbox does not exist"),
        "kept bouncing": _("mail to it has come back for a long time"),
        "complaint": _("they reported our mail as spam"),
        "request": _("they asked for it"),
        "erasure": _("they asked to be forgotten"),
        "import": _("an import listed it"),
    }
    return _named(known, value)


def gate(value: str | None, topic: str) -> str:
    """Say in plain words why a message was not sent, or will not be."""
    known = {
        "no address": _("no mail address is known"),
        "erased": _("the contact asked to be forgotten"),
        "suppressed": _("the address is never to be mailed"),
        "domain takes no mail": _("the address's domain takes no mail"),
        "no consent": _("no consent to %(topic)s", topic=topic),
        "replied": _("has replied, which ends it"),
        "complaint open": _("a complaint is open"),
        "held by rep": _("a colleague asked marketing to wait"),
        "frequency cap": _("had enough mail lately"),
        "duplicate address": _("another contact got it at the same address"),
        "hold-out": _("kept without mail by chance, to measure against"),
        "render error": _("the template failed for this contact"),
        "recalled": _("the campaign was cancelled before"),
        "expired": _("its time was over before it could be sent"),
        OUTSIDE: _("not in its segment"),
        UNREADABLE: _("its segment can no longer be read"),
    }
    return _named(known, value)


def verdict(value: str) -> str:
    """Say who did it, within a sentence."""
    known = {
        "human": _("a person"),
        "machine": _("a machine, not a person"),
        "privacy": _("a mail proxy, not a person"),
        "unknown": _("not known whether a person"),
    }
    return _named(known, value)


def tracking(level: str) -> str:
    """Say how closely a contact lets us look."""
    known = {
        "individual": _("Lets us see what they open and click"),
        "aggregate": _("Wants opens and clicks counted without a name"),
        "off": _("Wants no opens and clicks counted"),
    }
    return _named(known, level)


def country(code: str | None) -> str:
    """Name a country by its code."""
    names = reader().territories
    return names.get((code or "").upper(), code or "")


def language(tag: str | None) -> str:
    """Name a language by its tag."""
    try:
        locale = Locale.parse((tag or "").replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return tag or ""
    return locale.get_display_name(reader()) or str(tag)


def time_there(zone: str, now: datetime) -> str:
    """Say what time it is in a contact's zone; the zone's name alone where we do not know it."""
    try:
        local = now.astimezone(ZoneInfo(zone))
    except (ValueError, KeyError, OSError):
        return zone
    return (
        f"{dates.format_time(local, 'short', locale=reader())} ({zone.rpartition('/')[2].replace('_', ' ')})"
    )


def value(held: object, kind: str) -> str:
    """Write an attribute's value by its type; one that does not fit its type stays as it is."""
    if isinstance(held, bool):
        return _("yes") if held else _("no")
    if isinstance(held, list):
        return ", ".join(value(one, "text") for one in held)
    if isinstance(held, int | float):
        return numbers.format_decimal(held, locale=reader())
    try:
        return _dated(str(held), kind)
    except ValueError:
        return str(held)


def _dated(text: str, kind: str) -> str:
    if kind == "date":
        return dates.format_date(date.fromisoformat(text), "medium", locale=reader())
    if kind == "moment":
        told = datetime.fromisoformat(text)
        local = (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(get_timezone())
        return f"{dates.format_datetime(local, 'medium', locale=reader())} {zone_name(local)}"
    return text


def campaign_url(number: int) -> str:
    """Give the address of a campaign's page, however that page names its number."""
    rules = current_app.url_map.iter_rules("campaigns.show")
    argument = next((name for rule in rules for name in rule.arguments), "campaign")
    named: dict[str, Any] = {argument: number}
    return url_for("campaigns.show", **named)


def link(url: str) -> str:
    """A link as people speak of it: without scheme and what follows the question mark."""
    plain = re.sub(r"^https?://(www\.)?", "", url).partition("#")[0]
    place, mark, _rest = plain.partition("?")
    short = place.rstrip("/") + ("?…" if mark else "")
    return short if len(short) <= LONGEST_LINK else short[: LONGEST_LINK - 1] + "…"


def place(*parts: str | None) -> str:
    """Put a place together from what is known of it."""
    return ", ".join(part.strip() for part in parts if part and part.strip())


def clock(value: datetime) -> Markup:
    """Write the time of day; the full moment shows on pointing."""
    zone, theirs = get_timezone(), reader()
    text = dates.format_time(value.astimezone(zone), "short", locale=theirs)
    title = dates.format_datetime(value, "full", tzinfo=zone, locale=theirs)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(value.isoformat(), title, text)


def reader() -> Locale:
    """Give the reader's language and region."""
    return get_locale() or Locale.parse(PLAIN["en"])
