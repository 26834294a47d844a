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
    value = masked.source[attribute.start : attribute.end]
    if _BAD_SCHEME.match(_SPACE.sub("", html.unescape(value))):
        yield (
            f"{attribute.name} starts with {value.split(':')[0].strip()[:20]}:.",
            "Only http, https, mailto and tel are followed.",
        )
    before, after_block, any_block = "", "", False
    at = attribute.start
    for token in (token for token in masked.tokens if attribute.start <= token.start < attribute.end):
        written = masked.source[at : token.start]
        before, after_block, at = before + written, after_block + written, token.end
        if token.kind is TokenKind.BLOCK:
            any_block, after_block = True, ""
        elif token.kind is TokenKind.EXPRESSION:
            if not _may_stand(token, before if not any_block else after_block, any_block, before):
                yield (
                    f"{token.text} decides where {attribute.name} leads.",
                    "Begin with https:// and the host's name, or use an address of ours, like links.view.",
                )
            before, after_block = before + "x", after_block + "x"


def _may_stand(token: Token, before: str, any_block: bool, whole: str) -> bool:  # noqa: FBT001 - told apart by name
    if not before.strip():
        return _is_address(token) and (any_block or not whole.strip())
    return _HOST_DONE.match(before) is not None


def _is_address(token: Token) -> bool:
    """Tell whether an expression is a name that holds an address; in loops the last word tells."""
    inside = token.text[2:-2].strip("-+ \t\n")
    name, _, filters = inside.partition("|")
    if filters:
        return False
    if name.startswith("links."):
        return not read(token.text, "body").problems
    return name.strip().rpartition(".")[2] in {"url", "image"} and not name.startswith("contact")


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
