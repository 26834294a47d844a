"""Links get their numbers and the pixel its place; nothing else in the mail moves."""

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.tracking.instrument import LONG_HTML, PIXEL, TRAP, instrument
from campaigns.values import Link

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "mjml").glob("*.html"))

#: Piece of a mail; for each link in it: the text that a number replaces, and where the number leads.
TRACKED = [
    ('<a href="https://a.example/">x</a>', [("https://a.example/", "https://a.example/")]),
    ('<a href="https://a.example/">again</a>', [("https://a.example/", "https://a.example/")]),
    (
        "<A\n  class=b HREF = 'http://b.example/?x=1&amp;y=2'>x</A>",
        [("http://b.example/?x=1&amp;y=2", "http://b.example/?x=1&y=2")],
    ),
    ("<a href=https://c.example/d/>x</a>", [("https://c.example/d/", "https://c.example/d/")]),
    (
        '<a title="a > b" data-href="https://no.example" href=" https://d.example/ü#f ">x</a>',
        [(" https://d.example/ü#f ", "https://d.example/ü#f")],
    ),
    (
        '<a {% if n > 1 %}href="https://e.example"{% else %}href="https://f.example"{% endif %}>x</a>',
        [("https://e.example", "https://e.example"), ("https://f.example", "https://f.example")],
    ),
    (
        "<a{% if n %} class=\"y\"{% endif %} style='{{ t['>'] }}' href=\"HTTPS://g.example/a b\">x</a>",
        [("HTTPS://g.example/a b", "HTTPS://g.example/a%20b")],
    ),
    (
        '<map><area shape="rect" href="https://h.example/"/></map>',
        [("https://h.example/", "https://h.example/")],
    ),
    (
        '<!--[if mso]><v:roundrect xmlns:v="urn:x" href="https://i.example/"><![endif]--><!--[if !mso]><!--><a href="https://i.example/">x</a><!--<![endif]-->',
        [("https://i.example/", "https://i.example/"), ("https://i.example/", "https://i.example/")],
    ),
    (
        '{% for p in products %}<a href="https://j.example/{# {{ hidden }} #}">x</a>{% endfor %}',
        [],
    ),
    (
        '{{ {"a": {"b": "}}"}}["a"]["b"] }}<a href="https://k.example/?q={{ \'{\' }}">x</a>',
        [],
    ),
]
LEFT_ALONE = [
    "text & more, 1 < 2 and 3 > 2, ümlaut 中文 \ue000\r\n",
    '<a href="{{ links.unsubscribe }}">leave</a>',
    '<a href="{{links.view}}#top">view</a>',
    '<a href="mailto:{{ sender.address }}">m</a><a href="tel:+49">t</a><a href="#top">t</a><a>n</a><a href="">e</a>',
    '<!-- <a href="https://comment.example/"> -->',
    '{# <a href="https://comment.example/"> #}',
    "<style>a[href='https://style.example'] > b {} /* <a href=\"https://style.example\"> */</style>",
    '<img alt="<a href=\'https://alt.example/\'>" src="https://img.example/x.png">',
    '<link rel="stylesheet" href="https://fonts.example/">',
    "{% set u = \"<a href='https://set.example/'>\" %}",
    '<abbr href="https://abbr.example">x</abbr>',
]
PIECES = st.lists(
    st.one_of(st.sampled_from(TRACKED), st.sampled_from(LEFT_ALONE).map(lambda text: (text, []))), max_size=12
)


def undo(html, hrefs):
    """Put the old addresses back in place of the numbers, and take pixel and trap out."""
    html = html.replace(PIXEL, "", 1).replace(TRAP, "", 1)
    return re.sub(r"\{\{ links\.click \}\}/(\d+)", lambda match: hrefs[int(match[1]) - 1], html)


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_each_link_gets_its_number_and_no_other_byte_changes(pieces):
    html = "".join(text for text, _ in pieces)
    expected = [link for _, links in pieces for link in links]
    done = instrument(html)
    assert done.links == tuple(Link(number, url) for number, (_, url) in enumerate(expected, 1))
    assert undo(done.html, [href for href, _ in expected]) == html


@given(PIECES, st.integers(1, 500))
@settings(max_examples=50, deadline=None)
def test_numbers_go_on_from_the_first(pieces, first):
    html = "".join(text for text, _ in pieces)
    numbers = [link.number for link in instrument(html, first=first).links]
    assert numbers == list(range(first, first + len(numbers)))


@given(PIECES)
@settings(max_examples=50, deadline=None)
def test_an_untracked_mail_stays_as_it_was(pieces):
    html = "".join(text for text, _ in pieces)
    assert instrument(html, track=False) == (html, (), ())


