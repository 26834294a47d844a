"""What may not be in a mail: scripts, forms, frames, links whose host is not the author's own word."""

import html
import re
from collections.abc import Iterator

from campaigns.templates.grammar import read
from campaigns.templates.mask import Masked
from campaigns.templates.scan import Attribute, Tag
from campaigns.templates.tokens import Token, TokenKind
from campaigns.values import Problem

#: Tags that no mail client shows, and that make filters take the mail for an attack.
_REFUSED = frozenset(
    {"script", "iframe", "object", "embed", "applet", "base", "form", "frame", "frameset", "portal"}
)
_ADDRESSES = re.compile(
    r"^(?:href|src|action|formaction|background|background-url|url|poster|xlink:href|thumbnails-src)$"
)
_BAD_SCHEME = re.compile(
    r"^(?:javascript|vbscript|livescript|file|blob|view-source|data(?!:image/(?:png|jpe?g|gif|webp)[;,])):",
    re.IGNORECASE,
)
_HOST_DONE = re.compile(
    r"^\s*(?:https?://[^/?#\s]+[/?#]|mailto:[^?\s]+\?|tel:|sms:|[/?#](?!/))", re.IGNORECASE
)
_BEGINS_WELL = re.compile(r"^\s*(?:https?://|mailto:|tel:|sms:|[/?#])", re.IGNORECASE)
_BARE_NAME = re.compile(r"\w+(?:\[\d+\])?(?:\.\w+)+")
#: Stands in a checked address for one of ours, which is whole by itself.
_OF_OURS = "https://ours/"
_SPACE = re.compile(r"[\x00-\x20\u200b-\u200f\u2028-\u202e\ufeff]+")
_BAD_ANYWHERE = re.compile(
    r"""(?:href|src|action|background)\s*=\s*["']?[\s\x00-\x20]*(?:javascript|vbscript):|<script\b""",
    re.IGNORECASE,
)
#: Void elements of HTML are not MJML's; all of MJML's own must be closed.
_OWN = re.compile(r"^mj(?:ml|-)")


def markup_problems(masked: Masked) -> list[Problem]:
    """List the tags, attributes and addresses that may not be in a mail."""
    problems: list[Problem] = []
    for tag in masked.page.tags:
        if tag.closing:
            continue
        line = masked.source.count("\n", 0, tag.start) + 1
        if tag.name in _REFUSED:
            problems.append(
                Problem(
                    f"body line {line}",
                    f"<{tag.name}> is not allowed in a mail.",
                    "Remove it; link to a page instead.",
                )
            )
        problems += [
            Problem(f"body line {line}, {tag.name}", what, cure) for what, cure in _attributes(tag, masked)
        ]
    return problems


def hidden_scripts(compiled: str) -> list[Problem]:
    """Refuse what only shows once everything is put together, in comments for Outlook too."""
    if _BAD_ANYWHERE.search(html.unescape(compiled)):
        return [
            Problem(
                "body",
                "a script, or a link that runs one, is in the mail.",
                "Remove it, in comments for Outlook too.",
            )
        ]
    return []


def _attributes(tag: Tag, masked: Masked) -> Iterator[tuple[str, str]]:
    if tag.name == "meta" and any(
        item.name == "http-equiv" and "refresh" in item.value.lower() for item in tag.attributes
    ):
        yield "a mail may not move on by itself (refresh).", "Remove the element."
    if tag.name == "link" and any(
        item.name == "rel" and "stylesheet" in item.value.lower() for item in tag.attributes
    ):
        yield "a stylesheet from elsewhere is never loaded.", "Paste its rules into <style>…</style>."
    for attribute in tag.attributes:
        if re.match(r"on[a-z]", attribute.name):
            yield f"{attribute.name} runs a script.", "Remove the attribute."
        elif _ADDRESSES.match(attribute.name):
            yield from _address(attribute, masked)


def _address(attribute: Attribute, masked: Masked) -> Iterator[tuple[str, str]]:
    """Refuse an address that runs a script, and one whose host is not written by the author."""
    value = masked.source[attribute.start : attribute.end]
    if _BAD_SCHEME.match(_SPACE.sub("", html.unescape(value))):
        begin = value.split(":")[0].strip()[:20]
        yield f"{attribute.name} starts with {begin}:.", "Only http, https, mailto and tel are followed."
    segment, at = "", attribute.start
    for token in (token for token in masked.tokens if attribute.start <= token.start < attribute.end):
        segment, at = segment + masked.source[at : token.start], token.end
        if _HOST_DONE.match(segment):
            return  # what follows the host may be anything
        if token.kind is TokenKind.BLOCK:
            if segment.strip() and not _BEGINS_WELL.match(segment):
                yield _unclear(token, attribute)
            segment = ""
        elif token.kind is TokenKind.EXPRESSION:
            if segment.strip() or not _is_address(token):
                yield _unclear(token, attribute)
            segment += _OF_OURS
    rest = segment + masked.source[at : attribute.end]
    if at > attribute.start and rest.strip() and not _BEGINS_WELL.match(rest):
        yield (
            f"{attribute.name} begins in pieces.",
            "Write the whole address, with https://, in every branch.",
        )


def _unclear(token: Token, attribute: Attribute) -> tuple[str, str]:
    cure = "Begin with https:// and the host's name, or use an address of ours, like links.view."
    return f"{token.text} decides where {attribute.name} leads.", cure


def _is_address(token: Token) -> bool:
    """Tell whether an expression is a bare name that holds an address; in loops the last word tells."""
    name = token.text[2:-2].strip("-+ \t\n")
    if not _BARE_NAME.fullmatch(name) or name.startswith("contact."):
        return False
    if name.startswith("links."):
        return not read(token.text, "body").problems
    return name.rpartition(".")[2] in {"url", "image"}


def unclosed(masked: Masked) -> list[Problem]:
    """Refuse MJML elements that are not closed: the compiler says nothing, and loses what follows."""
    problems: list[Problem] = []
    stack: list[Tag] = []
    for tag in masked.page.tags:
        if not _OWN.match(tag.name) or tag.self_closed:
            continue
        if not tag.closing:
            stack.append(tag)
        elif stack and stack[-1].name == tag.name:
            stack.pop()
        else:
            problems.append(_not_closed(masked, stack[-1] if stack else tag, tag))
            break
    if not problems and stack:
        problems.append(_not_closed(masked, stack[-1], stack[-1]))
    return problems


def _not_closed(masked: Masked, begun: Tag, ended: Tag) -> Problem:
    line = masked.source.count("\n", 0, begun.start) + 1
    if begun is ended and begun.closing:
        return Problem(f"body line {line}, {begun.name}", f"</{begun.name}> closes nothing.", "Remove it.")
    what = f"<{begun.name}> is not closed" + (f" before </{ended.name}>." if ended is not begun else ".")
    return Problem(
        f"body line {line}, {begun.name}",
        what,
        f"Write </{begun.name}>, or <{begun.name} … /> if it is empty.",
    )
