"""Jinja in any place of a mail is kept with its meaning, or refused with its line; it is never lost in silence."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError
from lxml import html as lxml_html

from campaigns.errors import BadTemplate
from campaigns.templates.inline import inline_css
from campaigns.templates.mask import lost_tokens, mask
from campaigns.templates.mjml import compile_mjml
from campaigns.templates.render import compile_file, compile_source, prepare
from campaigns.templates.sandbox import sandbox
from campaigns.templates.tokens import find_tokens
from campaigns.values import BodyKind, Source

PIECES = st.sampled_from(
    [
        "{{ a }}", "{{- a -}}", "{{ '}}' }}", '{{ "%}" }}', "{% if a %}", "{%- if a < b -%}", "{% else %}", "{% endif %}",
        "{% for x in y %}", "{% endfor %}", "{# note #}", "{#- <b> -#}", " ", "\n", "  \n ", "text", "<p>", "</p>", '<a href="', '">',
        "<!--", "-->", "<style>", "</style>", "{", "}", "é ü 漢 🎉 \u05d0", "<br/>", "'", "<", ">", "&amp;", "jxabc0001z",
    ]
)  # fmt: skip
NAMES = {
    "contact": {"given_name": "Ada", "family_name": None, "city": "Köln", "country": "", "attributes": {}},
    "orders": [{"number": "A1"}, {"number": "B2"}],
    "products": [],
}


@example("<!--{{ a }}-->")
@example("<!-- {{ a }}-->{% if a %}<!--{% endif %}-->")
@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=300, deadline=None)
def test_unmasking_gives_back_every_character(source):
    try:
        masked = mask(source)
    except TemplateSyntaxError:
        return
    assert masked.unmask(masked.text) == source
    assert "{{" not in masked.text
    assert "{%" not in masked.text


@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=300, deadline=None)
def test_tokens_stand_where_they_say(source):
    try:
        tokens = find_tokens(source)
    except TemplateSyntaxError:
        return
    end = 0
    for token in tokens:
        assert token.start >= end
        end = token.end
        assert source[token.start : end] == token.text
        assert (token.text[:2], token.text[-2:]) in {("{{", "}}"), ("{%", "%}"), ("{#", "#}")}
        assert token.line == source[: token.start].count("\n") + 1


CONDITIONS = st.sampled_from(
    ["contact.given_name", "contact.family_name", "contact.city", "contact.country", "products"]
)
EXPRESSIONS = st.sampled_from(
    [
        "{{ contact.given_name }}",
        "{{ contact.family_name|default('-') }}",
        "{{ 'a' if contact.city else 'b' }}",
        "{{ '<' }}",
    ]
)


def _maybe(inner):
    """Wrap in a condition or a loop, or not."""
    return st.one_of(
        inner,
        st.tuples(CONDITIONS, inner).map(lambda pair: f"{{% if {pair[0]} %}}{pair[1]}{{% endif %}}"),
        st.tuples(CONDITIONS, inner, inner).map(
            lambda t: f"{{% if {t[0]} %}}{t[1]}{{% else %}}{t[2]}{{% endif %}}"
        ),
        inner.map(lambda text: f"{{% for order in orders %}}{text}{{% endfor %}}"),
    )


def _many(inner, largest=3):
    return st.lists(_maybe(inner), min_size=1, max_size=largest).map("\n".join)


WORDS = st.one_of(st.sampled_from(["one", "two", "drei &amp; vier"]), EXPRESSIONS)
INLINE = _many(st.one_of(WORDS, WORDS.map(lambda word: f"<b>{word}</b>")))
VALUE = _maybe(st.one_of(st.sampled_from(["v1", "v2"]), EXPRESSIONS.filter(lambda text: "<" not in text)))
ELEMENT = st.one_of(
    INLINE.map(lambda text: f"<mj-text>{text}</mj-text>"),
    st.tuples(VALUE, WORDS).map(
        lambda t: f'<mj-button href="https://shop.test/?q={t[0]}">{t[1]}</mj-button>'
    ),
    VALUE.map(lambda value: f'<mj-image src="https://shop.test/a.png?{value}" alt="{value}" />'),
    _many(WORDS.map(lambda word: f"<tr><td>{word}</td></tr>")).map(
        lambda rows: f"<mj-table><tbody>{rows}</tbody></mj-table>"
    ),
    WORDS.map(lambda word: f"<mj-raw><p>{word}</p></mj-raw>"),
    WORDS.map(
        lambda word: (
            f"<mj-accordion><mj-accordion-element><mj-accordion-text>{word}</mj-accordion-text></mj-accordion-element></mj-accordion>"
        )
    ),
    EXPRESSIONS,  # bare, where MJML would drop it
    EXPRESSIONS.map(lambda token: f'<mj-text padding="{token}">wide</mj-text>'),
)
COLUMN = st.tuples(st.sampled_from(["", ' width="50%"', ' width="300px"']), _many(ELEMENT)).map(
    lambda t: f"<mj-column{t[0]}>{t[1]}</mj-column>"
)
SECTION = st.one_of(
    _many(COLUMN, 2).map(lambda columns: f"<mj-section>{columns}</mj-section>"),
    _many(COLUMN, 2).map(lambda columns: f"<mj-wrapper><mj-section>{columns}</mj-section></mj-wrapper>"),
    INLINE.map(lambda text: f"<mj-hero><mj-text>{text}</mj-text></mj-hero>"),
)
MAIL = st.tuples(WORDS.filter(lambda text: "<" not in text), _many(SECTION)).map(
    lambda t: f"<mjml><mj-head><mj-title>{t[0]}</mj-title></mj-head><mj-body>{t[1]}</mj-body></mjml>"
)


def _read(html):
    """What a reader, and Outlook, would find: words, links and pictures in their order."""
    seen = []
    for part in (html, *re.findall(r"<!--\[if mso[^>]*>(.*?)<!\[endif\]-->", html, re.DOTALL)):
        for node in lxml_html.document_fromstring(f"<div>{part}</div>").iter():
            if isinstance(node.tag, str) and node.tag not in {"style", "link"}:
                seen += [node.get(name) for name in ("href", "alt") if node.get(name) is not None]
                seen += (node.text or "").split()
            seen += (node.tail or "").split()
    return seen


def _filled_first(source):
    environment = Environment(autoescape=True)
    environment.filters["default"] = lambda value, other: value or other
    return environment.from_string(source).render(NAMES)


def _require_clear(refused):
    for problem in refused.problems:
        assert problem.cure, problem
        assert "jx" not in str(problem)
        assert re.search(r"line \d", problem.where) or "MJML" in problem.what, problem


@given(MAIL)
@settings(max_examples=120, deadline=None)
def test_compiling_and_then_filling_in_reads_as_filling_in_and_then_compiling(source):
    try:
        compiled = compile_file(source)
    except BadTemplate as refused:
        _require_clear(refused)
        return
    ours = sandbox("en", html=True).from_string(compiled).render(NAMES)
    theirs, _ = compile_mjml(_filled_first(source))
    assert _read(ours) == _read(theirs)


LETTER = (
    "<mjml><mj-head><mj-style>.a { color: red; }</mj-style></mj-head><mj-body><mj-section><mj-column width='50%'>"
    '<mj-text color="red">Hello <b title="t">you</b></mj-text><mj-image src="https://a.test/x" alt="y" />'
    "</mj-column></mj-section><!-- note --></mj-body></mjml>"
)


@given(st.integers(0, len(LETTER)), st.integers(0, len(LETTER)), EXPRESSIONS, CONDITIONS)
@settings(max_examples=150, deadline=None)
def test_a_token_at_any_character_is_kept_or_refused(first, second, expression, condition):
    first, second = sorted((first, second))
    source = f"{LETTER[:first]}{{% if {condition} %}}{LETTER[first:second]}{expression}{{% endif %}}{LETTER[second:]}"
    try:
        compiled = compile_file(source)
    except BadTemplate as refused:
        _require_clear(refused)
        return
    kept = [token.text for token in find_tokens(compiled)]
    assert kept.count(expression) >= 1
    assert [text for text in kept if text.startswith("{%")] == [f"{{% if {condition} %}}", "{% endif %}"]


PARAGRAPH = st.one_of(
    INLINE.map(lambda text: f"<p>{text}</p>"),
    _many(WORDS.map(lambda word: f"<tr><td>{word}</td></tr>")).map(
        lambda rows: f"<table><tbody>{rows}</tbody></table>"
    ),
    _many(WORDS.map(lambda word: f"<tr><td>{word}</td></tr>")).map(lambda rows: f"<table>{rows}</table>"),
    _many(WORDS.map(lambda word: f"<li>{word}</li>")).map(lambda rows: f"<ul>{rows}</ul>"),
    st.tuples(VALUE, WORDS).map(lambda t: f'<a class="b" href="https://shop.test/?q={t[0]}">{t[1]}</a>'),
    VALUE.map(lambda value: f'<!--[if mso]><b title="{value}">Outlook</b><![endif]-->'),
)
PAGE = _many(PARAGRAPH).map(
    lambda text: (
        f"<html><head><style>p {{ color: red }} .b {{ color: blue }}</style></head><body>{text}</body></html>"
    )
)


@given(PAGE)
@settings(max_examples=120, deadline=None)
def test_pasted_html_filled_in_reads_as_if_it_had_been_filled_in_before(source):
    try:
        compiled = compile_source(Source(BodyKind.HTML, "", source)).html
    except BadTemplate as refused:
        _require_clear(refused)
        return
    assert _read(sandbox("en", html=True).from_string(compiled).render(NAMES)) == _read(_filled_first(source))


def _problems(body, kind=BodyKind.MJML):
    with pytest.raises(BadTemplate) as caught:
        compile_source(Source(kind, "s", body))
    return caught.value.problems


def _mail(inside):
    return f"<mjml>\n<mj-body>\n{inside}\n</mj-body>\n</mjml>"


def test_a_merge_field_that_mjml_drops_is_named_with_its_line():
    (problem,) = _problems(
        _mail("<mj-section>\n{{ contact.city|default('') }}<mj-column></mj-column></mj-section>")
    )
    assert problem.where == "body line 4"
    assert "MJML drops {{ contact.city|default('') }}" in problem.what
    assert problem.cure


def test_a_size_from_a_merge_field_is_refused():
    problems = _problems(
        _mail(
            '<mj-section padding="{{ contact.city }}"><mj-column><mj-text>x</mj-text></mj-column></mj-section>'
        )
    )
    assert problems[0].where.startswith("body line 3")
    assert "jx" not in str(problems[0])


def test_a_width_that_would_become_nan_is_refused():
    problems = _problems(
        _mail(
            '<mj-section><mj-column width="{{ contact.city }}px"><mj-text>x</mj-text></mj-column></mj-section>'
        )
    )
    assert any("size" in problem.what or "fixed size" in problem.cure for problem in problems)


def test_a_block_beside_columns_of_automatic_width_is_refused():
    columns = "<mj-column><mj-text>a</mj-text></mj-column>{% if contact.city %}<mj-column{}><mj-text>b</mj-text></mj-column>{% endif %}"
    (problem,) = _problems(_mail(f"<mj-section>{columns.replace('{}', '')}</mj-section>"))
    assert "width" in problem.cure
    wide = columns.replace("<mj-column>", '<mj-column width="50%">').replace("{}", ' width="50%"')
    assert compile_source(Source(BodyKind.MJML, "s", _mail(f"<mj-section>{wide}</mj-section>"))).html


def test_a_block_between_components_needs_no_raw_element():
    section = "<mj-section><mj-column><mj-text>secret</mj-text></mj-column></mj-section>"
    compiled = compile_source(
        Source(BodyKind.MJML, "s", _mail(f"{{% if contact.city %}}{section}{{% endif %}}"))
    )
    assert "secret" in prepare(compiled).render({"contact": {"city": "Köln"}}).html
    content = prepare(compiled).render({"contact": {"city": None}})
    assert "secret" not in content.html
    assert "secret" not in content.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<p {% if contact.city %}class='a'{% endif %}>x</p>", "inside a tag"),
        ("<p {{ contact.city }}>x</p>", "inside a tag"),
        ("<p class={{ contact.city }}>x</p>", "without quotes"),
        ("<p class='{% if contact.city %}a'>x</p>{% endif %}", "stands elsewhere"),
        ("<!-- {% if contact.city %} --><p>x</p>{% endif %}", "stands elsewhere"),
        ("<p>{% raw %}{{ x }}{% endraw %}</p>", "raw"),
    ],
)
def test_jinja_where_no_value_fits_is_refused(body, words):
    assert any(words in problem.what for problem in _problems(body, BodyKind.HTML))


def test_a_lost_token_is_found_whatever_tool_lost_it():
    masked = mask("<p>{{ a }}</p>{% if a %}b{% endif %}")
    assert lost_tokens(masked, masked.text, "tool") == []
    assert lost_tokens(masked, masked.text.replace(masked.word(masked.tokens[0]), ""), "tool")
    words = [f"<!--{masked.word(token)}-->" for token in masked.tokens[1:]]
    assert lost_tokens(masked, masked.text.replace(words[0], words[0] * 2), "tool")
    turned = masked.text.replace(words[0], "@").replace(words[1], words[0]).replace("@", words[1])
    assert lost_tokens(masked, turned, "tool")


def test_the_line_of_an_error_is_the_authors_although_tokens_span_lines():
    body = _mail(
        "<mj-section><mj-column><mj-text>{{\n\n'a'\n\n}}</mj-text>\n<mj-text colour='red'>x</mj-text></mj-column></mj-section>"
    )
    (problem,) = _problems(body)
    assert problem.where == "body line 8, mj-text"


@given(st.lists(PIECES, max_size=20).map("".join))
@settings(max_examples=100, deadline=None)
def test_pasted_html_keeps_its_tokens_or_is_refused(source):
    try:
        masked = mask(source)
        html, problems = inline_css(f"<html><body>{masked.text}</body></html>")
    except TemplateSyntaxError:
        return
    if problems or lost_tokens(masked, html, "tool"):
        return
    assert all(token.text in masked.unmask(html) for token in masked.tokens if token.kind != "comment")