class Anchors(HTMLParser):
    """Another reader of HTML: the hrefs of <a>, in order."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.pixels = 0
        # Conditional comments hold markup for Outlook: take only their marks away.
        self.feed(re.sub(r"<!--\[if[^>]*>(?:<!-->)?|<!\[endif\]-->|<!--<!\[endif\]-->", "", html))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in {"a", "area"} or tag.startswith("v:"):
            self.found.append(values.get("href"))
        if tag == "img" and values.get("src") == "OPEN":
            self.pixels += 1


@pytest.mark.parametrize(
    "path", [path for path in GOLDEN if "jinja" not in path.name], ids=lambda path: path.stem
)
def test_real_mjml_output_leads_where_it_led_before(path):
    html = path.read_text()
    done = instrument(html)
    before = Anchors(html).found
    rendered = (
        done.html.replace(TRAP, "")
        .replace("{{ links.click }}", "https://t.example/c/T")
        .replace("{{ links.open }}", "OPEN")
    )
    after = Anchors(rendered)
    by_number = {f"https://t.example/c/T/{link.number}": link.url for link in done.links}
    assert [by_number.get(href, href) for href in after.found] == before
    assert len(by_number) == sum((href or "").startswith("http") for href in before)
    assert after.pixels == 1


def test_the_golden_mails_hold_links():
    assert sum(len(instrument(path.read_text()).links) for path in GOLDEN) > 5


@pytest.mark.parametrize(
    ("href", "why", "personal_host"),
    [
        ("https://shop.example/{{ contact.id }}", "differs", False),
        ("https://shop.example/{% if vip %}vip{% endif %}", "differs", False),
        ("https://{{ contact.domain }}/", "which site", True),
        ("https://shop.example{{ contact.path }}", "which site", True),
        ("https://shop.example:{{ contact.port }}/", "which site", True),
        ("https://a@{{ contact.domain }}/", "which site", True),
        ("//{{ contact.domain }}/", "which site", True),
        ("{{ product.url }}", "which site", True),
        ("javascript:alert(1)", "javascript", False),
        ("ftp://files.example/", "ftp", False),
        ("https://user:pass@shop.example/", "user name", False),
        ("https:///path", "cannot be read", False),
        ("https://[broken/", "cannot be read", False),
        ("https://shop.example:port/", "cannot be read", False),
        ("https://shop.example\\@evil.example/", "cannot be read", False),
        ("https://shop.example/\x01", "cannot be read", False),
        ("www.shop.example", "no https://", False),
        ("/relative", "no https://", False),
    ],
)
def test_a_link_that_cannot_be_numbered_is_told(href, why, personal_host):
    html = f'<p>\n<a href="{href}">x</a>'
    done = instrument(html)
    assert done.links == ()
    assert done.html == html + PIXEL
    (untracked,) = done.untracked
    assert untracked.href == href
    assert why in untracked.why
    assert (untracked.line, untracked.personal_host) == (2, personal_host)


def test_a_bare_href_that_jinja_continues_is_not_torn_apart():
    html = "<a href=https://a.example/{% if vip %}vip{% endif %} class=x>y</a>"
    done = instrument(html)
    assert done.html == html + PIXEL
    assert done.untracked[0].href == "https://a.example/{% if vip %}vip{% endif %}"


def test_nothing_is_put_into_a_raw_block():
    html = '<a href="https://a.example">{% raw %}<a href="https://b.example">{{</body>{% endraw %}<a href="https://c.example">'
    done = instrument(html)
    assert [link.url for link in done.links] == ["https://a.example", "https://c.example"]
    assert [(each.href, each.why) for each in done.untracked] == [
        ("https://b.example", "it stands inside {% raw %}")
    ]
    assert done.html.endswith(PIXEL + TRAP)


def test_line_breaks_within_an_address_are_dropped_as_a_browser_drops_them():
    assert instrument('<a href="\thttps://a.example/\r\n b\n">').links == (Link(1, "https://a.example/%20b"),)


def test_the_pixel_stands_before_the_end_of_a_short_mail():
    assert instrument("<body><p>x</p></body></html>").html == f"<body><p>x</p>{PIXEL}</body></html>"
    html = "<body>x</BODY ><!-- </body> -->"
    assert instrument(html).html == f"<body>x{PIXEL}</BODY ><!-- </body> -->"


def test_the_pixel_of_a_long_mail_stands_where_gmail_does_not_cut_it_off():
    filling = "ü" * (LONG_HTML // 2 + 1)
    html = f'<head><style>x</style></head><body{{% if n %}} class="{{{{ n }}}}"{{% endif %}} dir="a>b">{filling}</body>'
    done = instrument(html).html
    assert done.index(PIXEL) == html.index(filling)
    assert done.replace(PIXEL, "") == html


def test_the_pixel_of_a_fragment_stands_at_its_end():
    assert instrument("<p>x</p>").html == "<p>x</p>" + PIXEL


@given(st.text(alphabet="<>=\"'/a hrefv:{%}#-![]ib\n&;", max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_keeps_its_bytes(text):
    done = instrument(text)
    assert done.html.replace(PIXEL, "", 1) == text
    assert done.links == ()


@pytest.mark.timed
@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<!--",
        "<style>",
        '<a b="',
        "<a b='\"",
        "<a href=",
        "<a = =",
        "<a" + " " * 50,
        "{# #}",
        "{{",
        "&",
    ],
)
def test_broken_markup_is_read_in_linear_time(piece):
    begin = time.perf_counter()
    instrument((piece * (100_000 // len(piece)))[:100_000])
    assert time.perf_counter() - begin < 3


def test_the_result_renders():
    html = '<body><a {% if vip %}href="https://a.example/"{% else %}href=https://b.example {% endif %}>x</a></body>'
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(instrument(html).html)
    links = {"click": "https://t.example/c/T", "open": "https://t.example/o/T"}
    assert 'href="https://t.example/c/T/1">' in template.render(links=links, vip=True)
    assert "href=https://t.example/c/T/2 >" in template.render(links=links, vip=False)
    assert '<img src="https://t.example/o/T" ' in template.render(links=links, vip=False)


def test_a_mail_with_numbered_links_has_one_that_nobody_sees_or_reaches_by_keyboard():
    done = instrument('<body><a href="https://a.example">x</a></body>').html
    assert done.count(TRAP) == 1
    assert done.endswith(f"{PIXEL}{TRAP}</body>")
    assert 'aria-hidden="true"' in TRAP
    assert 'tabindex="-1"' in TRAP
    assert re.sub(r"<[^>]*>", "", TRAP) == ""


def test_a_mail_without_numbered_links_needs_no_token_for_a_trap():
    assert "links.click" not in instrument("<body><p>x</p></body>").html
