"""What speaks against sending a campaign as it is: blockers, then warnings, in words with what to do.

Sentences hold %(name)s in place of numbers and names, so that a page can say them in its reader's language.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.errors import BadInput
from campaigns.mailing import Mailing, Signing
from campaigns.records import (
    audience,
    campaigns,
    consent,
    gates,
    names,
    samples,
    segments,
    senders,
    templates,
)
from campaigns.records.campaigns import Campaign
from campaigns.templates import preflight
from campaigns.templates.preflight import Level
from campaigns.values import RunState, TopicClass

TRIED = 40  #: contacts for whom the mail is rendered, those who lack the most
LARGER = 2  #: times the largest of the last sends is remarkable
FEW = 1000  #: so small an audience is never remarkable


class _Values(dict[str, object]):
    """Values that can be told apart in a set of findings."""

    def __hash__(self) -> int:  # type: ignore[override] # never changed once made
        return hash(tuple(self.items()))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: on which card, what is the matter, what to do."""

    level: Level
    card: str  #: who, what or when
    what: str
    cure: str = ""
    values: Mapping[str, object] = field(default_factory=_Values)

    def __str__(self) -> str:
        return f"{self.what} {self.cure}".strip() % self.values


def check(
    session: Session, campaign: Campaign, *, reach: Mapping[str, int], signing: Signing, now: datetime
) -> list[Finding]:
    """List what speaks against sending, blockers first; `reach` is what flows/audience.reach counted.

    What is not chosen yet is no finding here: flows/schedule.first_due tells it.
    """
    found = [*_who(session, campaign, reach, now), *_what(session, campaign, signing, now)]
    found += _when(campaign, reach.get("mailable", 0), signing)
    return sorted(dict.fromkeys(found), key=lambda one: one.level is Level.WARNING)


def _blocker(card: str, what: str, cure: str = "", **values: object) -> Finding:
    return Finding(Level.BLOCKER, card, what, cure, _Values(values))


def _warning(card: str, what: str, cure: str = "", **values: object) -> Finding:
    return Finding(Level.WARNING, card, what, cure, _Values(values))


def _who(session: Session, campaign: Campaign, reach: Mapping[str, int], now: datetime) -> Iterator[Finding]:
    if campaign.segment_id is None or campaign.topic_id is None:
        return
    mailable = reach.get("mailable", 0)
    if not mailable and campaign.schedule != "recurring":
        yield _blocker(
            "who", "It would reach nobody.", "Look at what excludes people, or choose another segment."
        )
    elif not mailable:
        yield _warning("who", "It would reach nobody now.", "Each run looks afresh; make sure that is meant.")
    lately = samples.mailed_since(session, _recipients(session, campaign, now), now - timedelta(hours=24))
    if lately:
        cure = "Wait a day, or set a frequency cap."
        yield _warning(
            "who", "%(count)s of these people had a mail from us in the last 24 hours.", cure, count=lately
        )
    earlier, largest = samples.usual_size(session, but=campaign.id, now=now)
    if earlier and mailable > max(FEW, LARGER * largest):
        what = "It is large: %(count)s recipients; the largest of the last %(earlier)s sends had %(largest)s."
        cure = "Make sure that the segment is the right one."
        yield _warning("who", what, cure, count=mailable, earlier=earlier, largest=largest)


def _recipients(session: Session, campaign: Campaign, now: datetime) -> sa.Select[Any]:
    """Whom the campaign would mail; the whole segment while no topic says whose consent counts."""
    assert campaign.segment_id is not None
    version = segments.newest_version(session, campaign.segment_id)
    members = segments.members_of_version(session, version, now=now)
    if campaign.topic_id is None:
        return members
    return audience.mailable(members, gates.of_campaign(session, campaign, campaign.topic_id, now=now))


def _what(session: Session, campaign: Campaign, signing: Signing, now: datetime) -> Iterator[Finding]:
    if campaign.template_id is None:
        return
    version = templates.newest_version(session, campaign.template_id)
    leavable = (
        campaign.topic_id is None
        or consent.topic_by_id(session, campaign.topic_id).topic_class is not TopicClass.TRANSACTIONAL
    )
    sources = templates.sources(session, version)
    for compiled, source in zip(templates.compiled(session, version), sources, strict=True):
        for found in preflight.check(compiled, source):
            is_legal = "unsubscribe" in found.cure or "postal_address" in found.cure
            level = Level.WARNING if is_legal and not leavable else found.level
            yield Finding(level, "what", _plain(found.words), _plain(found.cure))
    draft = mailing.draft(session, campaign, signing)
    assert draft is not None
    yield from _sender(session, campaign)
    yield from _survey(campaign, draft)
    yield from _people(session, campaign, draft, now)
    yield from _tested(session, campaign, version)
    if not campaign.tracking:
        what = "Opens and clicks are not counted."
        yield _warning("what", what, "Count them if you want a report on more than sent and bounced.")


def _plain(words: str) -> str:
    """Keep a sentence that is already complete from being read as one with places for values."""
    return words.replace("%", "%%")


