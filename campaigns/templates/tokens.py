"""Finds the Jinja tokens of a source by Jinja's own lexer, with where each begins and ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from jinja2 import Environment, TemplateSyntaxError

from campaigns.values import Problem

#: Reads and parses; never renders.
PLAIN_LEXER = Environment(keep_trailing_newline=True, autoescape=True)


class TokenKind(StrEnum):
    """What a Jinja token does."""

    EXPRESSION = "variable"  #: {{ }} prints
    BLOCK = "block"  #: {% %} decides
    COMMENT = "comment"  #: {# #} does nothing


@dataclass(frozen=True, slots=True)
class Token:
    """One Jinja token as written, delimiters included."""

    number: int
    kind: TokenKind
    text: str
    start: int
    line: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def word(self) -> str:
        """The first word inside: "if", "endfor", "contact.name"."""
        inside = self.text[2:-2].strip("-+ \t\n")
        return inside.split(None, 1)[0] if inside else ""


def one_newline(source: str) -> str:
    """Write every line end as one newline, as Jinja does."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def find_tokens(source: str) -> tuple[Token, ...]:
    """List the tokens of a source whose line ends are single newlines.

    Raises:
        TemplateSyntaxError: where Jinja cannot read it.
    """
    tokens: list[Token] = []
    begun: int | None = None
    for kind, start, value in _pieces(source):
        if kind == "raw_begin":
            raise TemplateSyntaxError(
                "raw blocks are not known here; write the text itself", source.count("\n", 0, start) + 1
            )
        name, _, edge = kind.rpartition("_")
        if edge == "begin":
            begun = start
        elif edge == "end" and begun is not None:
            text = source[begun : start + len(value.rstrip())]
            line = source.count("\n", 0, begun) + 1
            tokens.append(Token(len(tokens), TokenKind(name), text, begun, line))
            begun = None
    if begun is not None:
        raise TemplateSyntaxError("unexpected end of the braces", source.count("\n", 0, begun) + 1)
    return tuple(tokens)


def _pieces(source: str) -> Iterator[tuple[str, int, str]]:
    """Walk the lexer's tokens with their positions; the lexer leaves out whitespace beside "-" signs."""
    at = 0
    for _, kind, value in PLAIN_LEXER.lexer.tokeniter(source, None):
        while not source.startswith(value, at):
            at += 1
        yield kind, at, value
        at += len(value)


def syntax_problem(error: TemplateSyntaxError, field: str) -> Problem:
    """Say what Jinja could not read, and where."""
    return Problem(
        f"{field} line {error.lineno}",
        f"{_plain(error.message or 'cannot be read')}.",
        _cure(error.message or ""),
    )


def _plain(message: str) -> str:
    return message.strip().rstrip(".").replace("template", "text")


def _cure(message: str) -> str:
    if "comment" in message:
        return "Close it with #}; in CSS, put a space between { and #."
    if "unknown tag" in message:
        return "Only if, elif, else, endif, for and endfor are known."
    if "braces" in message:
        return "Close them with }} or %}."
    if "end of" in message or "was looking for" in message or "unexpected end" in message:
        return "Close every {% if %} with {% endif %} and every {% for %} with {% endfor %}."
    return "Correct what stands between the braces."
