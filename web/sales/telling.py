"""What a line of the stream is made of: its parts, the names around it, and how a sentence is filled."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup, escape

from campaigns.records.customers.stream import Page
from campaigns.records.history import Event
from web.sales import words
from web.sales.desk import links_campaigns


@dataclass(frozen=True, slots=True)
class Line:
    """What a page shows of one entry."""

    icon: str
    words: Markup
    tone: str = ""  #: good, bad or info
    quote: str = ""  #: what somebody wrote
    facts: tuple[tuple[str, str], ...] = ()  #: to be looked up on demand
    quiet: bool = False  #: nothing that a person did
    verdict: str = ""  #: who did it, where that is in question


@dataclass(frozen=True, slots=True)
class Telling:
    """An event among the names that it speaks of."""

    page: Page
    event: Event

    @property
    def detail(self) -> dict[str, Any]:
        return self.event.detail

    def text(self, *keys: str) -> str:
        """The first of these details that is there, as text."""
        return next((str(self.detail[key]) for key in keys if self.detail.get(key) not in (None, "")), "")

    @property
    def campaign(self) -> Markup:
        return campaign(self.page, self.event.run)

    @property
    def topic(self) -> Markup:
        named = self.detail.get("topic")
        told = self.page.runs.get(self.event.run or 0)
        name = self.page.topics.get(named, "") if isinstance(named, int) else str(named or "")
        return name_of(name or (told.topic if told else "") or _("a topic"))


def campaign(page: Page, run: int | None) -> Markup:
    """The campaign's name, linked to its page where there is one."""
    told = page.runs.get(run or 0)
    if told is None:
        return escape(_("a mail"))
    if told.deleted or not links_campaigns():
        return name_of(told.name)
    return Markup('<a href="{}"><bdi>{}</bdi></a>').format(words.campaign_url(told.campaign), told.name)


def name_of(text: str) -> Markup:
    """A name from outside within a sentence: whatever its script, it does not turn the sentence round."""
    return Markup("<bdi>{}</bdi>").format(text)


def say(sentence: str, **names: Any) -> Markup:
    """Fill a sentence of ours; what is filled in is hostile and is escaped."""
    return Markup(sentence) % {key: escape(value) for key, value in names.items()}  # noqa: S704 - our own text
