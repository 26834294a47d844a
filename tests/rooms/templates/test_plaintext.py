"""The text part: what a reader of the HTML would read, without its looks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.templates import starters
from campaigns.templates.plaintext import plaintext
from campaigns.templates.render import compile_source, prepare
from campaigns.templates.samples import sample_names
from campaigns.values import BodyKind, Source


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("One<br>Two", "One\nTwo"),
        ("<h1>Head</h1>Body", "Head\n\nBody"),
        ("<p>a <b>b</b>c\n  d</p>", "a bc d"),
        ('<a href="https://a.test/x">here</a>', "here (https://a.test/x)"),
        ('<a href="https://a.test/x">https://a.test/x</a>', "https://a.test/x"),
        ('<a href="mailto:a@b.test">a@b.test</a>', "a@b.test"),
        ('<a href="#top">up</a>', "up"),
        ('<a href="https://a.test/x"><img src="y.png" alt="A cat"></a>', "A cat (https://a.test/x)"),
        ('<img src="y.png" alt=""><img src="y.png">x', "x"),
        ("<ul><li>a</li><li>b<ol><li>c</li><li>d</li></ol></li></ul>e", "* a\n* b\n  1. c\n  2. d\n\ne"),
        ("<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>", "A | B\n1 | 2"),
        ("<table role='presentation'><tr><td>A</td><td>B</td></tr></table>", "A\n\nB"),
        ("a<hr>b", f"a\n\n{'-' * 40}\n\nb"),
        ("a<!-- note -->b<!--[if mso]>c<![endif]-->", "ab"),
        ('<div style="display:none">hidden</div>seen', "seen"),
        ("<style>p{}</style><title>t</title><script>x</script>seen", "seen"),
        ("10\u00a0€ &lt;b&gt; &amp; Grüße 漢 🎉", "10\u00a0€ <b> & Grüße 漢 🎉"),
        ("", ""),
    ],
)
def test_html_reads_as_text(html, text):
    assert plaintext(html).strip() == text


@given(st.text(st.sampled_from("<>/abpuliтdr hé\"'=-!&;[]\n"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_markup_ends_in_text_without_an_error(html):
    assert "\n\n\n" not in plaintext(html)


def _text_part(body, names):
    compiled = compile_source(Source(BodyKind.HTML, "s", body))
    return prepare(compiled).render(names).text.strip()


def test_a_loop_writes_a_line_for_each_and_a_condition_takes_its_paragraph_along():
    body = (
        "<p>Top</p><ul>{% for o in orders %}<li>{{ o.number }}</li>{% endfor %}</ul>"
        "{% if contact.city %}<p>{{ contact.city }}</p>{% else %}<p>Nowhere</p>{% endif %}<p>End</p>"
    )
    orders = [{"number": "A"}, {"number": "B"}]
    assert _text_part(body, {"orders": orders, "contact": {"city": "Rom"}}) == "Top\n\n* A\n* B\n\nRom\n\nEnd"
    assert _text_part(body, {"orders": orders, "contact": {}}) == "Top\n\n* A\n* B\n\nNowhere\n\nEnd"


def test_whitespace_signs_of_the_html_do_not_join_lines_of_the_text():
    body = "<p>Top</p>\n{%- if contact.city -%}\n<p>{{- contact.city -}}</p>\n{%- endif -%}\n<p>End</p>"
    assert _text_part(body, {"contact": {"city": "Rom"}}) == "Top\n\nRom\n\nEnd"


def test_a_condition_in_what_the_text_drops_never_comes_undone():
    body = (
        '<div style="display:none">{% if contact.city %}</div><p>secret</p>'
        '<div style="display:none">{% endif %}</div><p>End</p>'
    )
    assert _text_part(body, {"contact": {"city": None}}) == "End"
    assert "secret" in _text_part(body, {"contact": {"city": "Rom"}})


def test_a_written_text_part_is_taken_as_it_is():
    source = Source(BodyKind.HTML, "s", "<p>HTML</p>", text="Dear {{ contact.name }},\n\n\nby hand")
    assert prepare(compile_source(source)).render(sample_names()).text == "Dear Eleanor O’Brien,\n\n\nby hand"


@pytest.mark.parametrize("language", starters.LANGUAGES)
@pytest.mark.parametrize("name", starters.NAMES)
def test_the_text_of_a_starter_holds_its_links_and_no_markup(name, language):
    text = prepare(compile_source(starters.load(name, language))).render(sample_names(language)).text
    page = "confirm" if name == "confirmation" else "unsubscribe"  # nobody has anything to leave yet
    assert f"https://mail.example.com/{page}/sample" in text
    assert sample_names(language)["sender"]["postal_address"] in text
    assert "<" not in text
    assert "{" not in text
    assert "\n\n\n\n" not in text
