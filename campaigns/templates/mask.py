"""Hides Jinja from the tools that read MJML, HTML and CSS, and brings it back whole or says what was lost.

Every one of those tools drops, moves or escapes Jinja in some place, and does so silently: text inside an
{% if %} would then reach everyone. So each token becomes a word that no tool touches, and what comes out is
counted. Nothing is ever repaired.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from campaigns.templates.scan import Page, Place, Span, Tag, scan
from campaigns.templates.tokens import Token, TokenKind, find_tokens
from campaigns.values import Problem

#: Attributes whose value MJML computes with, and so cannot be known before the recipient is.
_COMPUTED = re.compile(r"width|height|padding|size|radius|border|spacing|breakpoint")
_OPAQUE = "\ue000"


@dataclass(frozen=True, slots=True)
class Masked:
    """A source whose Jinja is hidden; `page` shows the author's own markup."""

    source: str
    text: str
    tokens: tuple[Token, ...]
    places: tuple[Span, ...]
    page: Page
    nonce: str

    def unmask(self, text: str) -> str:
        """Put every token back, as often as it occurs."""
        return self.replace(text, lambda token: token.text)

    def replace(self, text: str, write: Callable[[Token], str]) -> str:
        """Put something else where each token stands."""

        def put(match: re.Match[str]) -> str:
            number = int(match[1] or match[2])
            written = write(self.tokens[number])
            if match[1] is None or self._is_hidden(number):
                return written
            before, _, after = match[0].partition(self.word(self.tokens[number]))
            return f"{before}{written}{after}"  # the comment is the author's own

        return self._pattern().sub(put, text)

    def _is_hidden(self, number: int) -> bool:
        """Tell whether the comment around a token's word is ours."""
        return _hides(self.tokens[number], self.places[number])

    def order(self, text: str) -> list[int]:
        """List the numbers of the tokens in a text, in their order."""
        return [int(match[1] or match[2]) for match in self._pattern().finditer(text)]

    def line(self, masked_line: int) -> int:
        """Tell the author's line for a line of the masked text, where tokens take one line each."""
        shift = 0
        for token in self.tokens:
            if token.line - shift >= masked_line:
                break
            shift += token.text.count("\n")
        return masked_line + shift

    def _pattern(self) -> re.Pattern[str]:
        word = rf"{self.nonce}(\d+)z"
        return re.compile(rf"<!--\s*{word}\s*-->|{word}")

    def word(self, token: Token) -> str:
        """Give the word that stands for a token."""
        return f"{self.nonce}{token.number:04d}z"


def mask(source: str) -> Masked:
    """Hide every token of a source whose line ends are single newlines.

    {{ }} becomes a word; {% %} and {# #} become a comment between tags, and a word everywhere else.

    Raises:
        TemplateSyntaxError: where Jinja cannot read it.
    """
    tokens = find_tokens(source)
    page = scan(_opaque(source, tokens))
    places = tuple(page.at(token.start) for token in tokens)
    masked = Masked(source, "", tokens, places, page, _nonce(source))
    pieces, at = [], 0
    for token, span in zip(tokens, places, strict=True):
        word = masked.word(token)
        pieces += [source[at : token.start], f"<!--{word}-->" if _hides(token, span) else word]
        at = token.end
    return Masked(source, "".join([*pieces, source[at:]]), tokens, places, page, masked.nonce)


def _hides(token: Token, span: Span) -> bool:
    """Tell whether a token becomes a comment: blocks between tags do."""
    return span.place is Place.TEXT and token.kind is not TokenKind.EXPRESSION


def _opaque(source: str, tokens: Iterable[Token]) -> str:
    pieces, at = [], 0
    for token in tokens:
        pieces += [source[at : token.start], _OPAQUE * len(token.text)]
        at = token.end
    return "".join([*pieces, source[at:]])


def _nonce(source: str) -> str:
    """Draw from the source a word that cannot stand in it; letters only, so that CSS takes it for a name."""
    letters = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest().translate(_LETTERS)
    return f"jx{letters[:16]}"


_LETTERS = str.maketrans("0123456789", "ghkmnpqrst")


def position_problems(masked: Masked) -> list[Problem]:
    """Refuse Jinja where no value can be put safely: between attributes, in values without quotes."""
    problems = []
    for token, span in zip(masked.tokens, masked.places, strict=True):
        if token.kind is TokenKind.COMMENT:
            continue
        where = f"body line {token.line}"
        if span.place is Place.TAG:
            cure = "Put it inside an attribute's quotes, or around the whole element."
            problems.append(
                Problem(where, f"{token.text} stands inside a tag, but in no attribute's value.", cure)
            )
        elif span.place is Place.BARE:
            problems.append(
                Problem(
                    where,
                    f"{token.text} stands in a value without quotes.",
                    "Put the value in double quotes.",
                )
            )
    return [*problems, *_crossing(masked)]


