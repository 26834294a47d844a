"""A source becomes what one recipient reads: compiled once with its Jinja hidden, then rendered for each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError

from campaigns.errors import BadTemplate
from campaigns.templates.checked import checked, in_order, problems_beside, sure_problems
from campaigns.templates.files import lost_pictures
from campaigns.templates.filters import Unshowable
from campaigns.templates.grammar import read
from campaigns.templates.markup import unclosed
from campaigns.templates.mask import Masked, flow_blocks, mask
from campaigns.templates.mjml import compile_mjml
from campaigns.templates.plaintext import plaintext
from campaigns.templates.sandbox import require_plain, sandbox
from campaigns.templates.tokens import Token, TokenKind, one_newline, syntax_problem
from campaigns.values import Attachment, BodyKind, Compiled, Content, Problem, Source

#: No part of a mail may be longer, as source or rendered.
LONGEST = 512 * 1024
LONGEST_SUBJECT = 998
_FIELDS = ("subject", "preheader", "body", "text")
#: Fills the line after the preheader: the inbox would show the body's first words behind it.
_FILL = "&#847;&zwnj;&nbsp;" * 40
_HIDE = "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden"


def compile_source(source: Source, files: Sequence[Attachment] = ()) -> Compiled:
    """Compile a source, MJML and CSS done, its Jinja checked and still in it; pictures are among the files.

    Raises:
        BadTemplate: with every problem found, each with its line and what to do.
    """
    too_long = _too_long(source)
    if problems := [*too_long, *_field_problems(source)]:
        if source.kind is not BodyKind.TEXT and not too_long:
            problems += problems_beside(source.kind, source.body)
        raise BadTemplate(in_order(problems))
    if source.kind is BodyKind.TEXT:
        return Compiled(_subject(source), None, one_newline(source.body), source.language)
    html, text = _compile_body(source)
    if problems := lost_pictures(html, files):
        raise BadTemplate(problems)
    return Compiled(_subject(source), html, text, source.language)


def _subject(source: Source) -> str:
    return " ".join(one_newline(source.subject).split())


def _too_long(source: Source) -> list[Problem]:
    return [
        Problem(name, f"is longer than {LONGEST // 1024} KB.", "Make it shorter; put pictures on a server.")
        for name in _FIELDS
        if len(getattr(source, name)) > LONGEST
    ]


def _field_problems(source: Source) -> list[Problem]:
    problems = [problem for name in _FIELDS for problem in read(getattr(source, name), name).problems]
    if source.kind is BodyKind.TEXT and source.text.strip():
        problems.append(Problem("text", "a plain letter's text is its body.", "Leave this field empty."))
    return problems


def compile_file(source: str) -> str:
    """Compile a MJML file by itself; without Jinja it is byte for byte what the reference compiler prints.

    Raises:
        BadTemplate: with every problem found.
    """
    if problems := read(source, "body").problems:
        raise BadTemplate(in_order([*problems, *problems_beside(BodyKind.MJML, source)]))
    masked = mask(one_newline(source))
    if masked.tokens:
        return _reparsed(masked.unmask(checked(BodyKind.MJML, masked)), "body")
    if problems := unclosed(masked):
        raise BadTemplate(in_order([*problems, *sure_problems(masked)]))
    html, found = compile_mjml(source)
    if found:
        raise BadTemplate(in_order(found))
    return html


def _compile_body(source: Source) -> tuple[str, str]:
    masked = mask(one_newline(source.body))
    html = _dressed(checked(source.kind, masked, _preheader_twice(source, masked)), source)
    text = source.text if source.text.strip() else _reparsed(_text_part(masked, html), "body")
    return _reparsed(masked.unmask(html), "body"), one_newline(text)


def _preheader_twice(source: Source, masked: Masked) -> list[Problem]:
    tag = next((tag for tag in masked.page.tags if tag.name == "mj-preview" and not tag.closing), None)
    if tag is None or not source.preheader.strip():
        return []
    line = masked.source.count("\n", 0, tag.start) + 1
    return [
        Problem(
            f"body line {line}, mj-preview",
            "the preheader is given twice.",
            "Remove mj-preview, or empty the preheader.",
        )
    ]


def _dressed(html: str, source: Source) -> str:
    """Put in what belongs around the body: its language, a title, the hidden preheader."""
    html = html.replace('<html lang="und"', f'<html lang="{escape(source.language)}"', 1)
    html = (
        html.replace("<title></title>", f"<title>{_subject(source)}</title>", 1)
        if "<" not in source.subject
        else html
    )
    preheader = " ".join(one_newline(source.preheader).split())
    if not preheader:
        return html
    hidden = f'<div style="{_HIDE}">{escape_outside_jinja(preheader)}{_FILL}</div>'
    body = re.search(r"<body\b[^>]*>", html)
    return html[: body.end()] + hidden + html[body.end() :] if body else hidden + html


def escape_outside_jinja(text: str) -> str:
    """Escape a text for HTML, its Jinja left as it is."""
    masked = mask(text)
    return masked.unmask(escape(masked.text.replace("<!--", "").replace("-->", ""), quote=False))


def _text_part(masked: Masked, html: str) -> str:
    """Make the text part; blocks hidden in what is dropped stay, so that no condition comes undone."""

    def blocks(dropped: str) -> str:
        numbers = masked.order(dropped)
        return "".join(
            masked.word(masked.tokens[n]) for n in numbers if masked.tokens[n].kind is TokenKind.BLOCK
        )

    text = plaintext(html, blocks)
    if lost := flow_blocks(masked) - set(masked.order(text)):
        token = masked.tokens[min(lost)]
        cure = "Put it around sections, rows or paragraphs, or write the text part yourself."
        raise BadTemplate(
            [Problem(f"body line {token.line}", f"the text part would lose {token.text}.", cure)]
        )
    return masked.replace(text, _without_signs)


def _without_signs(token: Token) -> str:
    """Take the "-" signs off a token: they would eat the newlines that the text part lives by."""
    return re.sub(r"^(\{[{%#])[-+]|[-+]([}%#]\})$", r"\1\2", token.text)


def _reparsed(text: str, field: str) -> str:
    """Make sure that the compiled text is still Jinja, with the same rules.

    Raises:
        BadTemplate: where it is not.
    """
    if problems := read(text, field).problems:
        cure = "Begin and end every block in the same place: around whole sections, rows or paragraphs."
        raise BadTemplate(
            [Problem(field, f"does not hold once compiled: {problem.what}", cure) for problem in problems[:1]]
        )
    return text


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled source, parsed and ready."""

    compiled: Compiled
    subject_template: Template
    html_template: Template | None
    text_template: Template

    def render(self, names: Mapping[str, object]) -> Content:
        """Write the mail for one recipient.

        Raises:
            BadTemplate: naming what is missing for this one, or what cannot be shown.
        """
        require_plain(names)
        require_web_addresses(names)
        context = dict(names)
        subject = " ".join(_rendered(self.subject_template, context, "subject").split())
        html = _rendered(self.html_template, context, "body") if self.html_template is not None else None
        text = _rendered(self.text_template, context, "text")
        if len(subject) > LONGEST_SUBJECT:
            raise BadTemplate(
                [
                    Problem(
                        "subject",
                        f"is {len(subject)} characters long.",
                        "Show fewer or shorter values in it.",
                    )
                ]
            )
        return Content(subject, html, text)


