"""Whether the mail is made for dark mode, where a third of all mail is read."""

from collections.abc import Iterator

from campaigns.templates.preflight.findings import Finding, hint
from campaigns.templates.preflight.graphic import read_graphic
from campaigns.templates.preflight.letter import Letter


def check(letter: Letter) -> Iterator[Finding]:
    """Look for what says that the mail knows of dark mode, and for pictures that need a light ground."""
    if letter.compiled.html is None:
        return
    says = _says_so(letter)
    rules = any(rule.is_dark for rule in letter.rules)
    if not says and not rules:
        what = "It says nothing of dark mode; programs that are dark choose its colours themselves."
        cure = 'Add <meta name="color-scheme" content="light dark"> and colours for it under @media.'
        yield hint(what, cure)
    elif rules and not says:
        cure = 'Add <meta name="color-scheme" content="light dark">.'
        yield hint(
            "It has colours for dark mode and does not say so; Apple Mail then does not use them.", cure
        )
    for one in letter.files:
        if one.content_id is not None and read_graphic(one.data).clear:
            what = "The picture %(name)s can be seen through; dark parts of it vanish in dark mode."
            yield hint(what, "Give it a light ground or a light edge.", name=one.name)


def _says_so(letter: Letter) -> bool:
    for tag in letter.tags:
        if tag.name == "meta" and "color-scheme" in (letter.value(tag, "name") or "").lower():
            return True
    return any("color-scheme" in rule.declared for rule in letter.rules)
