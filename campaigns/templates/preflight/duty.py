"""What the law asks of every mail: a way out, and who it is from; and that it can be made for everybody."""

from collections.abc import Iterator

from campaigns.templates.preflight.findings import Finding, blocker, warning
from campaigns.templates.preflight.letter import Letter
from campaigns.templates.reading import Shown
from campaigns.values import Source

NO_WAY_OUT = "The mail has no link to unsubscribe."
NO_WAY_OUT_IN_TEXT = "The text part has no link to unsubscribe."
NO_ADDRESS = "The mail does not give the sender's postal address."
NO_ADDRESS_IN_TEXT = "The text part does not give the sender's postal address."
NO_FALLBACK = "%(name)s is shown without a fallback; whoever lacks it gets no mail."
#: What only mails need that people may leave; a receipt does without.
LEGAL = frozenset({NO_WAY_OUT, NO_WAY_OUT_IN_TEXT, NO_ADDRESS, NO_ADDRESS_IN_TEXT})


def check(letter: Letter) -> Iterator[Finding]:
    """Look for a way out and the sender's address in each part that is read by itself, then for its gaps."""
    compiled, source = letter.compiled, letter.source
    parts = [(compiled.html, NO_WAY_OUT, NO_ADDRESS)] if compiled.html is not None else []
    if not parts:
        parts.append((compiled.text, NO_WAY_OUT, NO_ADDRESS))
    elif source.text.strip():
        parts.append((compiled.text, NO_WAY_OUT_IN_TEXT, NO_ADDRESS_IN_TEXT))
    for part, no_way_out, no_address in parts:
        if not any(f"links.{page}" in part for page in ("unsubscribe", "preferences", "confirm")):
            cure = "Put in {{ links.unsubscribe }}, in the mail as a link that says so."
            yield blocker(no_way_out, cure)
        if "sender.postal_address" not in part:
            yield blocker(no_address, "Put in {{ sender.postal_address }}.")
    if isinstance(letter.example, str):
        what = "It cannot be rendered even for a full example: %(error)s"
        yield blocker(what, "Correct what is named.", error=letter.example)
    yield from _fallbacks(letter)


def _fallbacks(letter: Letter) -> Iterator[Finding]:
    for one in without_fallback(letter.shown):
        cure = "Write {{ %(name)s|default('…') }}, or put {%% if %(name)s %%} around it."
        yield warning(NO_FALLBACK, cure, name=one.path).at(line=one.line)


def shown_without_fallback(source: Source) -> list[Shown]:
    """List the names that may be missing and have no fallback: whoever lacks one gets a render error."""
    from campaigns.templates.grammar import read

    fields = ("subject", "preheader", "body", "text")
    return without_fallback(tuple(one for name in fields for one in read(getattr(source, name), name).shown))


def without_fallback(shown: tuple[Shown, ...]) -> list[Shown]:
    """Those among the names shown that may be missing and have no fallback, each once."""
    found: dict[str, Shown] = {}
    for one in shown:
        if one.may_be_missing and not one.guarded:
            found.setdefault(one.path, one)
    return list(found.values())
