"""A template's source tried while it is written: what is wrong with it, and how an example would read it."""

import secrets
from dataclasses import dataclass, field
from threading import Lock

from flask import Flask, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.errors import BadTemplate
from campaigns.records import template_files
from campaigns.records import templates as records
from campaigns.templates.files import on_a_page
from campaigns.templates.render import compile_source
from campaigns.values import Attachment, Content
from web.marketing.campaigns.preview import framed, preheader_of
from web.marketing.content import edit_page, example, find_row, load_editions, templates, typed_source
from web.marketing.desk import is_part
from web.marketing.lines import noted_source
from web.marketing.sources import read_source
from web.session import read

MOST_TRIED = 40  #: mails that are kept until their frames have asked for them
NOBODY = '<!doctype html><title>–</title><meta name="color-scheme" content="light dark">'


@dataclass
class Tried:
    """Mails that were just tried, until their frames ask for them; one of an app."""

    mails: dict[str, str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def keep(self, html: str) -> str:
        """Remember a mail; gives the name to ask for it by."""
        name = secrets.token_urlsafe(12)
        with self.lock:
            self.mails[name] = html
            while len(self.mails) > MOST_TRIED:
                del self.mails[next(iter(self.mails))]
        return name


def _tried_of(app: Flask) -> Tried:
    held: Tried = app.extensions.setdefault("tried templates", Tried())
    return held


@templates.post("/<int:template_id>/try")
def try_source(template_id: int) -> ResponseReturnValue:
    """Compile a source without saving it; a part of the page, or without scripts the page with that part."""
    form = typed_source(request.form)
    with read() as session:
        row = find_row(session, template_id)
        files = template_files.of_version(session, records.newest_version(session, template_id))
        editions = [] if is_part() else load_editions(session, template_id)[1]
    found = _try(form, files)
    if is_part():
        return render_template("marketing/content/tried.html", **found)
    return edit_page(row, editions, form, (), tried=found)


def _try(form: dict[str, str], files: tuple[Attachment, ...]) -> dict[str, object]:
    try:
        content = example(compile_source(read_source(form), files))
    except BadTemplate as bad:
        return {"content": None, "notes": noted_source(bad.problems)}
    return {"content": content, "preheader": preheader_of(content.html), "mail_url": _address(content, files)}


def _address(content: Content, files: tuple[Attachment, ...]) -> str | None:
    if content.html is None:
        return None
    html = on_a_page(Content(content.subject, content.html, content.text, files=files)) or ""
    return url_for("templates.tried", name=_tried_of(current_app).keep(html))


@templates.get("/tried/<name>")
def tried(name: str) -> ResponseReturnValue:
    """Give a mail that was just tried, for its frame."""
    return framed(_tried_of(current_app).mails.get(name, NOBODY))
