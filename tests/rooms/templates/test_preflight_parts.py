"""What the checks are made of: colours, style sheets, selectors, languages, pictures, the table of programs."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from lxml.cssselect import CSSSelector

from campaigns.templates.preflight.clients import LOOKS, PROGRAMS, USUAL, features
from campaigns.templates.preflight.colours import Colour, inverted, over, ratio, read_colour
from campaigns.templates.preflight.css import declarations, rules
from campaigns.templates.preflight.findings import Phrases, hint, joined, warning
from campaigns.templates.preflight.graphic import read_graphic
from campaigns.templates.preflight.paint import texts, tree_of
from campaigns.templates.preflight.selectors import Sheet, TooMuch, Work, read_selector
from campaigns.templates.preflight.wording import language_of

# ---- colours


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#fff", (255, 255, 255, 1)),
        ("#12345678", (0x12, 0x34, 0x56, 0x78 / 255)),
        ("#ABCDEF", (0xAB, 0xCD, 0xEF, 1)),
        ("#f80c", (255, 0x88, 0, 0xCC / 255)),
        (" Tomato ", (255, 99, 71, 1)),
        ("rgb(1, 2, 3)", (1, 2, 3, 1)),
        ("rgba(1,2,3,.5)", (1, 2, 3, 0.5)),
        ("rgb(100% 0% 50% / 25%)", (255, 0, 127.5, 0.25)),
        ("hsl(120, 100%, 25%)", (0, 127.5, 0, 1)),
        ("hsla(0deg, 0%, 100%, 0.1)", (255, 255, 255, 0.1)),
        ("rgb(999, -5, 0)", (255, 0, 0, 1)),
        ("transparent", (0, 0, 0, 0)),
    ],
)
def test_a_colour_is_read_as_it_is_written(text, colour):
    assert read_colour(text) == pytest.approx(colour)


@pytest.mark.parametrize(
    "text", ["", "#12", "#ggg", "inherit", "currentcolor", "rgb(1,2)", "url(x)", "var(--x)", "#1234567"]
)
def test_what_is_no_colour_is_none(text):
    assert read_colour(text) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text("rgbhsla(%,./0123456789 #-) deg", max_size=40))
def test_whatever_is_written_as_a_colour_does_no_harm(text):
    found = read_colour(text)
    assert found is None or (all(0 <= part <= 255 for part in found[:3]) and 0 <= found.cover <= 1)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.00),
        ("#0000ff", "#ffffff", 8.59),
    ],
)  # fmt: skip
def test_contrast_is_what_wcag_says(one, other, said):
    """Values as the W3C's own and other calculators give them."""
    assert ratio(read_colour(one), read_colour(other)) == pytest.approx(said, abs=0.02)


COLOURS = st.tuples(*[st.integers(0, 255)] * 3).map(lambda parts: Colour(*map(float, parts)))


@settings(max_examples=200, deadline=None)
@given(COLOURS, COLOURS)
def test_contrast_is_the_same_both_ways_and_turning_twice_changes_nothing(one, other):
    assert 1 <= ratio(one, other) <= 21.01
    assert ratio(one, other) == ratio(other, one)
    assert inverted(inverted(one))[:3] == pytest.approx(one[:3], abs=0.5)
    assert over(one, other)[:3] == one[:3]
    assert over(Colour(*one[:3], 0.0), other)[:3] == other[:3]


# ---- style sheets


def test_a_style_sheet_is_taken_apart():
    sheet = """@import url("a;b.css"); /* { } */
    a, .b > td { color: red !important; background: url("x;y{z}.png") }
    @media (max-width: 480px) { @supports (x: y) { .c { width: 1px } } }
    @media screen and (PREFERS-color-scheme: dark) { #d { color: #fff } }
    @font-face { font-family: x }
    e { color: blue"""
    found = list(rules(sheet))
    assert [rule.selector for rule in found] == [
        '@import url("a;b.css")',
        "a, .b > td",
        ".c",
        "#d",
        "@font-face",
        "e",
    ]
    assert found[1].declared == {"color": "red !important", "background": 'url("x;y{z}.png")'}
    assert [len(rule.media) for rule in found] == [0, 0, 2, 1, 0, 0]
    assert [rule.is_dark for rule in found] == [False, False, False, True, False, False]
    assert found[5].declared == {"color": "blue"}


def test_declarations_end_where_they_end():
    style = "color:RED;;background:url(data:image/png;base64,AA==) no-repeat;font-family:'A;B';width : 1px;no;color:blue"
    assert declarations(style) == {
        "color": "blue",
        "background": "url(data:image/png;base64,aa==) no-repeat",
        "font-family": "'a;b'",
        "width": "1px",
    }


