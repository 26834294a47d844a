"""Templates and their versions: every save is a new version, with what was compiled from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.mail import template_bodies, template_versions, templates
from campaigns.records import template_files
from campaigns.values import Attachment, BodyKind, Compiled, Source


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template as lists show it."""

    id: int
    key: str
    name: str
    version: int
    languages: tuple[str, ...]


def save(
    session: Session,
    key: str,
    name: str,
    bodies: Sequence[tuple[Source, Compiled]],
    *,
    author: str,
    now: datetime,
    files: Sequence[Attachment] | None = None,
) -> int:
    """Add a version, and the template itself if its key is new; gives the version's id.

    Without `files` it keeps those of the version before.
    """
    template = session.scalar(sa.select(templates.c.id).where(templates.c.key == key))
    if template is None:
        template = session.scalar(
            sa.insert(templates).values(key=key, name=name, created_at=now).returning(templates.c.id)
        )
    before = session.execute(
        sa.select(template_versions.c.id, template_versions.c.version)
        .where(template_versions.c.template_id == template)
        .order_by(template_versions.c.version.desc())
        .limit(1)
    ).one_or_none()
    number = before.version + 1 if before else 1
    version = session.scalar(
        sa.insert(template_versions)
        .values(template_id=template, version=number, author=author, created_at=now)
        .returning(template_versions.c.id)
    )
    session.execute(
        sa.insert(template_bodies), [_body(version, source, compiled) for source, compiled in bodies]
    )
    assert version is not None
    if files is None:
        files = template_files.of_version(session, before.id) if before else ()
    template_files.add(session, version, files)
    return version


def _body(version: int | None, source: Source, compiled: Compiled) -> dict[str, object]:
    return {
        "version_id": version,
        "language": source.language,
        "kind": source.kind.value,
        "subject": source.subject,
        "preheader": source.preheader,
        "body": source.body,
        "text": source.text,
        "compiled_html": compiled.html,
        "compiled_text": compiled.text,
        "compiled_subject": compiled.subject,
    }


def newest_version(session: Session, template: int) -> int:
    """The id of a template's newest version.

    Raises:
        NotFound: there is no such template.
    """
    found = session.scalar(
        sa.select(template_versions.c.id)
        .where(template_versions.c.template_id == template)
        .order_by(template_versions.c.version.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(f"There is no template {template}.")
    return found


def find(session: Session, key: str) -> int | None:
    """The id of the template with this key, or None."""
    return session.scalar(sa.select(templates.c.id).where(templates.c.key == key))


def compiled(session: Session, version: int) -> list[Compiled]:
    """What a version compiles to, in the order of its languages."""
    rows = session.execute(
        sa.select(template_bodies)
        .where(template_bodies.c.version_id == version)
        .order_by(template_bodies.c.language)
    )
    return [
        Compiled(row.compiled_subject, row.compiled_html, row.compiled_text, row.language) for row in rows
    ]


def sources(session: Session, version: int) -> list[Source]:
    """What a version was written as, in the order of its languages."""
    rows = session.execute(
        sa.select(template_bodies)
        .where(template_bodies.c.version_id == version)
        .order_by(template_bodies.c.language)
    )
    return [
        Source(BodyKind(row.kind), row.subject, row.body, row.preheader, row.text, row.language)
        for row in rows
    ]


def listing(session: Session) -> list[TemplateRow]:
    """All templates that are offered, by name."""
    newest = (
        sa.select(template_versions.c.template_id, sa.func.max(template_versions.c.version).label("version"))
        .group_by(template_versions.c.template_id)
        .subquery()
    )
    query = (
        sa.select(
            templates.c.id, templates.c.key, templates.c.name, newest.c.version, template_bodies.c.language
        )
        .join(newest, newest.c.template_id == templates.c.id)
        .join(
            template_versions,
            sa.and_(
                template_versions.c.template_id == templates.c.id,
                template_versions.c.version == newest.c.version,
            ),
        )
        .join(template_bodies, template_bodies.c.version_id == template_versions.c.id)
        .where(templates.c.archived_at.is_(None))
        .order_by(templates.c.name, templates.c.id, template_bodies.c.language)
    )
    found: dict[int, TemplateRow] = {}
    for row in session.execute(query):
        languages = (*found[row.id].languages, row.language) if row.id in found else (row.language,)
        found[row.id] = TemplateRow(row.id, row.key, row.name, row.version, languages)
    return list(found.values())
