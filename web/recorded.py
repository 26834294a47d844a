"""Sentences that are kept in the store, told in the reader's language.

Logs keep English sentences with numbers, moments and names in them, as the command line shows
them. Here each is found again by its pattern, and told anew with its values written as the reader writes
them. A sentence that fits no pattern, of an older version or in somebody's own words, stays as it is.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache

from flask import Flask
from flask_babel import gettext

from web.language import moment_words, number, occurrence


def _(pattern: str) -> str:
    """Mark a sentence for the catalogues; it is translated once it is met."""
    return pattern


mark = _


#: Lines of campaigns' logs.
LOGGED = (
    _("created"),
    _("deleted"),
    _("resumed"),
    _("cancelled"),
    _("taken back to draft"),
    _("is running again"),
    _("scheduled for %(at)s"),
    _("run of %(when)s (%(zone)s) opened"),
    _(
        "run of %(when)s %(state)s: %(sent)s sent, %(failed)s "
        "failed, %(skipped)s skipped, %(unknown)s in doubt"
    ),
    _("run of %(when)s could not be opened: %(why)s"),
    _("missed %(at)s: no worker was running; the next stands"),
    _("missed %(at)s: no worker was running; schedule it anew"),
    _("paused: the audience could not be frozen: %(why)s"),
    _("paused: %(why)s"),
    _("%(count)s of %(mailed)s mails of run %(run)s were reported as spam"),
    _("%(count)s of %(mailed)s mails of run %(run)s came back for good: their addresses are dead"),
    _("%(count)s of %(mailed)s mails of run %(run)s were refused for what we are or wrote"),
    _("%(count)s in doubt counted as arrived (run %(run)s)"),
    _("%(count)s in doubt are sent again (run %(run)s)"),
    _("%(count)s in doubt proven to have arrived (run %(run)s)"),
    _("what waits, at most %(count)s messages, goes through %(to)s instead of %(account)s, %(why)s"),
    _("which the accounts file names no more"),
    _("which their route does not name"),
    _("which has failed since %(at)s"),
    _("A mail of run %(run)s was refused (%(what)s), no fault of its recipient: %(told)s"),
    _("This rule no longer holds: %(told)s"),
)

#: Lines of lanes' logs.
OF_LANES = (
    _("held until it is opened: %(told)s"),
    _("held until %(at)s: %(told)s"),
    _("at most %(count)s a minute until %(at)s: %(told)s"),
    _("slowed to %(count)s a minute: %(told)s"),
    _("opened"),
    _("warm-up, day %(day)s: at most %(count)s (%(told)s)"),
    _("warm-up of %(domain)s, day %(day)s: at most %(count)s (%(told)s)"),
    _("warm-up of %(domain)s from %(base)s a day by %(growth)s to %(target)s"),
    _("no warm-up of %(domain)s"),
    _("held by %(who)s"),
)

#: How a run ended.
ENDS = (_("finished"), _("cancelled"), _("finished with doubts"))
#: Who did it, where that is nobody of the staff.
ACTORS = (
    _("worker"),
    _("sender"),
    _("evidence"),
    _("returned mail"),
)
_PLACE = re.compile(r"%\((\w+)\)s")
#: What may stand at a place, where that is not just anything.
_SHAPES = {
    "at": r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? UTC",
    "when": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "count": r"[\d.,]+(?:e\+\d+)?",
    "run": r"\d+",
    "state": "|".join(ENDS),
}


def logged(text: str) -> str:
    """Tell a line of a log."""
    return _told(text, (*LOGGED, *OF_LANES))


def actor(text: str) -> str:
    """Name who did it."""
    return gettext(text) if text in ACTORS else text


def retold(text: str, sentences: Iterable[str], inner: Mapping[str, Callable[[str], str]]) -> str:
    """Tell a sentence of ours that may hold values; `inner` tells those that are sentences themselves."""
    whole: str = gettext(text) if text else ""
    if whole != text:
        return whole
    for sentence in sentences:
        found = _finder(sentence).fullmatch(text)
        if found is not None:
            values = {name: inner.get(name, str)(value) for name, value in found.groupdict().items()}
            words: str = gettext(sentence)
            return words % values if values else words
    return text


def _told(text: str, sentences: Iterable[str]) -> str:
    for sentence in sentences:
        found = _finder(sentence).fullmatch(text)
        if found is not None:
            values = {name: _value(name, value) for name, value in found.groupdict().items()}
            words: str = gettext(sentence)
            return words % values if values else words
    said: str = gettext(text) if text and "\n" not in text else text
    return said


@cache
def _finder(sentence: str) -> re.Pattern[str]:
    parts = _PLACE.split(sentence)
    shaped = (
        f"(?P<{part}>{_SHAPES.get(part, '.+?')})" if at % 2 else re.escape(part)
        for at, part in enumerate(parts)
    )
    return re.compile("".join(shaped), re.DOTALL)


def _value(name: str, value: str) -> str:
    known = _VALUES.get(name)
    if known is not None:
        return known(value)
    return (
        number(int(value)) if value.isascii() and value.isdigit() and len(value) < _LONGEST_NUMBER else value
    )


def _moment(value: str) -> str:
    return moment_words(datetime.fromisoformat(value.removesuffix(" UTC")).replace(tzinfo=UTC))


_LONGEST_NUMBER = 16
_VALUES: Mapping[str, Callable[[str], str]] = {
    "at": _moment,
    "when": occurrence,
    "why": logged,
    "state": lambda value: str(gettext(value)),
    "run": str,
    "name": str,
    "to": str,
    "account": str,
    "told": str,
}


def install(app: Flask) -> None:
    """Give templates the filters."""
    app.jinja_env.filters.update(logged=logged, actor=actor)
