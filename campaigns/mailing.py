"""One run's mail: the rooms put together, from a recipient to the bytes on the wire.

templates/render → tracking/instrument (once) → names of one recipient → content → delivery/compose
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campaigns.delivery.compose import Letter, compose
from campaigns.records import campaigns, consent, links, senders, surveys, templates
from campaigns.records.campaigns import Campaign, Run
from campaigns.records.names import Common, common, full_name, offered_pages, personal
from campaigns.records.outbox import Recipient
from campaigns.surveys.form import Form, QuestionType
from campaigns.templates.render import Prepared, prepare
from campaigns.tracking.instrument import instrument
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import Compiled, Content, Link, MessageKey, Outgoing, Sender, TopicClass

#: The page each token opens, by its first path element. Short: an address is in every mail many times.
PAGES = {
    "open": ("o", Purpose.OPEN),
    "click": ("c", Purpose.CLICK),
    "unsubscribe": ("u", Purpose.UNSUBSCRIBE),
    "view": ("v", Purpose.VIEW),
    "preferences": ("p", Purpose.PREFERENCES),
    "survey": ("s", Purpose.SURVEY),
}


@dataclass(frozen=True, slots=True)
class Signing:
    """What addresses in mails are made with."""

    keyring: Keyring
    public_url: str  #: without a slash at the end

    def links(self, run: int, seq: int, contact: int) -> dict[str, str]:
        """The addresses of one message, each with a token of its own purpose."""
        return {
            name: f"{self.public_url}/{path}/{self.keyring.sign(purpose, run, seq, contact)}"
            for name, (path, purpose) in PAGES.items()
        }


@dataclass(frozen=True, slots=True)
class Topic:
    """What of a topic stands in a mail's headers."""

    key: str
    name: str
    topic_class: TopicClass


#: Stand in previews for what a draft has not chosen yet.
NOBODY = Sender("…", "…", "", None, "…")
UNSAID = Topic("", "", TopicClass.MARKETING)


@dataclass(frozen=True)
class Mailing:
    """All that a run's messages have in common; `mail` makes one of them."""

    run: int
    campaign: int
    topic: Topic
    shared: Common
    editions: Mapping[str, Prepared]
    signing: Signing
    form: Form | None = None
    numbered: Mapping[str, int] = field(default_factory=dict)  #: pages of products, by their link's number
    headers: Mapping[str, str] = field(default_factory=dict)

    def uses(self, name: str) -> bool:
        """Tell whether any edition names `name`."""
        return any(name in _source(edition.compiled) for edition in self.editions.values())

    def content(self, recipient: Recipient, *, bought: list[dict[str, Any]], now: datetime) -> Content:
        """Render the recipient's own version.

        Raises:
            BadTemplate: naming what this contact lacks.
        """
        edition = self.edition_for(recipient.contact["locale"])
        links = self.signing.links(self.run, recipient.seq, recipient.contact_id)
        names = personal(recipient, self.shared, links=links, bought=bought, now=now)
        if self.form is not None:
            names["survey"] = survey_names(self.form, edition.compiled.language, links["survey"])
        for product in names["products"]:
            if (number := self.numbered.get(product["url"] or "")) is not None:
                product["url"] = f"{links['click']}/{number}"
        return edition.render(names)

    def mail(self, recipient: Recipient, *, bought: list[dict[str, Any]], now: datetime) -> Outgoing:
        """Make the recipient's mail.

        Raises:
            BadInput: the template or a header does not hold for this contact.
        """
        return compose(self._letter(recipient, self.content(recipient, bought=bought, now=now), now))

    def _letter(self, recipient: Recipient, content: Content, now: datetime) -> Letter:
        sender, seq, contact = self.shared.sender, recipient.seq, recipient.contact_id
        returning = self.signing.keyring.sign(Purpose.RETURN, self.run, seq, contact)
        domain = sender.address.rpartition("@")[2]
        leavable = self.topic.topic_class is not TopicClass.TRANSACTIONAL
        unsubscribe = self.signing.keyring.sign(Purpose.UNSUBSCRIBE, self.run, seq, contact)
        return Letter(
            key=MessageKey(self.run, seq),
            sender=sender,
            to_name=full_name(recipient.contact) or "",
            to_address=recipient.address,
            content=content,
            at=now,
            message_id=returning,
            return_path=f"b+{returning}@{sender.bounce_domain}",
            language=self.edition_for(recipient.contact["locale"]).compiled.language,
            list_id=(self.topic.name, f"{self.topic.key}.{domain}") if leavable else None,
            unsubscribe_url=f"{self.signing.public_url}/u/{unsubscribe}" if leavable else None,
            unsubscribe_mailto=f"unsub+{returning}@{sender.bounce_domain}?subject=unsubscribe"
            if leavable
            else None,
            feedback_id=(
                f"c{self.campaign}",
                f"r{self.run}",
                self.topic.topic_class.value,
                domain.replace(".", "-"),
            ),
            extra=self.headers,
        )

    def edition_for(self, locale: str | None) -> Prepared:
        """The edition that fits a locale best: de-AT, then de, then English, then the first there is."""
        wanted = (locale or "").replace("_", "-").lower()
        for language in (wanted, wanted.partition("-")[0], "en"):
            if language in self.editions:
                return self.editions[language]
        return next(iter(self.editions.values()))


def load(session: Session, run: Run, campaign: str, signing: Signing) -> Mailing:
    """Put together what a run's messages have in common, from what was pinned when it opened."""
    topic = consent.topic_by_id(session, run.topic_id)
    form = None if run.survey_version_id is None else surveys.form_of(session, run.survey_version_id)
    made = editions(templates.compiled(session, run.template_version_id), tracking=run.tracking)
    sender = senders.get(session, run.sender_id)
    return Mailing(
        run=run.id,
        campaign=run.campaign_id,
        topic=Topic(topic.key, topic.name, topic.topic_class),
        shared=common(session, campaign, sender),
        editions=made,
        signing=signing,
        form=form,
        numbered=links.of_products(session, run.id),
    )


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


def survey_names(form: Form, language: str, address: str) -> dict[str, Any]:
    """What a template may name of the survey; the scores are those of its first scale question."""
    scale = next((question for question in form.questions if question.type is QuestionType.SCALE), None)
    values = range(scale.low, scale.high + 1) if scale else range(0)
    return {
        "title": form.title.read(language),
        "question": scale.text.read(language) if scale else None,
        "scores": [{"value": value, "url": f"{address}?score={value}"} for value in values],
    }


def _source(compiled: Compiled) -> str:
    return f"{compiled.subject} {compiled.html or ''} {compiled.text}"