@settings(max_examples=300, deadline=None)
@given(st.text("ab.#{}()[]:;,\"'/*@\\ \n-media", max_size=200))
def test_whatever_stands_in_a_style_sheet_does_no_harm(sheet):
    for rule in rules(sheet):
        assert isinstance(rule.declared, dict)
        for text in rule.selector.split(","):
            read_selector(text)


NAMES = st.sampled_from(["div", "p", "td", "*"])
MARKS = st.lists(st.sampled_from([".a", ".b", "#x", '[role="r"]', "[title]"]), max_size=2).map("".join)
SIMPLE = st.tuples(NAMES, MARKS).map("".join)
SELECTORS = st.lists(SIMPLE, min_size=1, max_size=4).flatmap(
    lambda parts: st.lists(
        st.sampled_from([" ", " > "]), min_size=len(parts) - 1, max_size=len(parts) - 1
    ).map(lambda joins: "".join(part + join for part, join in zip(parts, [*joins, ""], strict=True)))
)
ATTRIBUTES = st.lists(
    st.sampled_from([' class="a"', ' id="x"', ' role="r"', ' title="t"', ""]),
    max_size=2,
    unique_by=lambda text: text.split("=")[0],
)
TREES = st.recursive(
    st.tuples(st.sampled_from(["p", "td"]), ATTRIBUTES).map(lambda one: f"<{one[0]}{''.join(one[1])}>t</{one[0]}>"),
    lambda inner: st.tuples(ATTRIBUTES, st.lists(inner, max_size=3)).map(
        lambda one: f"<div{''.join(one[0])}>{''.join(one[1])}</div>"
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(SELECTORS, TREES)
def test_a_selector_meets_what_another_reader_of_css_says_it_meets(selector, page):
    tree = lxml_html.document_fromstring(f"<html><body>{page}</body></html>")
    ours = read_selector(selector)
    assert ours is not None
    wanted = set(CSSSelector(selector)(tree))
    met = {node for node in tree.iter() if ours.meets(node, Work())}
    assert met <= wanted  # going up, the first that fits is taken: some that > would find are missed
    if " > " not in selector:
        assert met == wanted


@pytest.mark.parametrize(
    "text", ["a:hover", "a::before", "a + b", "a ~ b", "", "a:not(.b)", "a >", " ".join(["a"] * 20)]
)
def test_a_selector_that_is_not_understood_meets_nothing(text):
    assert read_selector(text) is None


def looks(body, sheet=""):
    tree = tree_of(f"<html><body>{body}</body></html>")
    return {text.strip(): (str(look.ink), str(look.ground), look.large, look.sure) for text, look in texts(tree, Sheet(rules(sheet)))}  # fmt: skip


def test_text_is_seen_as_a_program_paints_it():
    seen = looks(
        '<table bgcolor="#000000"><tr><td style="color:#fff">cell<span style="background:rgba(255,255,255,.5)">half</span></td></tr></table>'
        '<h2>head<font color="red">red</font></h2><p class="a" style="color:green">styled</p>'
        '<a href="x">link</a><a name="x">anchor</a><div style="background:#123 url(x.png)">pictured</div>'
        '<div style="background-image:linear-gradient(red,blue)"><p style="background:#fff">covered</p></div>'
        '<div style="font-size:50%"><b style="font-size:3em">large</b></div><style>x</style><p hidden>gone</p>',
        ".a { color: blue !important } p { color: orange }",
    )
    assert seen["cell"] == ("#ffffff", "#000000", False, True)
    assert seen["half"] == ("#ffffff", "#808080", False, True)
    assert seen["head"][2]
    assert seen["red"][0] == "#ff0000"
    assert seen["styled"][0] == "#0000ff"
    assert seen["link"][0] == "#0000ee"
    assert seen["anchor"][0] == "#000000"
    assert seen["covered"] == ("#ffa500", "#ffffff", False, True)
    assert seen["large"][2]
    assert not {"x", "gone"} & seen.keys()


@pytest.mark.timed
@pytest.mark.parametrize(
    "style",
    [
        f"font-size:{'1' * 60_000}",
        f"font-weight:{'9' * 5000}",
        "font-weight:²",
        f"color:rgb({'1' * 60_000})",
        f"font-size:{'1' * 300}em",
        f"background:{'url( ' * 12_000}",
    ],
)
def test_a_value_without_end_says_nothing_and_takes_no_time(style):
    begun = time.process_time()
    assert looks(f'<p style="{style}">a</p>')["a"][:3] == ("#000000", "#ffffff", False)
    assert time.process_time() - begun < 0.5


@pytest.mark.timed
def test_one_background_for_many_elements_is_read_once():
    begun = time.process_time()
    seen = looks("<p>a</p>" * 2000, f"p {{ background: {'url( ' * 390} #123456 }}")
    assert len(seen) == 1
    assert time.process_time() - begun < 1


@pytest.mark.timed
def test_a_selector_said_again_is_looked_at_once():
    begun = time.process_time()
    seen = looks("<a>x</a>" * 500, ",".join(["b a", " body  >  a"] * 2000) + "{color:#ff0000}")
    assert seen["x"][0] == "#ff0000"
    assert time.process_time() - begun < 0.5


@pytest.mark.timed
def test_looking_ends_when_there_is_too_much_to_look_at():
    begun = time.process_time()
    sheet = ",".join(f"b{number} a" for number in range(4000)) + "{color:red}"
    with pytest.raises(TooMuch):
        looks("<a>x</a>" * 3000, sheet)
    assert time.process_time() - begun < 4


def test_text_on_a_picture_is_not_judged():
    assert looks('<div style="background:url(x.png)">a</div>')["a"][3] is False
    assert looks('<table background="x.png"><tr><td>a</td></tr></table>')["a"][3] is False


# ---- languages

SAID = {
    "en": "We made three new things for you this month, and here is what they are and what they cost.",
    "de": "Wir haben für Sie drei neue Dinge gemacht, und hier steht, was sie kosten und wie sie sind.",
    "fr": "Nous avons fait pour vous trois nouvelles choses ce mois, et voici ce que elles sont pour la maison.",
    "es": "Hemos hecho para usted tres cosas nuevas este mes, y aquí está lo que son y lo que cuestan para los amigos.",
    "it": "Abbiamo fatto per voi tre cose nuove questo mese, e qui c'è quello che sono e quanto costano con il prezzo.",
    "nl": "Wij hebben voor u drie nieuwe dingen gemaakt en hier staat wat het is en wat het kost voor u.",
}


@pytest.mark.parametrize(("language", "text"), SAID.items())
def test_a_languages_commonest_words_tell_it(language, text):
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text", ["", "Harbour & Vine", "A B C D E F G H I J", " ".join(SAID.values()), "x " * 50]
)
def test_what_speaks_for_none_or_for_several_is_none(text):
    assert language_of(text) is None


# ---- pictures


def test_a_pictures_first_bytes_tell_what_it_is():
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x20\x08"
    assert read_graphic(png + b"\x06" + bytes(9)).clear
    assert not read_graphic(png + b"\x02" + bytes(9)).clear
    assert read_graphic(png + b"\x03" + bytes(9) + b"tRNS" + bytes(9) + b"IDAT").clear
    assert (read_graphic(png + b"\x02").width, read_graphic(png + b"\x02").height) == (64, 32)
    gif = b"GIF89a\x05\x00\x06\x00\x00\x00\x00"
    assert not read_graphic(gif + b"\x21\xf9\x04\x00").moves
    assert read_graphic(gif + b"\x21\xf9\x04\x00" * 2).moves
    assert read_graphic(gif + b"\x21\xf9\x04\x01").clear
    assert read_graphic(b"\xff\xd8\xff\xe0").kind == "jpeg"
    assert read_graphic(b"RIFF\x00\x00\x00\x00WEBPVP8X\x00\x00\x00\x00\x12").moves
    assert read_graphic(b"<?xml?><SVG>").kind == "svg"


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF1234WEBPVP8X"]),
)
def test_whatever_a_picture_is_it_does_no_harm(data, begin):
    assert read_graphic(begin + data).width >= 0


