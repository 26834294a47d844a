"""Which language a mail says it is in, and which it is in."""

import re
from collections.abc import Iterator

from campaigns.templates.preflight.findings import Finding, Tongue, hint, warning
from campaigns.templates.preflight.letter import JINJA, Letter, masked
from campaigns.templates.preflight.wording import language_of

_PARAGRAPH = re.compile(r"\n\s*\n")
_ADDRESS = re.compile(r"\(?(?:https?://|www\.)\S+|[^\s@]{1,64}@\S+")


def check(letter: Letter) -> Iterator[Finding]:
    """Compare what is said of the language with the words."""
    edition = _first(letter.compiled.language)
    if letter.compiled.html is not None:
        yield from _said(letter, edition)
    text = _ADDRESS.sub(" ", masked(letter.compiled.text).replace(JINJA, ""))
    found = language_of(text)
    if found is not None and found != edition:
        what = "The mail is kept as %(edition)s, and its words read like %(found)s."
        yield warning(
            what, "Translate it, or keep it as what it is.", edition=Tongue(edition), found=Tongue(found)
        )
        return
    for paragraph in _PARAGRAPH.split(text)[:500]:
        strange = language_of(paragraph)
        if strange is not None and strange != edition:
            what = "A paragraph reads like %(found)s; the mail is in %(edition)s."
            yield hint(
                what, "Translate it, if nobody did.", found=Tongue(strange), edition=Tongue(edition)
            ).at(paragraph)


def _said(letter: Letter, edition: str) -> Iterator[Finding]:
    page = next((tag for tag in letter.tags if tag.name == "html"), None)
    said = (letter.value(page, "lang") or "") if page is not None else ""
    if not said or said == "und":
        cure = "Name it in the attribute lang of <mjml> or <html>: %(edition)s; screen readers speak by it."
        yield warning("The mail does not say which language it is in.", cure, edition=edition)
    elif JINJA not in masked(said) and _first(said) != edition:
        what = "The mail says that it is in %(said)s, and is kept as %(edition)s."
        yield warning(what, "Correct the lang attribute.", said=Tongue(said[:20]), edition=Tongue(edition))


def _first(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()
