"""What a campaign would say: the template in all of its languages, from whom, to whom, with which survey."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.delivery.routes import Routing
from campaigns.flows.checking import people, sender, ways
from campaigns.flows.checking.findings import Finding, blocker, on, warning
from campaigns.mailing import Mailing, Signing
from campaigns.records import campaigns, consent, readers, segments, template_files, templates
from campaigns.records.campaigns import Campaign
from campaigns.templates import preflight
from campaigns.templates.preflight import Letter, Level, joined, links
from campaigns.templates.preflight.duty import LEGAL, NO_FALLBACK, without_fallback
from campaigns.templates.preflight.findings import Finding as Found
from campaigns.templates.preflight.findings import warning as uncounted
from campaigns.tracking.instrument import instrument
from campaigns.values import RunState, TopicClass

#: What a mail always has once a survey is chosen.
OF_SURVEY = ("links.survey", "survey.title", "survey.scores")
#: What of a template leads to the survey.
LEADS_THERE = ("links.survey", "survey.scores", "survey.question", "survey.title")


def check(
    session: Session, campaign: Campaign, signing: Signing, routing: Routing | None, now: datetime
) -> Iterator[Finding]:
    """Look at the mail, and at the ways that it may go."""
    if campaign.template_id is None:
        return
    version = templates.newest_version(session, campaign.template_id)
    letters = letters_of(session, version)
    yield from _template(session, campaign, letters, now)
    if campaign.tracking:
        counted = {
            one.compiled.language: [*links.counted(one, signing.public_url), *_uncounted(one)]
            for one in letters
        }
        yield from on("what", joined(counted))
    draft = mailing.draft(session, campaign, signing)
    assert draft is not None
    is_ours = routing is None or ways.leave_ours(session, campaign, routing)
    yield from sender.check(session, campaign, is_ours=is_ours)
    if routing is not None:
        yield from ways.check(session, campaign, letters, routing, now)
    yield from _survey(campaign, draft)
    bare = {one.path for letter in letters for one in without_fallback(letter.shown)}
    yield from people.check(session, campaign, draft, bare, now)
    yield from _tested(session, campaign, version)
    if not campaign.tracking:
        what = "Opens and clicks are not counted."
        yield warning("what", what, "Count them if you want a report on more than sent and bounced.")


def letters_of(session: Session, version: int) -> list[Letter]:
    """A template's languages, each as the checks read it."""
    files = template_files.of_version(session, version)
    pairs = zip(templates.compiled(session, version), templates.sources(session, version), strict=True)
    return [Letter(compiled, source, files) for compiled, source in pairs]


def _template(
    session: Session, campaign: Campaign, letters: Sequence[Letter], now: datetime
) -> Iterator[Finding]:
    found = preflight.check_all(letters, _readers(session, campaign, now))
    for one in on("what", found):
        if campaign.survey_id is not None and is_of_survey(one):
            continue
        is_legal = one.what in LEGAL
        yield replace(one, level=Level.WARNING) if is_legal and not _leavable(session, campaign) else one


def is_of_survey(one: Found) -> bool:
    """Whether it speaks of a gap where the survey's own names stand; one that is chosen leaves none."""
    return one.what == NO_FALLBACK and one.values.get("name") in OF_SURVEY


def _uncounted(letter: Letter) -> Iterator[Found]:
    """Look for links that differ from reader to reader: they keep their address, and nobody counts them.

    A product's page and a score's link stand alone: they are ours, and counted.
    """
    for link in instrument(letter.compiled.html or "").untracked:
        if not link.personal_host and ("{{" in link.href or "{%" in link.href):
            what = "The link %(link)s holds a value, so its clicks are not counted."
            cure = "Put the value elsewhere if you want them counted; else leave it."
            yield uncounted(what, cure, link=link.href[:80])


def _readers(session: Session, campaign: Campaign, now: datetime) -> Mapping[str, int] | None:
    """Of the whole segment: who is stopped by a gate has much the same mailboxes, and gates take time."""
    if campaign.segment_id is None:
        return None
    version = segments.newest_version(session, campaign.segment_id)
    return readers.by_provider(session, segments.members_of_version(session, version, now=now))


def _leavable(session: Session, campaign: Campaign) -> bool:
    if campaign.topic_id is None:
        return True
    return consent.topic_by_id(session, campaign.topic_id).topic_class is not TopicClass.TRANSACTIONAL


def _survey(campaign: Campaign, draft: Mailing) -> Iterator[Finding]:
    named = any(map(draft.uses, LEADS_THERE))
    if campaign.survey_id is not None and not named:
        cure = "Choose a template that shows links.survey or the survey's scores, or no survey."
        yield blocker("what", "A survey is chosen, but the template does not lead to it.", cure)
    if campaign.survey_id is None and named:
        cure = "Choose the survey that it invites to."
        yield warning("what", "The template speaks of a survey, but none is chosen.", cure)


def _tested(session: Session, campaign: Campaign, version: int) -> Iterator[Finding]:
    cure = "Send one to yourself and read it on a phone."
    tests = campaigns.runs_of(session, campaign.id, kind="test")
    sent = [run for run in tests if run.state is not RunState.CANCELLED]
    if not sent:
        yield warning("what", "No test mail has been sent.", cure)
    elif sent[0].template_version_id != version or sent[0].opened_at < campaign.updated_at:
        yield warning("what", "It has changed since the last test mail.", cure)
