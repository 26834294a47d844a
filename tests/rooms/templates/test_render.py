"""Rendering: plain data only, everything escaped where it must be, and every hostile trick refused in time."""

import re
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from time import perf_counter, thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from markupsafe import Markup

from campaigns.errors import BadTemplate
from campaigns.templates import starters
from campaigns.templates.names import NAMES, NameKind
from campaigns.templates.render import LONGEST, compile_source, prepare
from campaigns.templates.samples import sample_names
from campaigns.values import BodyKind, Compiled, Source


def _text(body, names=None, language="en"):
    return (
        prepare(compile_source(Source(BodyKind.TEXT, "s", body, language=language)))
        .render(sample_names(language) if names is None else names)
        .text
    )


def _html(body, names=None, **fields):
    source = Source(BodyKind.HTML, fields.pop("subject", "s"), body, **fields)
    return (
        prepare(compile_source(source)).render(sample_names(source.language) if names is None else names).html
    )


def _refused(body, kind=BodyKind.TEXT):
    with pytest.raises(BadTemplate) as caught:
        compile_source(Source(kind, "s", body))
    assert all(problem.cure for problem in caught.value.problems)
    return str(caught.value)


def _fails(body, names):
    with pytest.raises(BadTemplate) as caught:
        _text(body, names)
    return str(caught.value)


SCRIPTS = [
    "Jürgen Weiß",
    "Γιάννης",
    "محمد",
    "李小龍",
    "🎉",
    "O'Brien",
    '"><script>alert(1)</script>',
    "&amp;",
    "{{ 7*7 }}",
    "a\u202eb",
]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_name_in_any_script_is_shown_as_it_is_and_never_as_markup(name):
    names = {"contact": {"given_name": name}}
    html = _html(
        '<p title="{{ contact.given_name }}">{{ contact.given_name }}</p>',
        names,
        subject="{{ contact.given_name }}",
    )
    paragraph = lxml_html.document_fromstring(html).find(".//p")
    assert (paragraph.text, paragraph.get("title"), len(paragraph)) == (name, name, 0)
    assert _text("{{ contact.given_name }}", names) == name


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
@settings(max_examples=150, deadline=None)
def test_any_text_comes_out_of_the_html_as_it_went_in(text):
    html = TITLED.render({"contact": {"given_name": text}}).html
    assert not re.search(r"<(?!/?(?:html|head|body|p)\b)", html)
    assert unescape(re.search(r"<p>(.*)</p>", html, re.DOTALL)[1]) == unescape(re.sub(r"&", "&amp;", text))


TITLED = prepare(
    Compiled("s", "<html><head></head><body><p>{{ contact.given_name }}</p></body></html>", "", "en")
)


def test_control_characters_never_reach_a_mail_and_a_subject_is_one_line():
    names = {"contact": {"given_name": "A\x00d\x1ba\r\nBcc: x@y.test"}}
    content = prepare(
        compile_source(Source(BodyKind.TEXT, "Hi\n{{ contact.given_name }}", "{{ contact.given_name }}"))
    ).render(names)
    assert content.subject == "Hi Ada Bcc: x@y.test"
    assert "\x00" not in content.text


@pytest.mark.parametrize(
    ("body", "names", "words"),
    [
        ("Hi {{ contact.given_name }}", {"contact": {"given_name": None}}, "contact.given_name is missing"),
        ("Hi {{ contact.given_name }}", {"contact": {}}, "contact.given_name is missing"),
        (
            "Hi {{ contact.given_name|upper }}",
            {"contact": {"given_name": ""}},
            "contact.given_name is missing",
        ),
        ("{{ order.total|money }}", {"order": None}, "order.total is missing"),
        ("{{ order.total|money }}", {}, "order.total is missing"),
        (
            "{% for o in orders %}{{ o.placed_at|date }}{% endfor %}",
            {"orders": [{}]},
            "o.placed_at is missing",
        ),
    ],
)
def test_a_missing_value_is_an_error_that_names_it(body, names, words):
    assert words in _fails(body, names)


def test_a_text_of_the_authors_own_may_be_empty():
    names = {"contact": {"city": "", "country": None}}
    assert (
        _text(
            "[{{ 'x' if contact.city else '' }}{{ contact.city|default }}{{ contact.country|default('') }}]",
            names,
        )
        == "[]"
    )


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_fallback_stands_in_for_nothing_and_for_the_empty_text(value):
    assert _text("Hi {{ contact.given_name|default('you') }}", {"contact": {"given_name": value}}) == "Hi you"


