"""A source whose Jinja is hidden is compiled, and all that speaks against it is told in one go."""

import re
from collections.abc import Iterable, Sequence

from jinja2 import TemplateSyntaxError

from campaigns.errors import BadTemplate
from campaigns.templates.inline import inline_css
from campaigns.templates.markup import hidden_scripts, markup_problems, unclosed
from campaigns.templates.mask import (
    Masked,
    computed_values,
    conditional_columns,
    lost_tokens,
    mask,
    position_problems,
)
from campaigns.templates.mjml import compile_mjml
from campaigns.templates.tokens import PLAIN_LEXER, one_newline
from campaigns.values import BodyKind, Problem

#: What the compiler says truly even of a source that is broken elsewhere.
_SURE = ("is illegal", "doesn't exist or is not registered")
_SURE_IF_CLOSED = (*_SURE, "cannot be used inside", "is not MJML")
#: Jinja from brace to brace that holds no tag; and a brace that nothing closes.
_WHOLE = re.compile(r"\{[{%#](?:(?!\{[{%#]|<[a-zA-Z/!]).)*?[}%#]\}", re.DOTALL)
_OPENER = re.compile(r"\{[{%#]")


def checked(kind: BodyKind, masked: Masked, before: Sequence[Problem] = ()) -> str:
    """Compile a hidden source, still hidden; what was found `before` is told with the rest.

    Raises:
        BadTemplate: with everything that must not be there, and everything the tools lost.
    """
    in_markup = markup_problems(masked)
    problems = [*before, *position_problems(masked), *in_markup]
    if kind is BodyKind.MJML:
        tool = "MJML"
        if not_closed := unclosed(masked):
            raise BadTemplate(in_order([*problems, *not_closed, *sure_problems(masked)]))
        problems += conditional_columns(masked)
        html, found = compile_masked_mjml(masked)
    else:
        tool = "the CSS inliner"
        html, found = inline_css(masked.text)
    problems += found
    if html:
        problems += [*lost_tokens(masked, html, tool), *_stray_braces(html)]
        problems += [] if in_markup else hidden_scripts(html)  # those were told with their lines
    if problems:
        raise BadTemplate(in_order(problems))
    return html


def compile_masked_mjml(masked: Masked) -> tuple[str, tuple[Problem, ...]]:
    """Compile MJML whose Jinja is hidden; what the compiler says of a hidden value's look is not believed."""
    html, found = compile_mjml(masked.text)
    problems = []
    for problem in found:
        named = bool(masked.order(problem.what))
        if named and "Unit" not in problem.what:
            continue
        problems.append(_in_the_authors_words(problem, masked, named=named))
    return html, (*problems, *computed_values(masked, html))


def _in_the_authors_words(problem: Problem, masked: Masked, *, named: bool) -> Problem:
    where = re.sub(r"line (\d+)", lambda match: f"line {masked.line(int(match[1]))}", problem.where)
    cure = (
        "Write a fixed size; MJML computes with it before the recipient is known." if named else problem.cure
    )
    return Problem(where, masked.unmask(problem.what), cure)


def problems_beside(kind: BodyKind, body: str) -> list[Problem]:
    """List what else is wrong with a body whose Jinja has problems: as much as can be told meanwhile."""
    text = one_newline(body)
    try:
        masked = mask(text)
    except TemplateSyntaxError:
        return sure_problems(mask(_without_jinja(text))) if kind is BodyKind.MJML else []
    try:
        PLAIN_LEXER.parse(text)
    except (TemplateSyntaxError, RecursionError):
        sure = sure_problems(masked) if kind is BodyKind.MJML else []
        return [*markup_problems(masked), *sure]
    try:
        checked(kind, masked)
    except BadTemplate as bad:
        return list(bad.problems)
    return []


def sure_problems(masked: Masked) -> list[Problem]:
    """List what is surely wrong with MJML that is broken elsewhere as well."""
    not_closed = unclosed(masked)
    sure = _SURE if not_closed else _SURE_IF_CLOSED
    _, found = compile_masked_mjml(masked)
    return [*not_closed, *(one for one in found if any(words in one.what for words in sure))]


def _without_jinja(text: str) -> str:
    """Blank out all Jinja of a text that Jinja cannot read; its lines stay where they are."""
    text = _WHOLE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return _OPENER.sub("  ", text)


def _stray_braces(html: str) -> list[Problem]:
    """Refuse braces that the tools themselves pushed together: Jinja would take them for its own."""
    found = re.search(r"\{[{%#]", html)
    if not found:
        return []
    near = html[max(0, found.start() - 30) : found.end() + 30].replace("\n", " ")
    return [
        Problem(
            "body", f"the compiled mail has {found[0]!r} in …{near}….", "Put a space between the two signs."
        )
    ]


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Give each problem once, by field and line."""
    fields: dict[str, int] = {}
    unique = dict.fromkeys(problems)
    for problem in unique:
        fields.setdefault(problem.where.partition(" ")[0].rstrip(","), len(fields))
    return sorted(unique, key=lambda one: (fields[one.where.partition(" ")[0].rstrip(",")], _line(one)))


def _line(problem: Problem) -> int:
    found = re.search(r"line (\d+)", problem.where)
    return int(found[1]) if found else 0
