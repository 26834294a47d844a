"""The files of template versions; equal contents are stored once, however many versions have them."""

from collections.abc import Sequence
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.mail import file_contents, template_files
from campaigns.values import Attachment


def of_version(session: Session, version: int) -> tuple[Attachment, ...]:
    """The files of a version, in the order in which they were added."""
    query = (
        sa.select(template_files, file_contents.c.data)
        .join(file_contents, file_contents.c.digest == template_files.c.digest)
        .where(template_files.c.version_id == version)
        .order_by(template_files.c.place)
    )
    return tuple(
        Attachment(row.name, row.media_type, row.data, row.content_id) for row in session.execute(query)
    )


def add(session: Session, version: int, files: Sequence[Attachment]) -> None:
    """Write down the files of a new version; the only writer of both tables."""
    contents = {sha256(one.data).hexdigest(): one.data for one in files}
    known = sa.select(file_contents.c.digest).where(file_contents.c.digest.in_(contents))
    stored = set(session.scalars(known))
    if new := [{"digest": digest, "data": data} for digest, data in contents.items() if digest not in stored]:
        session.execute(sa.insert(file_contents), new)
    if files:
        session.execute(
            sa.insert(template_files), [_row(version, place, one) for place, one in enumerate(files)]
        )


def _row(version: int, place: int, one: Attachment) -> dict[str, object]:
    return {
        "version_id": version,
        "place": place,
        "name": one.name,
        "media_type": one.media_type,
        "content_id": one.content_id,
        "digest": sha256(one.data).hexdigest(),
    }
