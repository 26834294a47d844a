"""See a mail before anybody gets it: as one contact would, from a stored template, a starter or a file."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from campaigns.errors import BadInput, NotFound
from campaigns.mailing import UNSAID, Mailing, Signing, editions
from campaigns.records import names, senders, surveys, template_files, templates
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from campaigns.values import Attachment, BodyKind, Compiled, Content, Problem, Sender, Source

KINDS = {".mjml": BodyKind.MJML, ".html": BodyKind.HTML, ".htm": BodyKind.HTML, ".txt": BodyKind.TEXT}
NOWHERE = "preview@example.com"  #: stands for the address of a contact without one
STAND_IN = Sender("Your company", "hello@example.com", "bounce.example.com", None, "Your postal address")


class Preview(NamedTuple):
    """A mail as it would be sent, and what its recipient reads."""

    eml: bytes
    content: Content


def preview(session: Session, template: str, contact: int, signing: Signing, *, now: datetime) -> Preview:
    """Make a contact's mail; its links lead to pages that know no such message.

    Raises:
        NotFound: there is no such contact or template.
        BadTemplate: the template does not compile, or fails for this contact.
    """
    whom = names.recipient(session, contact)
    if whom is None:
        raise NotFound(f"There is no contact {contact}. Look one up: postroom count RULE.json --list 5.")
    known = senders.listing(session)
    offered = surveys.listing(session)
    mailing = Mailing(
        run=0,
        campaign=0,
        topic=UNSAID,
        shared=names.common(session, "Preview", known[0][1] if known else STAND_IN),
        editions=editions(_bodies(session, template), tracking=False),
        signing=signing,
        files=_files(session, template),
        form=surveys.form_of(session, surveys.newest_version(session, offered[0].id)) if offered else None,
    )
    addressed = replace(whom, address=whom.address or NOWHERE)
    bought = names.last_orders(session, [whom.customer_id]).get(whom.customer_id, [])
    return Preview(
        mailing.mail(addressed, bought=bought, now=now).data,
        mailing.content(addressed, bought=bought, now=now),
    )


def _bodies(session: Session, template: str) -> Sequence[Compiled]:
    """Find a template by its key, as a file, or among the starters."""
    stored = templates.find(session, template)
    if stored is not None:
        return templates.compiled(session, templates.newest_version(session, stored))
    if Path(template).suffix in KINDS:
        return [compile_source(_file(Path(template)))]
    if template in starters.NAMES:
        return [compile_source(starters.load(template, language)) for language in ("en", "de")]
    keys = ", ".join([row.key for row in templates.listing(session)] + list(starters.NAMES))
    raise NotFound(
        f"There is no template {template!r}. Templates: {keys}; or name a file (.mjml, .html, .txt)."
    )


def _files(session: Session, template: str) -> tuple[Attachment, ...]:
    stored = templates.find(session, template)
    return (
        ()
        if stored is None
        else template_files.of_version(session, templates.newest_version(session, stored))
    )


def _file(path: Path) -> Source:
    try:
        body = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise BadInput(
            [Problem(str(path), f"is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.")]
        ) from error
    return Source(KINDS[path.suffix], path.stem, body)
