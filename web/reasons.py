"""Why a verdict was given, in the reader's language.

The rules write their reasons in English, and so they are kept. Here each is known again by its shape; what
is not, as after a change of the rules, is shown as it was written.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from flask_babel import gettext


def N_(text: str) -> str:  # noqa: N802 - as it is called everywhere
    """Mark a text that is said later."""
    return text


def reason(text: str) -> str:
    """Say one reason of a verdict."""
    return _say(text, _REASONS)


def _agent(name: str) -> str:
    """Say what sort of program asked; names of makers stay as they are."""
    return _say(name, _AGENTS)


class _Shape(NamedTuple):
    """A text of the rules, and how it is known again."""

    text: str
    pattern: re.Pattern[str]


_PLACES = {"seconds": r"\d+", "links": r"\d+", "others": r"\d+", "years": r"\d+", "method": r"\w+"}


def _shapes(*texts: str) -> tuple[_Shape, ...]:
    return tuple(_Shape(text, re.compile(_pattern(text), re.DOTALL)) for text in texts)


def _pattern(text: str) -> str:
    named = re.split(r"%\((\w+)\)s", text)
    places = (f"(?P<{name}>{_PLACES.get(name, '.+')})" for name in named[1::2])
    return re.escape(named[0]) + "".join(
        place + re.escape(after) for place, after in zip(places, named[2::2], strict=True)
    )


def _say(text: str, shapes: Iterable[_Shape]) -> str:
    for shape in shapes:
        if found := shape.pattern.fullmatch(text):
            parts = {
                name: _agent(part) if name == "agent" else part for name, part in found.groupdict().items()
            }
            return str(gettext(shape.text, **parts))
    return text


#: The narrower before the wider.
_REASONS = _shapes(
    N_("asked with no method of HTTP"),
    N_("asked with %(method)s"),
    N_("agent is %(agent)s"),
    N_("the provider that tracked it calls it a machine's"),
    N_("the provider that tracked it calls it a mail proxy's"),
    N_("followed a link that no person sees"),
    N_("followed a link without naming an agent"),
    N_("followed a link, which no mail proxy does: %(agent)s"),
    N_("asked by %(agent)s, and nothing speaks against a person"),
    N_("asked by %(agent)s"),
    N_("no agent given"),
    N_("calls itself %(program)s, which is %(years)s years old"),
    N_("calls itself %(program)s and sends not what that sends"),
    N_("none of the headers that browsers send"),
    N_("fetched ahead by a browser"),
    N_("all %(links)s links within %(seconds)s s"),
    N_("%(links)s links within %(seconds)s s, from several places"),
    N_("%(links)s links within %(seconds)s s, which are all there are"),
    N_("%(links)s links within %(seconds)s s"),
    N_("two links in less than a second"),
    N_("two links within %(seconds)s s of the first minute"),
    N_("same address and agent followed a link that no person sees, %(seconds)s s apart"),
    N_("same address and agent as a machine's request %(seconds)s s apart"),
    N_("same address and agent as what came %(seconds)s s after sending"),
    N_("address of %(owner)s's relay"),
    N_("came before the sending was confirmed"),
    N_("came %(seconds)s s after sending"),
    N_("address of %(owner)s, a mail security service"),
    N_("address of %(owner)s, where programs run"),
    N_("all links of mails to %(others)s others were followed from its network"),
    N_("all links of a mail to somebody else were followed from its network"),
    N_("the same link was followed from elsewhere within %(seconds)s s"),
    N_("somebody else followed the same link %(seconds)s s later"),
    N_("%(others)s others of the domain had theirs followed from there in a minute"),
    N_("the mail was looked at before"),
    N_("a form behind it was posted"),
    N_("%(agent)s, which fetches when a person looks"),
    N_("Apple Mail prefetch (agent is exactly Mozilla/5.0)"),
    N_("Gmail prefetch (agent is Chrome 42 with Edge 12.246)"),
)
_AGENTS = _shapes(
    N_("Apple Mail prefetch (agent is exactly Mozilla/5.0)"),
    N_("Gmail prefetch (agent is Chrome 42 with Edge 12.246)"),
    N_("%(maker)s's image proxy"),
    N_("%(maker)s's preview"),
    N_("%(maker)s's safety check"),
    N_("%(maker)s's link check"),
    N_("%(maker)s's reader"),
    N_("a mail program"),
    N_("an unknown program"),
    N_("an %(language)s program"),
    N_("a %(language)s program"),
    N_("a script"),
    N_("a %(language)s script"),
    N_("a browser"),
    N_("a browser without a screen"),
    N_("a Google robot"),
    N_("a robot, by its own name"),
    N_("a checker of links"),
    N_("a checker of pages"),
    N_("a watcher of sites"),
    N_("a scanner of the net"),
    N_("a copier of sites"),
    N_("a crawler"),
    N_("a programmer's tool"),
    N_("an archive"),
    N_("no agent"),
)
