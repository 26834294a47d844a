"""The form of a template's source, read at the border; and what an empty one starts with."""

import re
from collections.abc import Mapping

from flask_babel import LazyString, lazy_gettext
from flask_babel import gettext as _

from campaigns.errors import BadTemplate
from campaigns.values import BodyKind, Problem, Source

LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?")
KINDS: Mapping[str, str | LazyString] = {
    "mjml": "MJML",
    "html": "HTML",
    "text": lazy_gettext("Plain letter"),
}
_PREHEADER = "What the letter says, in one line"
_FOOT = "{{ sender.postal_address }}"
_MJML = """<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="Helvetica, Arial, sans-serif" />
    </mj-attributes>
  </mj-head>
  <mj-body>
    <mj-section>
      <mj-column>
        <mj-text>Dear {{ contact.given_name|default("friend") }},</mj-text>
        <mj-text>Write here.</mj-text>
        <mj-text font-size="12px"><a href="{{ links.unsubscribe }}">Unsubscribe</a><br>%s</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""
_HTML = """<!doctype html>
<html lang="en">
<head><title></title></head>
<body>
<p>Dear {{ contact.given_name|default("friend") }},</p>
<p>Write here.</p>
<p><a href="{{ links.unsubscribe }}">Unsubscribe</a><br>%s</p>
</body>
</html>
"""
_TEXT = """Dear {{ contact.given_name|default("friend") }},

write here.

--
%s
Unsubscribe: {{ links.unsubscribe }}
"""
#: What an empty template starts with, by kind.
BLANK: Mapping[str, Source] = {
    "mjml": Source(BodyKind.MJML, "Subject", _MJML % _FOOT, preheader=_PREHEADER),
    "html": Source(BodyKind.HTML, "Subject", _HTML % _FOOT, preheader=_PREHEADER),
    "text": Source(BodyKind.TEXT, "Subject", _TEXT % _FOOT),
}


def read_source(form: Mapping[str, str]) -> Source:
    """Read a source as it was typed.

    Raises:
        BadTemplate: its language or kind does not hold; the rest is for the compiler to say.
    """
    problems = []
    language, kind = form["language"].strip(), form["kind"]
    if LANGUAGE.fullmatch(language) is None:
        problems.append(Problem("language", _("is not a language tag."), _("Write it like de or pt-BR.")))
    if kind not in KINDS:
        problems.append(Problem("kind", _("is not one of those offered."), _("Choose one of the list.")))
    if problems:
        raise BadTemplate(problems)
    body = form["body"].replace("\r\n", "\n")
    text = form["text"].replace("\r\n", "\n")
    return Source(BodyKind(kind), form["subject"], body, form["preheader"], text, language)