def prepare(compiled: Compiled) -> Prepared:
    """Parse a compiled source for rendering.

    Raises:
        BadTemplate: if it does not parse; one that compile_source made always does.
    """
    return Prepared(
        compiled,
        _template(compiled.subject, compiled.language, "subject", html=False),
        _template(compiled.html, compiled.language, "body", html=True) if compiled.html is not None else None,
        _template(compiled.text, compiled.language, "text", html=False),
    )


def _template(text: str, language: str, field: str, *, html: bool) -> Template:
    try:
        return sandbox(language, html=html).from_string(text)
    except TemplateSyntaxError as error:
        raise BadTemplate([syntax_problem(error, field)]) from None
    except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
        raise BadTemplate(
            [Problem(field, f"cannot be prepared: {error}.", "Write it more simply.")]
        ) from None


def _rendered(template: Template, context: dict[str, Any], field: str) -> str:
    pieces, length = [], 0
    try:
        for piece in template.root_render_func(template.new_context(context)):
            length += len(piece)
            if length > LONGEST:
                _fail(
                    field,
                    f"is longer than {LONGEST // 1024} KB for this contact.",
                    "Show fewer entries: orders[:5].",
                )
            pieces.append(piece)
    except (Unshowable, TemplateError) as error:
        _fail(
            field,
            f"{error}.",
            "Give a fallback, like {{ contact.given_name|default('friend') }}, or an {% if %}.",
        )
    except (TypeError, ValueError, ArithmeticError, KeyError, RecursionError) as error:
        _fail(
            field, f"cannot be computed for this contact: {error}.", "Ask for the value with {% if %} first."
        )
    return "".join(pieces)


def _fail(field: str, what: str, cure: str) -> NoReturn:
    raise BadTemplate([Problem(field, what, cure)])


_WEB = re.compile(r"https?://[^\s\"'<>\\]+\Z", re.IGNORECASE)


def require_web_addresses(names: Mapping[str, object]) -> None:
    """Refuse a product whose page or picture is not on the web: imports are not ours."""
    products = names.get("products")
    for product in products if isinstance(products, list) else ():
        for key in ("url", "image"):
            address = product.get(key)
            if address and not (isinstance(address, str) and _WEB.match(address)):
                _fail(
                    "body",
                    f"products[].{key} is {str(address)[:80]!r}, not a web address.",
                    "Correct the product's address.",
                )
