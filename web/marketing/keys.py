"""Keys for what people name: short, plain, and new."""

import re
import unicodedata
from collections.abc import Callable

LONGEST = 50


def new_key(name: str, is_taken: Callable[[str], bool]) -> str:
    """Make a key out of a name; with a number behind it if it is taken."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST] or "unnamed"
    return next(k for k in (key, *(f"{key}-{n}" for n in range(2, 10_000))) if not is_taken(k))
