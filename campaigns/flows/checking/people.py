"""The mail as real people get it: what they lack, whether it can be made for them, how long it gets."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.errors import BadInput
from campaigns.flows.checking.findings import Finding, blocker, on, warning
from campaigns.flows.checking.who import recipients
from campaigns.mailing import Mailing
from campaigns.records import names, samples
from campaigns.records.campaigns import Campaign
from campaigns.records.names import full_name
from campaigns.templates.preflight.findings import Tongue
from campaigns.templates.preflight.size import of_html
from campaigns.tracking.instrument import instrument

TRIED = 40  #: contacts for whom the mail is rendered, those who lack the most
_NAMED = re.compile(r"\bcontact\.(\w+)")
#: What of a contact may be missing, in words.
LACKS = {
    "given_name": "%(count)s of %(all)s people have no first name; they read the template's fallback.",
    "family_name": "%(count)s of %(all)s people have no last name; they read the template's fallback.",
    "salutation": "%(count)s of %(all)s people have no salutation; they read the template's fallback.",
    "country": "%(count)s of %(all)s people have no country; they read the template's fallback.",
    "region": "%(count)s of %(all)s people have no region; they read the template's fallback.",
    "city": "%(count)s of %(all)s people have no city; they read the template's fallback.",
}
#: The same of what the template shows without a fallback.
LACKS_BARE = {
    "given_name": "%(count)s of %(all)s people have no first name; without a fallback they get no mail.",
    "family_name": "%(count)s of %(all)s people have no last name; without a fallback they get no mail.",
    "salutation": "%(count)s of %(all)s people have no salutation; without a fallback they get no mail.",
    "country": "%(count)s of %(all)s people have no country; without a fallback they get no mail.",
    "region": "%(count)s of %(all)s people have no region; without a fallback they get no mail.",
    "city": "%(count)s of %(all)s people have no city; without a fallback they get no mail.",
}


@dataclass
class Trial:
    """What came of rendering the mail for some people."""

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    largest: int = 0  #: bytes of the longest HTML, as it is sent
    whose: str = ""


def check(
    session: Session, campaign: Campaign, draft: Mailing, bare: Collection[str], now: datetime
) -> Iterator[Finding]:
    """Try the mail on real people, those first who lack the most of what it names.

    `bare` are the names that it shows without a fallback.
    """
    if campaign.segment_id is None:
        return
    members = recipients(session, campaign, now)
    named = named_of(draft)
    everyone, lacks = samples.lacking(session, members, named)
    for name, count in lacks.items():
        if count and name in LACKS:
            cure = "Look at the preview, worst first."
            words = LACKS_BARE if f"contact.{name}" in bare else LACKS
            yield warning("what", words[name], cure, count=count, all=everyone)
    tried = samples.worst_first(session, members, named, limit=TRIED)
    trial = _try(session, draft, tried, _added(draft) if campaign.tracking else {}, now)
    if trial.failures:
        what = "It fails for %(count)s of %(tried)s people tried: %(first)s"
        cure = "Whoever it fails for gets no mail. Mend the template."
        yield blocker(
            "what", what, cure, count=len(trial.failures), tried=trial.tried, first=trial.failures[0]
        )
    yield from on("what", of_html(trial.largest, trial.whose))
    yield from _languages(samples.languages(session, members), draft)


def named_of(draft: Mailing) -> list[str]:
    """What of a contact a mail's editions name."""
    texts = (edition.compiled for edition in draft.editions.values())
    found = {name for one in texts for name in _NAMED.findall(f"{one.subject} {one.html or ''} {one.text}")}
    return [name for name in samples.LACKABLE if name in found]


def _added(draft: Mailing) -> dict[str, int]:
    """How many bytes the numbers of links and the pixel add to each language, at most."""
    token = len(draft.signing.links(0, 0, 0)["click"])
    found = {}
    for language, edition in draft.editions.items():
        made = instrument(edition.compiled.html or "")
        written = sum(len(link.url.encode()) for link in made.links)
        found[language] = len(made.links) * (token + 3) - written + token + 120
    return found


def _try(
    session: Session, draft: Mailing, tried: list[int], added: Mapping[str, int], now: datetime
) -> Trial:
    trial = Trial()
    for number in tried:
        one = names.recipient(session, number)
        if one is None:
            continue
        trial.tried += 1
        bought = names.last_orders(session, [one.customer_id]) if draft.uses_orders else {}
        try:
            content = draft.content(one, bought=bought.get(one.customer_id, []), now=now)
        except BadInput as error:
            trial.failures.append(str(error.problems[0]))
            continue
        language = draft.edition_for(one.contact["locale"]).compiled.language.lower()
        size = len((content.html or "").encode()) + added.get(language, 0)
        if size > trial.largest:
            trial.largest, trial.whose = size, full_name(one.contact) or one.address or str(number)
    return trial


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
        values = {"language": Tongue(largest), "instead": Tongue(instead)}
        yield warning("what", what, cure, count=sum(others.values()), **values)
