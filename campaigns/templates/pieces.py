"""A prepared template in the pieces that Jinja gives, so that the constant ones need be encoded only once.

Jinja itself is left as it is: conditions, loops and filters decide what is given, and in which order.
"""

from collections.abc import Iterator
from itertools import islice
from types import CodeType

from jinja2 import Template, TemplateError
from jinja2.runtime import Context

from campaigns.templates.filters import Unshowable

MOST_PIECES = 20_000
#: What rendering fails with; `Prepared.render` says it in the author's words.
FAILURES = (Unshowable, TemplateError, TypeError, ValueError, ArithmeticError, KeyError, RecursionError)


class TooManyPieces(ValueError):
    """A mail of so many pieces is better rendered as a whole, its length watched."""


def constants(template: Template) -> Iterator[str]:
    """Give all texts that the template's pieces may be, and a few more."""
    yield from _texts(template.root_render_func.__code__)


def _texts(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts(constant)


def context_of(template: Template, names: dict[str, object]) -> Context:
    """What templates of one environment read names from; cheaper than Template.new_context, which copies."""
    return Context(template.environment, names, None, {})


def pieces(template: Template, context: Context) -> list[str]:
    """Render in pieces; the names are plain values already.

    Raises:
        TooManyPieces: the mail may be too long.
        FAILURES: what is missing for this one, or cannot be shown.
    """
    found = list(islice(template.root_render_func(context), MOST_PIECES))
    if len(found) == MOST_PIECES:
        raise TooManyPieces
    return found
