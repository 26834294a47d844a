"""How large the mail is: Gmail cuts off what is longer, and the way out with it."""

from collections.abc import Iterator

from campaigns.templates.preflight.findings import Count, Finding, Size, blocker, warning
from campaigns.templates.preflight.letter import Letter
from campaigns.values import Content

#: Gmail shows only the first 102,400 bytes of the HTML, and hides the rest with the unsubscribe link in it.
CLIPPED = 102_400
NEARLY_CLIPPED = 95 * 1024
#: Many servers take no mail that is larger, encoded, than 10 MB; a mail to thousands should stay far below.
HEAVY = 1_000_000


def check(letter: Letter) -> Iterator[Finding]:
    """Measure a full example, as it is sent; loops make it longer than its source."""
    if isinstance(letter.example, Content):
        yield from of_html(len((letter.example.html or "").encode()))
    files = sum(len(one.data) for one in letter.files)
    if files > HEAVY:
        what = "Its files have %(size)s together; everybody gets all of them."
        yield warning(what, "Link to the large ones instead.", size=Size(files))


def of_html(size: int, whom: str = "") -> Iterator[Finding]:
    """Judge so many bytes; `whom` names the person whose mail it is, where it is not the example's."""
    cure = "Show fewer entries, or move pictures written into the text to a server."
    if not whom and size > CLIPPED:
        yield blocker("The HTML has %(size)s bytes; Gmail cuts it off at %(most)s.", cure, **_sizes(size))
    elif not whom and size > NEARLY_CLIPPED:
        yield warning("The HTML has %(size)s bytes; Gmail cuts off at %(most)s.", cure, **_sizes(size))
    elif size > CLIPPED:
        what = "For %(whom)s the HTML has %(size)s bytes; Gmail cuts it off at %(most)s."
        yield blocker(what, cure, whom=whom, **_sizes(size))
    elif size > NEARLY_CLIPPED:
        what = "For %(whom)s the HTML has %(size)s bytes; Gmail cuts off at %(most)s."
        yield warning(what, cure, whom=whom, **_sizes(size))


def _sizes(size: int) -> dict[str, object]:
    return {"size": Count(size), "most": Count(CLIPPED)}
