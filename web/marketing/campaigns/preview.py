"""The mail as real contacts would read it, and a test mail to oneself."""

import re
from dataclasses import dataclass, replace
from html import unescape

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.clock import utc_now
from campaigns.errors import BadForm, BadInput, NotFound
from campaigns.flows import checking, testing
from campaigns.mailing import Mailing
from campaigns.records import campaign_desk, names, samples, segments
from campaigns.records import campaigns as records
from campaigns.records.campaigns import Campaign, Run
from campaigns.records.outbox import Recipient
from campaigns.templates.files import on_a_page
from campaigns.templates.samples import sample_names
from campaigns.values import CampaignState, Content, Problem
from web import auth
from web.guard import PREVIEW_POLICY
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.words import LACKS, label_of
from web.marketing.desk import is_part, signing
from web.numbers import number_from
from web.session import read, routing, write

PEOPLE = 50  #: contacts to leaf through
FRESH = (CampaignState.DRAFT, CampaignState.SCHEDULED)  #: the next run takes the newest template
_HIDDEN = re.compile(r"<div[^>]*display:\s*none[^>]*>(.*?)</div>", re.DOTALL | re.IGNORECASE)
_FILL = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff\u00a0\\s]+")


@dataclass(frozen=True, slots=True)
class Shown:
    """The mail for one contact, or what stands in its way."""

    content: Content | None
    problems: tuple[Problem, ...]
    preheader: str
    language: str


def render(session: Session, draft: Mailing, contact: Recipient | None) -> Shown:
    """Render a draft for a contact; for an example where there is none."""
    try:
        if contact is None:
            edition = draft.edition_for(None)
            language = edition.compiled.language
            content = replace(edition.render(sample_names(language, utc_now().date())), files=draft.files)
        else:
            language = draft.edition_for(contact.contact["locale"]).compiled.language
            bought = names.last_orders(session, [contact.customer_id]) if draft.uses_orders else {}
            content = draft.content(contact, bought=bought.get(contact.customer_id, []), now=utc_now())
    except BadInput as error:
        return Shown(None, tuple(error.problems), "", "")
    return Shown(content, (), preheader_of(content.html), language)


def preheader_of(html: str | None) -> str:
    """Find the words that an inbox shows behind the subject."""
    found = _HIDDEN.search(html or "")
    return " ".join(_FILL.sub(" ", unescape(re.sub(r"<[^>]+>", "", found[1]))).split()) if found else ""


@campaigns.get("/<int:campaign_id>/preview")
def preview(campaign_id: int) -> ResponseReturnValue:
    """Show the mail as one contact of the segment would read it."""
    order = "first" if request.args.get("order") == "first" else "worst"
    at = number_from(request.args.get("at")) or 0
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        draft = _mailing(session, campaign)
        sent = _run_sent(session, campaign)
        people = people_of(session, campaign, draft, order, sent) if draft else []
        at = min(at, max(len(people) - 1, 0))
        contact = names.recipient(session, people[at]) if people else None
        shown = render(session, draft, contact) if draft else None
    return render_template(
        "marketing/campaigns/preview.html" if is_part() else "marketing/campaigns/preview_page.html",
        campaign=campaign,
        shown=shown,
        contact=contact,
        contact_name=names.full_name(contact.contact) if contact else None,
        at=at,
        count=len(people),
        order=order,
        sent=sent is not None,
        lacks=_lacks(draft, contact) if draft and contact else [],
    )


def _mailing(session: Session, campaign: Campaign) -> Mailing | None:
    """Give the mail as it goes out, or as it went out with the newest run."""
    run = _run_sent(session, campaign)
    return mailing.draft(session, campaign, signing(), version=run.template_version_id if run else None)


def _run_sent(session: Session, campaign: Campaign) -> Run | None:
    """The newest run, where the page shows what went out with it."""
    runs = records.runs_of(session, campaign.id)
    return runs[0] if runs and campaign.state not in FRESH else None


def people_of(
    session: Session, campaign: Campaign, draft: Mailing, order: str, sent: Run | None = None
) -> list[int]:
    """Give contacts of the segment to leaf through: the first, or those first who lack the most.

    Of a run that was `sent`, those who were mailed.
    """
    if sent is not None and sent.frozen_at is not None:
        return samples.mailed(
            session, sent.id, checking.named_of(draft) if order == "worst" else None, limit=PEOPLE
        )
    if campaign.segment_id is None:
        return []
    version = segments.newest_version(session, campaign.segment_id)
    try:
        if order == "first":
            return segments.members(session, segments.load_version(session, version), utc_now(), PEOPLE)
        members = segments.members_of_version(session, version, now=utc_now())
    except BadInput:
        return []
    return samples.worst_first(session, members, checking.named_of(draft), limit=PEOPLE)


def _lacks(draft: Mailing, contact: Recipient) -> list[str]:
    return [str(LACKS[name]) for name in checking.named_of(draft) if not contact.contact.get(name)]


@campaigns.get("/<int:campaign_id>/mail/<int:contact>")
def mail(campaign_id: int, contact: int) -> ResponseReturnValue:
    """Give the mail itself, for the frame that it is shown in; 0 stands for an example."""
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        draft = _mailing(session, campaign)
        one = names.recipient(session, contact) if contact else None
        if draft is None or (contact and one is None):
            raise NotFound("There is no such mail.")
        shown = render(session, draft, one)
    page = on_a_page(shown.content) if shown.content else None
    if page is None:
        abort(404)
    return framed(page)


def framed(html: str) -> Response:
    """Answer with a mail's HTML, under a policy that lets it run and fetch nothing."""
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": PREVIEW_POLICY})


@campaigns.post("/<int:campaign_id>/test")
def test(campaign_id: int) -> ResponseReturnValue:
    """Send the mail, with the data of the contact shown, to whoever asks."""
    person = auth.current()
    assert person is not None
    contact = number_from(request.form.get("contact"))
    with read() as session:
        campaign_desk.shown(session, campaign_id)
    try:
        with write() as session:
            testing.send_test(
                session,
                campaign_id,
                contact=contact or 0,
                address=person.email,
                now=utc_now(),
                routing=routing(),
            )
    except BadForm as bad:
        missing = ", ".join(str(label_of(problem)) for problem in bad.problems)
        flash(_("No test was sent. Still missing: %(fields)s.", fields=missing), "warning")
    except NotFound:
        flash(_("No test was sent: choose a segment first, so that there is a person to read as."), "warning")
    else:
        flash(_("A test is on its way to %(address)s.", address=person.email), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id, _anchor="what"))