def _sender(session: Session, campaign: Campaign) -> Iterator[Finding]:
    if campaign.sender_id is None:
        return
    sender = senders.get(session, campaign.sender_id)
    if not sender.postal_address.strip():
        cure = "The law asks for one in every mail of this kind; add it to the sender."
        yield _blocker("what", "The sender %(sender)s has no postal address.", cure, sender=sender.name)
    if sender.address.rpartition("@")[2] == "" or not sender.bounce_domain:
        cure = "Correct the sender."
        yield _blocker("what", "The sender %(sender)s has no full mail address.", cure, sender=sender.name)


#: What of a template leads to the survey.
LEADS_THERE = ("links.survey", "survey.scores", "survey.question", "survey.title")


def _survey(campaign: Campaign, draft: Mailing) -> Iterator[Finding]:
    named = any(map(draft.uses, LEADS_THERE))
    if campaign.survey_id is not None and not named:
        cure = "Choose a template that shows links.survey or the survey's scores, or no survey."
        yield _blocker("what", "A survey is chosen, but the template does not lead to it.", cure)
    if campaign.survey_id is None and named:
        cure = "Choose the survey that it invites to."
        yield _warning("what", "The template speaks of a survey, but none is chosen.", cure)


_NAMED = re.compile(r"\bcontact\.(\w+)")


def named_of(draft: Mailing) -> list[str]:
    """What of a contact a mail's editions name."""
    texts = (edition.compiled for edition in draft.editions.values())
    found = {name for one in texts for name in _NAMED.findall(f"{one.subject} {one.html or ''} {one.text}")}
    return [name for name in samples.LACKABLE if name in found]


#: What of a contact may be missing, in words.
LACKS = {
    "given_name": "%(count)s of %(all)s people have no first name; they read the template's fallback.",
    "family_name": "%(count)s of %(all)s people have no last name; they read the template's fallback.",
    "salutation": "%(count)s of %(all)s people have no salutation; they read the template's fallback.",
    "country": "%(count)s of %(all)s people have no country; they read the template's fallback.",
    "region": "%(count)s of %(all)s people have no region; they read the template's fallback.",
    "city": "%(count)s of %(all)s people have no city; they read the template's fallback.",
}


def _people(session: Session, campaign: Campaign, draft: Mailing, now: datetime) -> Iterator[Finding]:
    """Try the mail on real people, those first who lack the most of what it names."""
    if campaign.segment_id is None:
        return
    members = _recipients(session, campaign, now)
    named = named_of(draft)
    everyone, lacks = samples.lacking(session, members, named)
    for name, count in lacks.items():
        if count and name in LACKS:
            cure = "Look at the preview, worst first."
            yield _warning("what", LACKS[name], cure, count=count, all=everyone)
    tried = samples.worst_first(session, members, named, limit=TRIED)
    failures = list(_failures(session, draft, tried, now))
    if failures:
        what = "It fails for %(count)s of %(tried)s people tried: %(first)s"
        cure = "Whoever it fails for gets no mail. Mend the template."
        yield _blocker("what", what, cure, count=len(failures), tried=len(tried), first=failures[0])
    yield from _languages(samples.languages(session, members), draft)


def _failures(session: Session, draft: Mailing, tried: list[int], now: datetime) -> Iterator[str]:
    for number in tried:
        one = names.recipient(session, number)
        if one is not None:
            bought = names.last_orders(session, [one.customer_id]) if draft.uses("order") else {}
            try:
                draft.content(one, bought=bought.get(one.customer_id, []), now=now)
            except BadInput as error:
                yield str(error.problems[0])


def _languages(read: Mapping[str, int], draft: Mailing) -> Iterator[Finding]:
    there = {language.partition("-")[0] for language in draft.editions}
    others = {language: count for language, count in read.items() if language and language not in there}
    if others:
        largest = max(others, key=lambda language: others[language])
        what = (
            "%(count)s people read a language that the template does not have (most of them: %(language)s)."
        )
        cure = "They get it in %(instead)s."
        instead = "en" if "en" in there else next(iter(draft.editions))
        count = sum(others.values())
        yield _warning("what", what, cure, count=count, language=largest, instead=instead)


def _tested(session: Session, campaign: Campaign, version: int) -> Iterator[Finding]:
    cure = "Send one to yourself and read it on a phone."
    tests = campaigns.runs_of(session, campaign.id, kind="test")
    sent = [run for run in tests if run.state is not RunState.CANCELLED]
    if not sent:
        yield _warning("what", "No test mail has been sent.", cure)
    elif sent[0].template_version_id != version or sent[0].opened_at < campaign.updated_at:
        yield _warning("what", "It has changed since the last test mail.", cure)


def _when(campaign: Campaign, mailable: int, signing: Signing) -> Iterator[Finding]:
    if campaign.per_minute and mailable > campaign.per_minute * 60 * campaign.send_within_hours:
        what = "At %(rate)s a minute it takes longer than the %(hours)s hours after which the rest expires."
        cure = "Send faster, or give it more time."
        yield _blocker("when", what, cure, rate=campaign.per_minute, hours=campaign.send_within_hours)
    public = urlsplit(signing.public_url)
    if public.scheme != "https":
        what = "Links in the mail lead to %(url)s, which is not encrypted."
        cure = "Set POSTROOM_PUBLIC_URL to an https address before you mail real people."
        yield _warning("what", what, cure, url=signing.public_url)