def test_a_condition_on_a_missing_attribute_is_false():
    names = {"contact": {"attributes": {}}}
    assert _text("{% if contact.attributes.vip %}VIP{% else %}-{% endif %}", names) == "-"
    assert _text("{% if contact.attributes.vip == 'yes' %}VIP{% else %}-{% endif %}", names) == "-"


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "£85.00|November 9, 2026|2,026.5"), ("de", "85,00\u00a0€|9. November 2026|2.026,5")],
)
def test_money_dates_and_numbers_speak_the_language_of_the_mail(language, expected):
    assert (
        _text("{{ order.total|money }}|{{ order.placed_at|date }}|{{ 2026.5|number }}", language=language)
        == expected
    )


def test_each_amount_takes_the_currency_beside_it():
    names = {"orders": [{"total": Decimal(5), "currency": "JPY"}, {"total": 7.5, "currency": "EUR"}]}
    assert _text("{% for o in orders %}{{ o.total|money }} {% endfor %}", names) == "¥5 €7.50 "


def test_a_value_that_is_no_text_is_shown_as_a_person_writes_it_or_refused():
    names = {
        "contact": {
            "attributes": {
                "a": True,
                "b": 1.5,
                "c": date(2026, 1, 2),
                "d": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            }
        }
    }
    assert _text("{{ contact.attributes.b }}", names, "de") == "1,5"
    assert _text("{{ contact.attributes.c }}", names) == "January 2, 2026"
    assert "2026" in _text("{{ contact.attributes.d }}", names)
    assert "yes or no" in _fails("{{ contact.attributes.a }}", names)


def test_every_unknown_name_is_told_with_its_line_and_the_nearest_known_one():
    told = _refused(
        "Hi {{ contact.givenname }}\n\n{{ first_name }} {% for o in orders %}{{ o.totl }}{% endfor %}\n{{ contact.city.x }}"
    )
    for words in ("body line 1", "contact.given_name?", "body line 3", "o.total?", "body line 4"):
        assert words in told


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if name.kind not in {NameKind.GROUP, NameKind.LIST, NameKind.OPEN}],
    ids=lambda n: n.path,
)
def test_every_name_of_the_table_is_in_the_sample_and_can_be_shown(name):
    *lists, last = name.path.split("[].")
    opened = "".join(f"{{% for e{n} in {f'e{n - 1}.' if n else ''}{path} %}}" for n, path in enumerate(lists))
    path = f"e{len(lists) - 1}.{last}" if lists else last
    assert _text(f"{opened}{{{{ {path} }}}}{'{% endfor %}' * len(lists)}").strip()


HOSTILE = [
    "{{ ''.__class__.__mro__ }}",
    "{{ contact.__class__ }}",
    "{{ contact['__class__'] }}",
    "{{ contact|attr('__class__') }}",
    "{{ '{0.__class__}'.format(contact) }}",
    "{{ '%s'|format(1) }}",
    "{{ '%900000000d' % 1 }}",
    "{{ ('a'*900000000)|length }}",
    "{{ 'a' ~ 'b' * 9 }}",
    "{{ 9**9**9 }}",
    "{% for a in range(100000) %}{% endfor %}",
    "{% for a in orders %}{% for b in orders %}{% for c in orders %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% set a = 'x' %}{{ a }}",
    "{% macro m() %}{% endmacro %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% block b %}{% endblock %}",
    "{% call m() %}{% endcall %}",
    "{% autoescape false %}{% endautoescape %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with a = 1 %}{% endwith %}",
    "{{ lipsum(n=100000) }}",
    "{{ cycler('a') }}",
    "{{ joiner() }}",
    "{{ namespace() }}",
    "{{ self }}",
    "{{ contact.given_name.upper() }}",
    "{{ contact.given_name|safe }}",
    "{{ contact.given_name|center(900000000) }}",
    "{{ contact.given_name|xmlattr }}",
    "{{ contact|pprint }}",
    "{{ orders|map(attribute='x') }}",
    "{{ {'a': 1} }}",
    "{{ orders }}",
    "{{ contact }}",
    "{% for a in 'abc' %}{{ a }}{% endfor %}",
    "{% for a, b in orders %}{% endfor %}",
    "{% for a in orders recursive %}{% endfor %}",
    "{{ orders[contact.city] }}",
    "{{ contact.city|upper(*orders) }}",
    "{{ loop.index }}",
    "{% for o in orders %}{{ loop.cycle('a') }}{% endfor %}",
    "{% raw %}{{ x }}{% endraw %}",
    "{% if contact is mapping %}{% endif %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ a.b",
    "{% if contact %}",
    "{# never closed",
]


