"""The text part: what is read aloud, on watches, and by filters that compare it with the HTML."""

from collections.abc import Iterator

from campaigns.templates.preflight.findings import Finding, blocker, hint, warning
from campaigns.templates.preflight.letter import Letter
from campaigns.templates.preflight.wording import ADDRESS
from campaigns.values import Content

FEW_WORDS = 12
COMPARABLE = 8
#: Share of the HTML's words that a text part written by hand should have, roughly.
ALIKE = 0.3


def check(letter: Letter) -> Iterator[Finding]:
    """Read the text part of a full example."""
    content = letter.example
    if not isinstance(content, Content):
        return
    if not content.text.strip():
        cure = "Write one, or put words into the body; pictures alone say nothing."
        yield blocker("The text part is empty.", cure)
        return
    words = letter.own_words(content.text)
    if len(words) < FEW_WORDS and len(ADDRESS.findall(content.text)) > 2:
        cure = "Say in words what the pictures say; it is what filters and screen readers read."
        yield warning("The text part is hardly more than links.", cure)
    if letter.source.text.strip() and content.html:
        yield from _compared(letter, content)


def _compared(letter: Letter, content: Content) -> Iterator[Finding]:
    """Compare a text part that was written by hand with what the HTML says."""
    shown = {word for word in letter.own_words(letter.read_text) if len(word) > 3}
    there = set(letter.own_words(content.text))
    if len(shown) >= COMPARABLE and len(shown & there) < ALIKE * len(shown):
        cure = "Bring it up to date, or leave it empty: then it is made from the mail."
        yield warning("The text part says something else than the mail.", cure)
    lost = {_bare(one) for one in ADDRESS.findall(letter.read_text)} - {
        _bare(one) for one in ADDRESS.findall(content.text)
    }
    if lost:
        cure = "Add them, or leave the text part empty: then it is made from the mail."
        yield hint("The text part lacks %(count)s of the mail's links.", cure, count=len(lost)).at(min(lost))


def _bare(address: str) -> str:
    return address.strip("().,;:!?").rstrip("/")
