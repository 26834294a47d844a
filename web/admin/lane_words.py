"""What the lanes' pages call things."""

from collections.abc import Mapping
from datetime import timedelta

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

HOLDS: Mapping[str, tuple[LazyString, timedelta | None]] = {
    "hour": (_("for an hour"), timedelta(hours=1)),
    "four": (_("for four hours"), timedelta(hours=4)),
    "day": (_("for a day"), timedelta(days=1)),
    "open": (_("until somebody opens it"), None),
}
#: What a warm-up's last day led to, and which gate spoke against more.
STEPS: Mapping[str, LazyString] = {
    "on": _("yesterday went well: one step on"),
    "again": _("the same cap once more"),
    "back": _("half the cap"),
    "idle": _("too few mails yesterday to go on"),
}
AGAINST: Mapping[str, LazyString] = {
    "hard": _("too many dead addresses"),
    "complained": _("too many complaints"),
    "deferred": _("too much was deferred"),
    "idle": _("nothing went for a month"),
}


def warm_words(word: str) -> str:
    """Say what a warm-up's last day led to."""
    step, _colon, why = word.partition(": ")
    told = [str(words) for words in (STEPS.get(step), AGAINST.get(why)) if words is not None]
    return ", ".join(reversed(told))