@pytest.mark.timed
@pytest.mark.parametrize("trick", HOSTILE, ids=lambda trick: trick[:40])
def test_a_hostile_construct_is_refused_before_anything_runs(trick):
    started = perf_counter()
    _refused(f"ok\n{trick}")
    assert perf_counter() - started < 2


@pytest.mark.timed
@pytest.mark.parametrize(
    "trick",
    [
        "{{ contact.attributes.text * 900000000 }}",
        "{{ contact.attributes.text + contact.attributes.text }}",
        "{{ contact.attributes.huge|int }}",
        "{{ contact.attributes.huge|money }}",
        "{{ contact.attributes.huge|round(2) }}",
        "{{ contact.attributes.nan|number }}",
        "{{ 1 / 0 }}",
        "{{ contact.attributes.text" + "|replace('a', 'aaaaaaaaaaaaaaaa')" * 12 + " }}",
        "{% if contact.attributes.text < 5 %}x{% endif %}",
        "{{ orders[5].number }}",
    ],
    ids=lambda trick: trick[:40],
)
def test_a_hostile_value_ends_in_an_error_for_this_contact_and_in_time(trick):
    names = sample_names()
    names["contact"]["attributes"] = {"text": "a" * 50, "huge": "1e999999999", "nan": "NaN"}
    started = perf_counter()
    tracemalloc.start()
    assert _fails(trick, names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert perf_counter() - started < 2
    assert peak < 30_000_000


def test_an_output_that_grows_without_end_is_cut_off():
    names = {"orders": [{"number": "x" * 1000, "lines": [{"product": "y" * 1000}] * 100}] * 100}
    body = "{% for o in orders %}{% for l in o.lines %}{{ l.product }}{% endfor %}{% endfor %}"
    assert f"{LONGEST // 1024} KB" in _fails(body, names)


class _Danger:
    ran = False

    def danger(self, *_):
        type(self).ran = True
        return "x"

    __str__ = __len__ = __iter__ = __bool__ = __eq__ = __html__ = danger
    __hash__ = object.__hash__


@pytest.mark.parametrize(
    "value", [_Danger(), object(), Markup("<b>"), {1, 2}, b"x", len, [_Danger()], {"a": _Danger()}]
)
def test_only_plain_values_come_near_a_template(value):
    with pytest.raises(TypeError, match="plain values"):
        _text("{{ contact.city }}", {"contact": {"city": "x"}, "more": value})
    assert not _Danger.ran


@pytest.mark.parametrize(
    "markup",
    [
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" JaVa&#x0A;script:alert(1)">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<a href="{{ contact.attributes.site }}">x</a>',
        '<a href="https://{{ contact.city }}/x">x</a>',
        '<a href="https://{{ contact.city }}.shop.test/x">x</a>',
        '<a href="https://shop.test{{ contact.city }}">x</a>',
        '<a href="//{{ contact.city }}/x">x</a>',
        "<a href=\"{{ 'javascript:x' }}\">x</a>",
        "<a href=\"{{ links.view if contact.city else 'javascript:x' }}\">x</a>",
        '<a href="{% if contact.city %}java{% endif %}script:x">x</a>',
        '<a href="{% if contact.city %}https:{% endif %}//{{ contact.city }}/">x</a>',
        '<a href="{{ links.view|default(contact.city) }}">x</a>',
        '<a href="{{ links.nowhere }}">x</a>',
        '<img src="{{ contact.attributes.url }}">',
        '<p onclick="x()">x</p>',
        "<script>x()</script>",
        "<iframe src='https://x.test'></iframe>",
        "<form action='https://x.test'></form>",
        "<base href='https://x.test'>",
        "<meta http-equiv='refresh' content='0;url=https://x.test'>",
        "<link rel='stylesheet' href='https://x.test/a.css'>",
        '<!--[if mso]><a href="javascript:x">x</a><![endif]-->',
    ],
)
def test_markup_that_acts_or_leads_where_data_says_is_refused(markup):
    _refused(f"<p>a</p>\n{markup}", BodyKind.HTML)


@pytest.mark.parametrize(
    "markup",
    [
        '<a href="{{ links.unsubscribe }}">x</a>',
        '<a href="https://shop.test/?c={{ contact.city|urlencode }}">x</a>',
        '<a href="https://shop.test/{% if contact.city %}{{ contact.city|urlencode }}{% endif %}">x</a>',
        '<a href="{% if contact.city %}https://a.test/x{% else %}https://b.test/y{% endif %}?z=1">x</a>',
        '<a href="mailto:hello@shop.test?subject={{ campaign.name|urlencode }}">x</a>',
        '{% for p in products %}<a href="{{ p.url }}"><img src="{{ p.image }}" alt="{{ p.name }}"></a>{% endfor %}',
        '{% for s in survey.scores %}<a href="{{ s.url }}">{{ s.value }}</a>{% endfor %}',
        '<a href="{{ products[0].url }}">x</a>',
    ],
)
def test_links_of_the_authors_and_of_ours_are_kept(markup):
    html = _html(markup)
    assert "href=" in html
    assert "%7B" not in html


def test_a_product_whose_page_is_no_web_address_is_refused_for_its_recipient():
    names = sample_names()
    names["products"][1]["url"] = "javascript:alert(1)"
    with pytest.raises(BadTemplate, match="not a web address"):
        _html('{% for p in products %}<a href="{{ p.url }}">x</a>{% endfor %}', names)


def test_pasted_html_gets_its_css_inlined_and_keeps_media_rules_and_outlooks_comments():
    html = _html(
        "<html><head><style>p{color:red} @media (max-width:480px){p{color:blue !important}}</style></head>"
        '<body><!--[if mso]><table><tr><td><![endif]--><p>x</p><a href="https://a.test/?a=1&amp;b={{ contact.city|urlencode }}">y</a></body></html>'
    )
    assert '<p style="color:red"' in html
    assert "@media (max-width:480px)" in html
    assert "<!--[if mso]><table><tr><td><![endif]-->" in html
    assert 'href="https://a.test/?a=1&amp;b=Bristol"' in html


@pytest.mark.parametrize("kind", [BodyKind.MJML, BodyKind.HTML])
def test_the_preheader_stands_hidden_before_the_body_and_not_in_the_text(kind):
    body = {
        BodyKind.MJML: "<mjml><mj-body><mj-section><mj-column><mj-text>Body</mj-text></mj-column></mj-section></mj-body></mjml>",
        BodyKind.HTML: "<p>Body</p>",
    }
    content = prepare(
        compile_source(Source(kind, "s", body[kind], preheader="For {{ contact.city }} & <you>"))
    ).render(sample_names())
    before = content.html[: content.html.index("Body")]
    assert "For Bristol &amp; &lt;you&gt;" in before
    assert "display:none" in before
    assert content.text.strip() == "Body"


def test_a_preheader_given_twice_is_refused():
    body = "<mjml><mj-head><mj-preview>a</mj-preview></mj-head><mj-body></mj-body></mjml>"
    with pytest.raises(BadTemplate, match="twice"):
        compile_source(Source(BodyKind.MJML, "s", body, preheader="b"))


def test_a_mjml_mail_says_its_language_and_title():
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    html = (
        prepare(compile_source(Source(BodyKind.MJML, "Für {{ contact.city }}", body, language="de")))
        .render(sample_names("de"))
        .html
    )
    assert '<html lang="de"' in html
    assert "<title>Für Köln</title>" in html


def test_all_problems_of_all_fields_come_at_once():
    with pytest.raises(BadTemplate) as caught:
        compile_source(
            Source(
                BodyKind.MJML, "{{ nobody }}", "{{ nothing }}", preheader="{% if %}", text="{{ contact.x }}"
            )
        )
    assert [problem.where for problem in caught.value.problems] == [
        "subject line 1",
        "preheader line 1",
        "body",  # no MJML
        "body line 1",
        "text line 1",
    ]


def test_a_source_beyond_any_mail_is_refused_at_once():
    assert "512 KB" in _refused("x" * (LONGEST + 1))


@pytest.mark.timed
def test_rendering_a_30_kb_mail_takes_well_under_a_millisecond():
    prepared = prepare(compile_source(starters.load("product-offer")))
    names = sample_names()
    assert 20_000 < len(prepared.render(names).html) < 60_000
    best = min(_seconds(prepared, names) for _ in range(5))
    assert best < 0.001


def _seconds(prepared, names):
    started = thread_time()
    for _ in range(20):
        prepared.render(names)
    return (thread_time() - started) / 20
