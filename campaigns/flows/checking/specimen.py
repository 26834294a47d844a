"""A mail whose links can be followed and that a spam filter can read, made for real people or an example."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.errors import BadInput
from campaigns.flows.checking.outward import Outward, Rendered, outward
from campaigns.flows.checking.people import named_of
from campaigns.flows.checking.what import letters_of
from campaigns.flows.checking.who import recipients
from campaigns.mailing import UNSAID, Mailing, Signing, editions
from campaigns.records import named_templates, names, readers, samples, senders, surveys, templates
from campaigns.records.campaigns import Campaign
from campaigns.records.named_templates import NOWHERE, STAND_IN
from campaigns.records.outbox import Recipient
from campaigns.templates.preflight import Letter
from campaigns.templates.samples import sample_names

PEOPLE = 12  #: for whom the links are made


@dataclass(frozen=True, slots=True)
class Specimen:
    """What is needed to ask others about a mail."""

    letters: Sequence[Letter]
    links: Sequence[Outward]
    mail: bytes | None  #: one whole mail; None where it cannot be made
    version: int = 0  #: of the template
    differing: int = 0  #: addresses that were left out, for they are some reader's own


def of_campaign(session: Session, campaign: Campaign, signing: Signing, now: datetime) -> Specimen | None:
    """Make one of a campaign, for its own people; None without a template."""
    draft = mailing.draft(session, campaign, signing)
    if draft is None or campaign.template_id is None:
        return None
    version = templates.newest_version(session, campaign.template_id)
    letters = letters_of(session, version)
    chosen: list[int] = []
    if campaign.segment_id is not None:
        members = recipients(session, campaign, now)
        chosen = samples.worst_first(session, members, named_of(draft), limit=PEOPLE)
    return _made(session, draft, letters, chosen, version, now)


def of_template(session: Session, template: str, signing: Signing, now: datetime) -> Specimen:
    """Make one of a template (a key, a starter or a file), for people of the store.

    Raises:
        NotFound: there is no such template.
        BadTemplate: it does not compile.
    """
    named = named_templates.find(session, template)
    letters = [Letter(compiled, source, named.files) for source, compiled in named.bodies]
    known, offered = senders.listing(session), surveys.listing(session)
    draft = Mailing(
        run=0,
        campaign=0,
        topic=UNSAID,
        shared=names.common(session, "Preview", known[0][1] if known else STAND_IN),
        editions=editions([one.compiled for one in letters], tracking=False),
        signing=signing,
        files=named.files,
        form=surveys.form_of(session, surveys.newest_version(session, offered[0].id)) if offered else None,
    )
    return _made(session, draft, letters, readers.some(session, PEOPLE), named.version, now)


def _made(
    session: Session,
    draft: Mailing,
    letters: Sequence[Letter],
    chosen: list[int],
    version: int,
    now: datetime,
) -> Specimen:
    people = [one for number in chosen if (one := names.recipient(session, number)) is not None]
    people += [_example(letter.compiled.language) for letter in letters]
    rendered, mail = [], None
    for one in people:
        addressed = replace(one, address=one.address or NOWHERE)
        bought = names.last_orders(session, [one.customer_id]).get(one.customer_id, [])
        try:
            content = draft.content(addressed, bought=bought, now=now)
            mail = mail or draft.plain(addressed, bought=bought, now=now).data
        except BadInput:
            continue  # told elsewhere, with the reason
        language = draft.edition_for(one.contact["locale"]).compiled.language
        rendered.append(Rendered(language, content, one.customer_id if one.contact_id else None))
    links, differing = outward(letters, list(_some_of_each(rendered)), draft.signing.public_url)
    return Specimen(letters, links, mail, version, differing)


def _some_of_each(rendered: Sequence[Rendered]) -> Iterator[Rendered]:
    """A few of each language, mostly led to the same pages; and all that are invented."""
    met: dict[str, int] = {}
    for one in rendered:
        met[one.language] = met.get(one.language, 0) + (not one.invented)
        if one.invented or met[one.language] <= PEOPLE // 2:
            yield one


def _example(language: str) -> Recipient:
    example = sample_names(language)
    customer = {**example["customer"], "owner_id": None}
    return Recipient(0, 0, example["contact"]["email"], 0, 0, example["contact"], customer)
