"""The list of imports: which file, read how, by whom, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import wordings
from campaigns.model.events import imports


@dataclass(frozen=True, slots=True)
class Import:
    """One import, as pages and other records name it."""

    id: int
    file: str
    started_at: datetime
    actor: str


def register(
    session: Session,
    kind: str,
    *,
    file: str,
    sha256: str,
    mapping: Mapping[str, str],
    actor: str,
    now: datetime,
) -> Import:
    """Open an import; until it is finished it has changed nothing."""
    values = {
        "kind": kind,
        "file": file,
        "sha256": sha256,
        "mapping": dict(mapping),
        "actor": actor,
        "started_at": now,
    }
    made: int = session.execute(sa.insert(imports).values(values).returning(imports.c.id)).scalar_one()
    return Import(made, file, now, actor)


def finish(session: Session, import_id: int, counts: Mapping[str, Any], *, now: datetime) -> None:
    """Close an import with what came of it, in the transaction that made it so."""
    session.execute(
        sa.update(imports).where(imports.c.id == import_id).values(counts=dict(counts), finished_at=now)
    )


def wordings_by_name(session: Session) -> dict[str, int]:
    """Give every wording by what a file may call it: key (the newest), key:version, key:version:language."""
    c = wordings.c
    named: dict[str, int] = {}
    for row in session.execute(sa.select(c.id, c.key, c.version, c.language).order_by(c.version, c.id)):
        for name in (row.key, f"{row.key}:{row.version}", f"{row.key}:{row.version}:{row.language}"):
            named[name] = row.id
    return named
