"""What others say of a template: sites behind its links and a spam filter, asked when somebody says so."""

from flask import current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadTemplate
from campaigns.flows.checking.specimen import of_template
from campaigns.records import templates as records
from campaigns.records.templates import TemplateRow
from web.marketing.campaigns.outside import MATTERS, Asked, Questions, ask_others, fresh, keep, outside_of
from web.marketing.content import find_row, templates
from web.marketing.desk import is_part, signing
from web.session import read


@templates.context_processor
def _asked_lately() -> dict[str, object]:
    return {"asked_lately": asked_lately, "matters": MATTERS}


def asked_lately(row: TemplateRow, version: int) -> Asked | None:
    """What was asked in the last minutes, of the template as it is now."""
    return fresh(outside_of(current_app).of_templates.get(row.id), (version, None))


@templates.post("/<int:template_id>/outside")
def ask_outside(template_id: int) -> ResponseReturnValue:
    """Ask the sites and the spam filter, and show what they say."""
    now = utc_now()
    with read() as session:  # over before anybody is asked: a site may take its time
        row = find_row(session, template_id)
        questions = _questions(session, row)
    held = outside_of(current_app)
    if questions is None or not held.asking.acquire(blocking=False):
        return _page(row, held.of_templates.get(row.id), busy=questions is not None)
    try:
        asked = ask_others(held, questions, now)
        keep(held.of_templates, row.id, asked)
    finally:
        held.asking.release()
    if not is_part():
        return redirect(url_for("templates.show", template_id=template_id, _anchor="outside"))
    return _page(row, asked)


def _questions(session: Session, row: TemplateRow) -> Questions | None:
    """All that a round needs to know; None of a template that no longer compiles, which its page tells."""
    try:
        specimen = of_template(session, row.key, signing(), utc_now())
    except BadTemplate:
        return None
    return Questions(specimen, None, (records.newest_version(session, row.id), None))


def _page(row: TemplateRow, asked: Asked | None, *, busy: bool = False) -> ResponseReturnValue:
    return render_template("marketing/content/outside.html", row=row, asked=asked, busy=busy, matters=MATTERS)
