"""The short ways through a template against the code that Jinja itself writes."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError
from jinja2.compiler import CodeGenerator

from campaigns.templates.filters import Unshowable, filters_for
from campaigns.templates.sandbox import Sandbox
from campaigns.templates.shortcuts import KEPT, LOOKS, VETTED


class Long(Sandbox):
    """The same sandbox without short ways: Jinja's code, its escaping, and the filters as they are."""

    code_generator_class = CodeGenerator

    def __init__(self, language, *, html):
        super().__init__(language, html=html)
        self.filters |= {look: filters_for(language)[look] for look in LOOKS}


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("a<&>'\" \t\n\u00a0\u202e\x07", max_size=6),
)
VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, TEXTS, st.just(Decimal("1.50"))),
        st.decimals(-100, 100, allow_nan=True),
        st.dates(),
        st.datetimes(),
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "currency"]), inner),
    max_leaves=4,
)
EXPRESSIONS = [
    *(
        "a",
        "a|default('b')",
        "a|d",
        "a|default(b)|upper",
        "a|upper|default('<i>')",
        "a|default(a.x)",
        "a.x",
        "a['x']",
    ),
    *(
        "a.x|default('-')",
        "a|default('x'|upper)",
        "a|money",
        "a.x|money",
        "a ~ b",
        "'<' ~ a",
        "'&lt;'",
        "''",
        "7",
    ),
    *("'a'|default('b')", "a|default(fallback='c')", "a if b else 'no'", "(a|default('x')) == b", "a|length"),
    *(
        "loop.index",
        "a[0]",
        "a|first|default('-')",
        "a|trim",
        "a|join",
        "a|default('')|default('z')",
        "a|date",
    ),
]
FAILURES = (Unshowable, TemplateError, TypeError, ValueError, ArithmeticError, KeyError)


def rendered(sandbox, source, names):
    try:
        return sandbox.from_string(source).render(names)
    except FAILURES as error:
        return type(error), str(error)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(EXPRESSIONS), VALUES, VALUES, st.booleans())
@example("a", "<b>", None, True)
@example("a", "O'Brien", None, False)
def test_a_short_way_ends_where_the_long_one_does(expression, a, b, html):
    short, long = Sandbox("en", html=html), Long("en", html=html)
    source = f"{{{{ {expression} }}}}{{% for b in [b, a] %}}{{{{ {expression} }}}}{{% if {expression} %}}!{{% endif %}}{{% endfor %}}"
    names = {"a": a, "b": b}
    expected = rendered(long, source, names)
    assert rendered(short, source, names) == expected
    assert rendered(short, source, names) == expected, "the second time, when texts are known"


@pytest.mark.parametrize(
    "text", ["", " ", "<", "&", "'", '"', ">", "\x07", "a\nb", "\u202e", "a\u00a0b", "x" * 1000]
)
def test_only_what_nothing_changes_is_remembered(text):
    for html in (True, False):
        rendered(Sandbox("en", html=html), "{{ a }}", {"a": text})
        assert text not in VETTED


def test_what_is_remembered_has_an_end():
    template = Sandbox("en", html=True).from_string("{{ a }}")
    for number in range(2 * KEPT + 10):
        template.render(a=f"value {number}")
        assert len(VETTED) <= KEPT
    assert f"value {number}" in VETTED
