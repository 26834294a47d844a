"""What a run's messages have in common, put together from the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from campaigns.mailing.basis import Topic
from campaigns.mailing.making import Mailing
from campaigns.mailing.signing import Signing
from campaigns.records import campaigns, consent, links, senders, surveys, template_files, templates
from campaigns.records.campaigns import Campaign, Run
from campaigns.records.names import common, offered_pages
from campaigns.templates.render import Prepared, prepare
from campaigns.tracking.instrument import instrument
from campaigns.values import Compiled, Link, Sender, TopicClass

TEST = "[Test] "  #: before the subject of a test mail: whoever gets it is to know it for one
#: Stand in previews for what a draft has not chosen yet.
NOBODY = Sender("…", "…", "", None, "…")
UNSAID = Topic("", "", TopicClass.MARKETING)


def load(session: Session, run: Run, campaign: str, signing: Signing) -> Mailing:
    """Put together what a run's messages have in common, from what was pinned when it opened."""
    topic = consent.topic_by_id(session, run.topic_id)
    form = None if run.survey_version_id is None else surveys.form_of(session, run.survey_version_id)
    bodies = templates.compiled(session, run.template_version_id)
    if run.kind == "test":
        bodies = [replace(body, subject=f"{TEST}{body.subject}") for body in bodies]
    made = editions(bodies, tracking=run.tracking)
    sender = senders.get(session, run.sender_id)
    mailing = Mailing(
        run=run.id,
        campaign=run.campaign_id,
        topic=Topic(topic.key, topic.name, topic.topic_class),
        shared=common(session, campaign, sender),
        editions=made,
        signing=signing,
        form=form,
        numbered=links.of_products(session, run.id),
        files=template_files.of_version(session, run.template_version_id),
    )
    return replace(mailing, untracked=_Untracked(mailing, bodies)) if run.tracking else mailing


@dataclass
class _Untracked:
    """The mail of contacts who want no tracking; made when the first of them comes."""

    mailing: Mailing
    bodies: Sequence[Compiled]
    made: Mailing | None = field(default=None, init=False)

    def __call__(self) -> Mailing:
        if self.made is None:
            plain = editions(self.bodies, tracking=False)
            self.made = replace(self.mailing, editions=plain, numbered={})
        return self.made


def draft(
    session: Session, campaign: Campaign, signing: Signing, *, version: int | None = None
) -> Mailing | None:
    """Put a draft's mail together for previews, as far as it is chosen; None without a template.

    `version` is that of the template, the newest unless it is given. Its links are not numbered, and its
    tokens name no message.
    """
    if campaign.template_id is None:
        return None
    version = version or templates.newest_version(session, campaign.template_id)
    sender = NOBODY if campaign.sender_id is None else senders.get(session, campaign.sender_id)
    topic = None if campaign.topic_id is None else consent.topic_by_id(session, campaign.topic_id)
    survey = campaign.survey_id
    return Mailing(
        run=0,
        campaign=campaign.id,
        topic=Topic(topic.key, topic.name, topic.topic_class) if topic else UNSAID,
        shared=common(session, campaign.name, sender),
        editions=editions(templates.compiled(session, version), tracking=False),
        signing=signing,
        form=None if survey is None else surveys.form_of(session, surveys.newest_version(session, survey)),
        files=template_files.of_version(session, version),
    )


def number_links(session: Session, run_id: int) -> None:
    """Store where each numbered link of a run leads; the numbers go on from one language to the next.

    Pages of offered products come last: their addresses are values, which no compiler can number.
    """
    run = campaigns.get_run(session, run_id)
    first = 1
    bodies = templates.compiled(session, run.template_version_id)
    for body in bodies:
        if body.html is not None:
            found = instrument(body.html, first=first, track=run.tracking)
            links.add(session, run_id, body.language, found.links)
            first += len(found.links)
    if run.tracking and any("products" in (body.html or "") for body in bodies):
        pages = [url for url in offered_pages(session) if url.startswith(("https://", "http://"))]
        numbered = [Link(number, url) for number, url in enumerate(dict.fromkeys(pages), start=first)]
        links.add(session, run_id, links.OF_PRODUCTS, numbered)


def editions(bodies: Sequence[Compiled], *, tracking: bool) -> dict[str, Prepared]:
    """Instrument and prepare each language; link numbers go on from one to the next, in the order given."""
    first, made = 1, {}
    for body in bodies:
        html = body.html
        if html is not None:
            instrumented = instrument(html, first=first, track=tracking)
            first += len(instrumented.links)
            html = instrumented.html
        made[body.language.lower()] = prepare(Compiled(body.subject, html, body.text, body.language))
    return made