# ---- programs


def test_the_table_of_programs_is_whole():
    known = {one.key for one in PROGRAMS}
    assert set(USUAL) <= known
    assert len(features()) >= 18
    for one in features():
        assert one.kind in LOOKS, one.name
        assert one.missing | one.partly, one.name
        assert one.missing | one.partly <= known, one.name
        assert not one.missing & one.partly, one.name
        assert isinstance(one.pattern, re.Pattern)


# ---- findings


def test_findings_of_several_languages_are_told_once_with_those_they_stand_in():
    one, other, third = (warning("%(a)s.", a=at) for at in range(3))
    found = joined({"en": [one.at("x", 3), other], "de": [one.at("y", 4), third.at("z", 5)], "fr": [one]})
    assert [(each.words, each.near, each.line, each.languages) for each in found] == [
        ("0.", "", 0, ()),
        ("1.", "", 0, ("en",)),
        ("2.", "z", 5, ("de",)),
    ]
    [single] = joined({"en": [one.at("x", 3)]})
    assert (single.near, single.line, single.languages) == ("x", 3, ())


def test_a_finding_is_the_same_as_one_that_says_the_same():
    assert hint("%(x)s", x=Phrases(("a", "b"))) == hint("%(x)s", x=Phrases(("a", "b")))
    assert len({hint("x", a=1), hint("x", a=1), hint("x", a=2)}) == 2
    assert str(hint("50 %% of %(x)s.", "Look.", x=Phrases(("a", "b")))) == "50 % of a, b. Look."
