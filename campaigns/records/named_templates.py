"""A template as somebody at a shell names it: by its key, as a starter, or as a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from campaigns.errors import BadInput, NotFound
from campaigns.records import template_files, templates
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from campaigns.values import Attachment, BodyKind, Compiled, Problem, Sender, Source

KINDS = {".mjml": BodyKind.MJML, ".html": BodyKind.HTML, ".htm": BodyKind.HTML, ".txt": BodyKind.TEXT}
NOWHERE = "preview@example.com"  #: stands for the address of a contact without one
#: Stands for a sender where there is none yet.
STAND_IN = Sender("Your company", "hello@example.com", "bounce.example.com", None, "Your postal address")


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for."""

    bodies: Sequence[tuple[Source, Compiled]]
    files: tuple[Attachment, ...] = ()
    version: int = 0  #: of a stored template


def find(session: Session, template: str) -> Named:
    """Find what is meant.

    Raises:
        NotFound: nothing has that name.
        BadTemplate: it does not compile.
        BadInput: the file is no text.
    """
    stored = templates.find(session, template)
    if stored is not None:
        version = templates.newest_version(session, stored)
        pairs = zip(templates.sources(session, version), templates.compiled(session, version), strict=True)
        return Named(tuple(pairs), template_files.of_version(session, version), version)
    if Path(template).suffix in KINDS:
        sources = [_file(Path(template))]
    elif template in starters.NAMES:
        sources = [starters.load(template, language) for language in starters.LANGUAGES]
    else:
        keys = dict.fromkeys([row.key for row in templates.listing(session)] + list(starters.NAMES))
        known = f"Templates: {', '.join(keys)}; or name a file (.mjml, .html, .txt)."
        raise NotFound(f"There is no template {template!r}. {known}")
    return Named(tuple((source, compile_source(source)) for source in sources))


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
