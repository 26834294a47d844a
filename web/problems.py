"""What is wrong with a rule or a survey, in the reader's language: each sentence found by its pattern."""

from flask import Flask

from web.recorded import mark as _
from web.recorded import retold

#: Of two that fit, the first is meant.
PROBLEMS = (
    _("is not JSON: %(json)s."),
    _("is %(value)s, not a text."),
    _("is %(value)s, not a number."),
    _("is %(value)s, not a whole number from 0."),
    _("is %(value)s, not true or false."),
    _("is %(value)s, a day that does not exist."),
    _("is %(value)s, not a day."),
    _("is %(value)s, a moment that does not exist."),
    _("is %(value)s, not a moment with its offset."),
    _("is in the year %(value)s."),
    _("is %(value)s, not a span of time."),
    _("is %(value)s, not two ends."),
    _("is %(value)s, not a list of values."),
    _("is %(value)s, no country that we know."),
    _("is %(value)s, not a window of time."),
    _("is %(value)s, not a number of times."),
    _("is %(value)s, not a rule."),
    _("is %(value)s, not a list of rules."),
    _("is %(value)s, not goods."),
    _("is %(value)s, not a sum with its currency."),
    _("is %(value)s, no currency."),
    _("is %(value)s, no kind of event."),
    _("is %(value)s, no doer."),
    _("is %(value)s, no state of consent."),
    _("is %(value)s, no comparison."),
    _("is %(value)s, not an object."),
    _("is %(value)s, not a list."),
    _("is %(value)s, not one of %(known)s."),
    _("is %(value)s, not %(known)s."),
    _("names %(value)s, which is no field."),
    _("has the unknown key %(value)s."),
    _("means nothing with %(value)s."),
    _("means nothing for %(value)s, which is never judged."),
    _("means nothing for %(value)s."),
    _('has no "value".'),
    _("%(value)s is no operator."),
    _("%(value)s does not fit %(field)s, a %(kind)s."),
    _("has %(value)s."),
    _("asks for %(value)s inside of a role."),
    _("has %(count)s characters; %(most)s are allowed."),
    _("has %(count)s values; %(most)s are allowed."),
    _("is nested over %(most)s levels deep."),
    _("is one part too many; %(most)s are allowed."),
    _("makes a circle of segments: %(value)s."),
    _("has a scale from %(low)s to %(high)s."),
    _("has %(count)s elements."),
    _("has %(count)s characters."),
    _("is not a field we know."),
    _("is %(value)s."),
    _("Did you mean %(value)s?"),
    _("Use one of: %(known)s."),
    _("Known here: %(known)s."),
    _("A rule has exactly one of: %(known)s."),
    _("This program reads version %(value)s."),
    _("%(value)s compares with one."),
    _("Keep between %(low)s and %(high)s."),
    _("Have %(low)s to %(high)s."),
    _("Use %(most)s at most."),
    _("Write %(value)s."),
    _("Correct it."),
    _("Correct it there."),
    _("Remove it."),
    _('Write it in quotes, "like this".'),
    _("Write digits without quotes."),
    _("See the list of fields."),
    _("Stay within 0 and 10."),
    _("Write a text."),
    _("Give each its own."),
)
#: Why a text is no JSON.
JSON = (
    _("a value is missing"),
    _("a name in double quotes is missing"),
    _("the last comma is too many"),
    _("a colon is missing"),
    _("a comma is missing"),
    _("something follows after its end"),
    _("the closing quote of a text is missing"),
    _("a line break or tab stands within a text"),
    _("a backslash is followed by what it cannot be followed by"),
    _("it is empty"),
    _("line %(line)s, character %(column)s: %(told)s"),
)


def said(text: str) -> str:
    """Say a text that comes from below the pages in the reader's language."""
    return retold(text, PROBLEMS, {"json": _json, "told": _json})


def _json(text: str) -> str:
    return retold(text, JSON, {"told": _json})


def install(app: Flask) -> None:
    """Let templates say problems so."""
    app.jinja_env.globals["said"] = said
