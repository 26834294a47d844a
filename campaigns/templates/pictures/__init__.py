"""Pictures that people give us, taken apart and written anew from what a mail program needs of them.

A picture that is damaged is refused, and one that would fill a reader's memory; what else was in the file
(where it was taken, by which program, a second file behind its end) stays behind. Pixels stay as they are.
"""

from collections.abc import Callable, Mapping

from campaigns.errors import BadTemplate
from campaigns.templates.pictures.gif import write_gif
from campaigns.templates.pictures.jpeg import write_jpeg
from campaigns.templates.pictures.parts import Broken
from campaigns.templates.pictures.png import write_png
from campaigns.values import Problem

__all__ = ["write_anew"]

_WRITERS: Mapping[str, Callable[[bytes], bytes]] = {
    "image/png": write_png,
    "image/jpeg": write_jpeg,
    "image/gif": write_gif,
}


def write_anew(name: str, kind: str, data: bytes) -> bytes:
    """Give the picture without what no reader sees.

    Raises:
        BadTemplate: it is none that can be shown, or too large in pixels.
    """
    try:
        return _WRITERS[kind](data)
    except Broken as error:
        raise BadTemplate([Problem("file", f"{name[:80]!r} {error}.", error.cure)]) from None
