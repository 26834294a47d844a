"""What the cards' lists offer, and what is chosen, by name."""

from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.idn import told_address
from campaigns.records import consent, segments, senders, surveys, templates
from campaigns.records.campaigns import Campaign
from campaigns.records.consent import Topic
from campaigns.records.segments import SegmentRow
from campaigns.records.surveys import SurveyRow
from campaigns.records.templates import TemplateRow
from campaigns.values import Sender
from web.language import reader_language
from web.marketing.campaigns.cards import Offered, zones


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that a campaign may choose from, by id."""

    topics: dict[int, Topic]
    segments: dict[int, SegmentRow]
    templates: dict[int, TemplateRow]
    senders: dict[int, Sender]
    surveys: dict[int, SurveyRow]

    @property
    def offered(self) -> Offered:
        """The ids alone."""
        return Offered(
            self.topics.keys(),
            self.segments.keys(),
            self.templates.keys(),
            self.senders.keys(),
            self.surveys.keys(),
        )

    def options(self) -> dict[str, list[tuple[int | str, str]]]:
        """The lists as fields show them: value and words."""
        first: tuple[int | str, str] = ("", _("Choose …"))
        return {
            "topics": [first, *((one.id, one.name) for one in self.topics.values())],
            "segments": [first, *((one.id, one.name) for one in self.segments.values())],
            "templates": [first, *((one.id, _with_languages(one)) for one in self.templates.values())],
            "senders": [
                first,
                *((key, f"{one.name} <{told_address(one.address)}>") for key, one in self.senders.items()),
            ],
            "surveys": [("", _("none")), *((one.id, one.name) for one in self.surveys.values())],
            "zones": [(name, name) for name in zones()],
        }


def _with_languages(template: TemplateRow) -> str:
    return f"{template.name} ({', '.join(template.languages)})"


def choices(session: Session) -> Choices:
    """Load what is on offer."""
    return Choices(
        {one.id: one for one in consent.all_topics(session)},
        {one.id: one for one in segments.listing(session, reader_language())},
        {one.id: one for one in templates.listing(session)},
        dict(senders.listing(session)),
        {one.id: one for one in surveys.listing(session)},
    )


def is_complete(campaign: Campaign, card: str) -> bool:
    """Tell whether a card says all that it must."""
    if card == "who":
        return campaign.topic_id is not None and campaign.segment_id is not None
    if card == "what":
        return campaign.template_id is not None and campaign.sender_id is not None
    return campaign.schedule == "now" or bool(campaign.starts_at or campaign.cron)
