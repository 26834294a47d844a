"""Finds the words that pages say, for the test of the catalogues and for whoever writes them."""

from babel.messages.extract import extract_from_dir

from web.language import WEB

METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def said() -> dict[str | tuple[str, ...], str]:
    """Every text that is given to gettext under web/, and where."""
    found: dict[str | tuple[str, ...], str] = {}
    for file, line, message, _comments, _context in extract_from_dir(
        WEB, METHODS, OPTIONS, KEYWORDS, comment_tags=()
    ):
        found.setdefault(message, f"web/{file}:{line}")
    return found