def _crossing(masked: Masked) -> list[Problem]:
    """Refuse a block that begins in one place, say an attribute, and ends in another."""
    open_blocks: list[tuple[Token, Span]] = []
    problems = []
    for token, span in zip(masked.tokens, masked.places, strict=True):
        if token.kind is not TokenKind.BLOCK:
            continue
        if token.word in {"if", "for"}:
            open_blocks.append((token, span))
        elif open_blocks:
            begun, there = open_blocks[-1]
            if not _same_place(there, span):
                what = f"{token.text} belongs to {begun.text} of line {begun.line}, but stands elsewhere."
                problems.append(
                    Problem(
                        f"body line {token.line}",
                        what,
                        "Begin and end it in the same attribute, comment or text.",
                    )
                )
            if token.word.startswith("end"):
                open_blocks.pop()
    return problems


def _same_place(one: Span, other: Span) -> bool:
    if one.place is Place.TEXT or other.place is Place.TEXT:
        return one.place is other.place
    return (one.start, one.end) == (other.start, other.end)


def flow_blocks(masked: Masked) -> set[int]:
    """Give the numbers of the blocks between tags: what they hold is for some and not for others."""
    return {
        token.number
        for token, span in zip(masked.tokens, masked.places, strict=True)
        if token.kind is TokenKind.BLOCK and span.place is Place.TEXT
    }


def lost_tokens(masked: Masked, compiled: str, tool: str) -> list[Problem]:
    """List what a tool dropped or moved: the first two of the four checks, and the one on NaN."""
    order = masked.order(compiled)
    found = set(order)
    lost = [
        token for token in masked.tokens if token.number not in found and token.kind is not TokenKind.COMMENT
    ]
    problems = [
        Problem(
            f"body line {token.line}",
            f"{tool} drops {token.text} in this place.",
            _cure_of_loss(masked, token),
        )
        for token in lost
    ]
    return problems or _moved(masked, order, tool)


def _cure_of_loss(masked: Masked, token: Token) -> str:
    span = masked.places[token.number]
    if span.attribute is not None:
        return f"Write a fixed value for {span.attribute.name}; it must be known before the recipient is."
    if token.kind is TokenKind.BLOCK:
        return "Put it around a whole section or column, or inside a text."
    return "Put it inside a text, a button, a table or an attribute's value."


def _moved(masked: Masked, order: list[int], tool: str) -> list[Problem]:
    """Refuse a result in which the blocks between tags come in another order, or twice."""
    flow = flow_blocks(masked)
    came = [number for number in order if number in flow]
    wrong = next(
        (number for number, should in zip(came, sorted(flow), strict=False) if number != should), None
    )
    if wrong is None and len(came) == len(flow):
        return []
    token = masked.tokens[wrong if wrong is not None else came[-1]]
    what = f"{tool} puts {token.text} in another place, or in two."
    return [
        Problem(f"body line {token.line}", what, "Put it around a whole section or column, or inside a text.")
    ]


def computed_values(masked: Masked, compiled: str) -> list[Problem]:
    """Refuse a size that comes from a merge field: MJML computes with sizes, and then writes NaN."""
    if len(re.findall(r"\bNaN", compiled)) <= len(re.findall(r"\bNaN", masked.source)):
        return []
    guilty = [token for token in masked.tokens if _is_computed(masked.places[token.number])]
    cure = "Write a fixed size; MJML computes with it before the recipient is known."
    if not guilty:
        return [Problem("body", "a size cannot be computed (NaN).", cure)]
    return [
        Problem(f"body line {token.line}", f"{token.text} stands where MJML computes a size.", cure)
        for token in guilty
    ]


def _is_computed(span: Span) -> bool:
    return span.attribute is not None and _COMPUTED.search(span.attribute.name) is not None


def conditional_columns(masked: Masked) -> list[Problem]:
    """Refuse a block beside columns of automatic width: they are shared out as if every column were there."""
    flow = [masked.tokens[number].start for number in sorted(flow_blocks(masked))]
    problems: list[Problem] = []
    for row, columns, blocks in _rows(masked.page.tags, flow):
        bare = [tag for tag in columns if "width" not in {attribute.name for attribute in tag.attributes}]
        if blocks and bare:
            line = masked.source.count("\n", 0, bare[0].start) + 1
            what = f"this column of a {row.name} has no width, and a block stands beside it."
            cure = (
                'Give each column beside it a width, like width="50%", or put the block around the section.'
            )
            problems.append(Problem(f"body line {line}", what, cure))
    return problems


def _rows(tags: Iterable[Tag], blocks: list[int]) -> Iterable[tuple[Tag, list[Tag], list[int]]]:
    """Give each section or group with its own columns, and the blocks that stand directly in it."""
    rest = list(blocks)
    stack: list[tuple[Tag, list[Tag], list[int]]] = []
    for tag in tags:
        while rest and rest[0] < tag.start:
            at = rest.pop(0)
            _innermost_row(stack, at)
        if not tag.name.startswith("mj-") or tag.self_closed:
            if tag.name == "mj-column" and stack:
                stack[-1][1].append(tag)
            continue
        if not tag.closing:
            if tag.name == "mj-column" and stack:
                stack[-1][1].append(tag)
            stack.append((tag, [], []))
        elif stack:
            done = stack.pop()
            if done[0].name in {"mj-section", "mj-group"}:
                yield done


def _innermost_row(stack: list[tuple[Tag, list[Tag], list[int]]], at: int) -> None:
    inner = [entry for entry in stack if entry[0].name != "mj-raw"]
    if inner:
        inner[-1][2].append(at)
