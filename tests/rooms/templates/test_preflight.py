"""Preflight: each fault is found, in words, with its cure; a sound mail has none."""

import time

import pytest

from campaigns.templates.preflight import Letter, Level, check, check_all, shown_without_fallback
from campaigns.templates.preflight.findings import RANK, alike
from campaigns.templates.render import compile_source
from campaigns.values import Attachment, BodyKind, Compiled, Source

HEAD = '<html lang="en"><head><meta name="color-scheme" content="light dark"></head><body>'
FOOT = '<p><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ sender.postal_address }}</p></body></html>'
WORDS = "<p>We made three new things for you this month, and here is what they are and what they cost.</p>"
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x20\x08\x02\x00\x00\x00" + b"\x00" * 20
)
CLEAR_PNG = PNG.replace(b"\x08\x02", b"\x08\x06")
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"


def findings(
    body="<p>Hello</p>",
    *,
    subject="A subject",
    preheader="More of it than the subject says",
    kind=BodyKind.HTML,
    text="",
    head=HEAD,
    foot=FOOT,
    language="en",
    files=(),
):  # fmt: skip
    whole = head + body + foot if kind is BodyKind.HTML else body
    source = Source(kind, subject, whole, preheader=preheader, text=text, language=language)
    return check(compile_source(source, files), source, files)


def test_a_sound_mail_has_no_findings():
    assert findings() == []
    assert findings(WORDS) == []


def picture(name, data, kind="image/png"):
    return Attachment(name, kind, data, name)


A = 'href="https://shop.example/a"'
IMG = '<img src="https://a.test/x.png" width="10" alt="x">'
FAULTS = {
    "no subject": ({"subject": " "}, Level.BLOCKER, "no subject"),
    "no way out": ({"foot": "<p>{{ sender.postal_address }}</p>"}, Level.BLOCKER, "no link to unsubscribe"),
    "no address": ({"foot": '<a href="{{ links.unsubscribe }}">x</a>'}, Level.BLOCKER, "postal address"),
    "no way out in the text": ({"text": "Hello"}, Level.BLOCKER, "text part has no link to unsubscribe"),
    "an empty anchor": ({"body": '<a href="#">x</a>'}, Level.BLOCKER, "leads nowhere"),
    "an empty link": ({"body": '<a href="">x</a>'}, Level.BLOCKER, "leads nowhere"),
    "a placeholder": ({"body": '<a href="https://example.com/x">x</a>'}, Level.BLOCKER, "leads nowhere"),
    "no host": ({"body": '<a href="shop.html">x</a>'}, Level.BLOCKER, "no host"),
    "an inner number": ({"body": '<a href="https://10.1.2.3/x">x</a>'}, Level.BLOCKER, "of your own network"),
    "an inner name": ({"body": '<a href="https://shop.local/x">x</a>'}, Level.BLOCKER, "of your own network"),
    "a bare name": ({"body": '<a href="https://intranet/x">x</a>'}, Level.BLOCKER, "of your own network"),
    "a number": ({"body": '<a href="https://9.9.9.9/x">x</a>'}, Level.WARNING, "in place of a host"),
    "a shortener": ({"body": '<a href="https://bit.ly/x">x</a>'}, Level.WARNING, "hides where it leads"),
    "no encryption": ({"body": '<a href="http://a.test/">x</a>'}, Level.WARNING, "not encrypted"),
    "words that lie": (
        {"body": '<a href="https://shop.example/">www.bank.example.org</a>'},
        Level.WARNING,
        "shows www.bank.example.org and leads to shop.example",
    ),
    "a link without words": ({"body": f"<a {A}></a>"}, Level.HINT, "has no words"),
    "far too long": ({"body": "<p>" + "x" * 103_000 + "</p>"}, Level.BLOCKER, "102,400"),
    "too long by a loop": (
        {"body": "{% for o in orders %}<p>" + "x" * 60_000 + "</p>{% endfor %}"},
        Level.BLOCKER,
        "102,400",
    ),
    "nearly too long": ({"body": "<p>" + "x" * 99_000 + "</p>"}, Level.WARNING, "102,400"),
    "no preheader": ({"preheader": ""}, Level.WARNING, "no preheader"),
    "a preheader that repeats": ({"preheader": "a SUBJECT"}, Level.HINT, "repeats the subject"),
    "a long preheader": ({"preheader": "word " * 40}, Level.HINT, "preheader has 199 characters"),
    "no alternative text": (
        {"body": WORDS * 2 + '<img src="https://a.test/x.png" width="9">'},
        Level.WARNING,
        "no alternative text",
    ),
    "a file's name in place of it": (
        {"body": WORDS * 2 + '<img src="https://a.test/x.png" alt="IMG_0123.jpg" width="9">'},
        Level.WARNING,
        "is a file's name: IMG_0123.jpg",
    ),
    "a picture without encryption": (
        {"body": WORDS * 2 + '<img src="http://a.test/x.png" alt="x" width="9">'},
        Level.WARNING,
        "without encryption",
    ),
    "a picture without an address": (
        {"body": WORDS * 2 + '<img src="" alt="x" width="9">'},
        Level.WARNING,
        "has no address",
    ),
    "a picture without a host": (
        {"body": WORDS * 2 + '<img src="a/x.png" alt="x" width="9">'},
        Level.WARNING,
        "nobody can fetch it",
    ),
    "a picture without a width": (
        {"body": WORDS * 2 + '<img src="https://a.test/x.png" alt="x">'},
        Level.HINT,
        "has no width",
    ),
    "hardly more than pictures": ({"body": IMG}, Level.WARNING, "hardly more than pictures"),
    "a heavy picture": (
        {"body": WORDS, "files": (picture("a.png", PNG + b"x" * 1_500_000),)},
        Level.WARNING,
        "a.png has 1.5 MB",
    ),
    "a picture that is not light": (
        {"body": WORDS, "files": (picture("a.png", PNG + b"x" * 400_000),)},
        Level.HINT,
        "a.png has 400 KB",
    ),
    "a heavy animation": (
        {"body": WORDS, "files": (picture("a.gif", GIF + b"x" * 600_000, "image/gif"),)},
        Level.WARNING,
        "animation a.gif has 600 KB",
    ),
    "heavy files": (
        {"body": WORDS, "files": (Attachment("a.pdf", "application/pdf", b"x" * 1_600_000),)},
        Level.WARNING,
        "files have 1.6 MB",
    ),
    "a logo that one sees through": (
        {"body": WORDS, "files": (picture("logo.png", CLEAR_PNG),)},
        Level.HINT,
        "logo.png can be seen through",
    ),
    "a font from elsewhere": (
        {"body": "<style>@import url('https://fonts.test/a.css');</style>"},
        Level.WARNING,
        "fetched from fonts.test",
    ),
    "a long subject": ({"subject": "x " * 40}, Level.WARNING, "79 characters"),
    "capitals": ({"subject": "BUY THIS NOW {{ contact.email }}"}, Level.WARNING, "capitals"),
    "many marks": ({"subject": "Now!!!"}, Level.WARNING, "many !"),
    "a false reply": ({"subject": "Re: Your order"}, Level.WARNING, "begins as a reply"),
    "many emoji": ({"subject": "Sun \u2600 sea \U0001f30a sand \U0001f3d6"}, Level.HINT, "3 emoji"),
    "a subject with a gap": (
        {"subject": "Hello {{ contact.given_name|default('') }}, news"},
        Level.WARNING,
        "has a gap for people of whom no name is known: “Hello , news”",
    ),
    "a subject that may be empty": (
        {"subject": "{{ contact.given_name|default('') }}"},
        Level.BLOCKER,
        "is empty for people",
    ),
    "no fallback": (
        {"body": "<p>{{ contact.city }}</p>"},
        Level.WARNING,
        "contact.city is shown without a fallback",
    ),
    "a new template's subject": ({"subject": "Subject"}, Level.WARNING, "subject is still what a new template"),
    "a new template's words": ({"body": "<p>Write here.</p>"}, Level.WARNING, "begins with: Write here."),
    "no language": ({"head": HEAD.replace(' lang="en"', "")}, Level.WARNING, "does not say which language"),
    "another language": ({"head": HEAD.replace('"en"', '"de"')}, Level.WARNING, "says that it is in de"),
    "other words": (
        {"body": "<p>Wir haben für Sie drei neue Dinge gemacht, und hier steht, was sie kosten und wie sie sind.</p>"},
        Level.WARNING,
        "read like de",
    ),
    "a strange paragraph": (
        {"body": WORDS * 3 + "<p>Wir haben für Sie drei neue Dinge gemacht und sie sind mit der Post bei uns.</p>"},
        Level.HINT,
        "A paragraph reads like de",
    ),
    "nothing of dark mode": ({"head": '<html lang="en"><body>'}, Level.HINT, "nothing of dark mode"),
    "dark colours that are not told of": (
        {"head": '<html lang="en"><head><style>@media (prefers-color-scheme: dark) { p { color: #fff } }</style></head><body>'},
        Level.HINT,
        "does not say so",
    ),
    "a text part of links": (
        {"body": f'<p><a {A}>a</a> <a href="https://shop.example/b">b</a></p>'},
        Level.WARNING,
        "hardly more than links",
    ),
    "a text part that says something else": (
        {
            "body": WORDS,
            "text": "Yesterday somebody painted a wooden fence green beside our quiet old river house. "
            "{{ links.unsubscribe }} {{ sender.postal_address }}",
        },
        Level.WARNING,
        "says something else",
    ),
    "a text part without the links": (
        {
            "body": f"{WORDS}<a {A}>Look at them</a>",
            "text": "We made three new things for you this month, and here is what they are and what they cost. "
            "{{ links.unsubscribe }} {{ sender.postal_address }}",
        },
        Level.HINT,
        "lacks 1 of the mail's links",
    ),
    "a control": ({"body": "<button>Press</button>"}, Level.WARNING, "There is <button>"),
    "faint text": ({"body": '<p style="color:#999999">Faint</p>'}, Level.WARNING, "contrast of 2.8 : 1; 4.5"),
    "large faint text": (
        {"body": '<h1 style="color:#aaaaaa">Faint</h1>'},
        Level.WARNING,
        "contrast of 2.3 : 1; 3.0",
    ),
    "text nobody sees": (
        {"body": '<table bgcolor="#fefefe"><tr><td><font color="white">cheap</font></td></tr></table>'},
        Level.WARNING,
        "cannot be seen",
    ),
    "more selectors than can be compared": (
        {"head": HEAD.replace("</head>", "<style>" + "\n".join(f"i p {{ x{n}: y }}" for n in range(1900)) + "</style></head>"),
         "body": "<p>x</p>" * 900},
        Level.HINT,
        "too much to look at",
    ),
    "faint text in dark": (
        {
            "head": HEAD.replace("</head>", "<style>@media (prefers-color-scheme: dark) { .a { color: #333 !important } }</style></head>"),
            "body": '<p class="a" style="color:#111111">Dark</p>',
        },
        Level.WARNING,
        "In dark mode, text is hard to read",
    ),
    "faint text once it is turned": (
        {"body": '<p style="background:#d97706;color:#000000">Middling</p>', "head": '<html lang="en"><body>'},
        Level.HINT,
        "Made dark by a mail program itself",
    ),
    "a film": ({"body": '<video src="https://a.test/f.mp4"></video>'}, Level.WARNING, "Not shown in Gmail, Outlook for Windows, Outlook.com, Yahoo and AOL: film"),
    "flexible columns": (
        {"body": '<div style="display:flex"><p>a</p></div>'},
        Level.WARNING,
        "Not shown in Outlook for Windows, GMX and WEB.DE: flexible columns",
    ),
    "a shadow": (
        {"body": '<p style="box-shadow: 1px 1px 2px #000">a</p>'},
        Level.HINT,
        "plainer in Gmail, Outlook for Windows, Yahoo and AOL, GMX and WEB.DE: shadow",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "level", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_with_its_cure(fault, level, words):
    found = [finding for finding in findings(**fault) if words in finding.words]
    assert {finding.level for finding in found} == {level}
    assert found[0].cure % found[0].values


SOUND = {
    "a link of a known kind": '<a href="mailto:us@shop.example">Write</a> <a href="tel:+491234">Call</a>',
    "a link that shows its own host": '<a href="https://www.shop.example/x">shop.example</a>',
    "a link that shows a file": '<a href="https://shop.example/x">report.pdf</a>',
    "a link that is a picture": f"{WORDS}{WORDS}<a {A}>{IMG}</a>",
    "a decoration": f'{WORDS}{WORDS}<img src="https://a.test/x.png" alt="" width="9">',
    "a pixel": '<img src="https://a.test/x.png" alt="" width="1" height="1">',
    "large text": '<h1 style="color:#8a8a8a">Large</h1>',
    "text on a picture": '<td style="background-color:#000;color:#fff">Light</td>',
    "hidden text": '<div style="display:none;color:#fff">x</div><p style="font-size:0;color:#fff">x</p>',
    "text over nested colours": '<div style="background:#14595a"><p style="color:rgba(255,255,255,.95)">Light</p></div>',
    "a short foreign name": "<p>Der Spiegel</p>",
    "one emoji": "<p>x</p>",
    "a product's page": '{% for p in products %}{% if p.url %}<p><a href="{{ p.url }}">{{ p.name }}</a></p>{% endif %}{% endfor %}',
    "an address of ours": '<a href="{{ links.view }}">View</a>',
    "styles for phones only": "<style>@media (max-width: 480px) { p { display: flex } }</style><p>x</p>",
}


@pytest.mark.parametrize("body", SOUND.values(), ids=SOUND)
def test_what_is_as_it_should_be_is_not_remarked(body):
    assert [str(one) for one in findings(body) if one.level is not Level.HINT] == []


def test_an_attack_is_found_even_where_it_was_compiled_elsewhere():
    for element in ("script", "iframe", "form", "object"):
        html = f"{HEAD}<{element}></{element}>{FOOT}"
        source = Source(BodyKind.HTML, "s", html, preheader="p")
        found = check(Compiled("s", html, "words", "en"), source)
        assert any(f"There is <{element}>" in one.words and one.level is Level.BLOCKER for one in found)


def test_an_empty_text_part_is_found():
    source = Source(BodyKind.TEXT, "s", " ")
    assert any("text part is empty" in finding.words for finding in check(compile_source(source), source))


def test_a_font_that_mjml_fetches_by_itself_is_found():
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert any("fonts.googleapis.com" in one.words for one in findings(body, kind=BodyKind.MJML))


def test_a_background_that_mjml_draws_for_outlook_too_is_no_matter():
    inner = '<mj-section background-url="https://a.test/b.png"><mj-column><mj-text>x</mj-text></mj-column></mj-section>'
    found = findings(f'<mjml lang="en"><mj-body>{inner}</mj-body></mjml>', kind=BodyKind.MJML)
    assert not [
        one for one in found if "background picture" in str(one) and "Outlook for Windows" in str(one)
    ]
    plain = findings('<p style="background-image:url(https://a.test/b.png)">x</p>')
    assert [one for one in plain if "Not shown in Outlook for Windows: background picture" in str(one)]


def test_blockers_come_first_and_hints_last():
    levels = [one.level for one in findings(subject="", preheader="", body='<img src="http://a.test/x">')]
    assert levels == sorted(levels, key=RANK.__getitem__)
    assert set(levels) == set(Level)


def test_a_finding_tells_its_line_and_the_words_around_it():
    body = f'<p>One</p>\n<p>Two</p>\n<p><a href="http://a.test/x">Our  <b>shop</b></a></p>\n{WORDS}'
    [found] = [one for one in findings(body) if "not encrypted" in one.words]
    assert (found.line, found.near) == (3, "Our shop")


def letter(language, body="<p>x</p>", **more):
    whole = HEAD.replace('"en"', f'"{language}"') + body + FOOT
    source = Source(BodyKind.HTML, "s", whole, preheader="p", language=language, **more)
    return Letter(compile_source(source), source)


def test_what_stands_in_all_languages_is_told_once_and_what_does_not_with_its_language():
    same = '<a href="http://a.test/x">x</a>'
    both = check_all([letter("en", same), letter("de", same)])
    [found] = [one for one in both if "not encrypted" in one.words]
    assert found.languages == ()
    one_only = check_all([letter("en", same), letter("de")])
    [found] = [one for one in one_only if "not encrypted" in one.words]
    assert (found.languages, found.line) == (("en",), 1)


def test_findings_that_are_alike_are_put_together():
    body = "".join(f'<a href="http://a.test/{at}">x</a>' for at in range(40)) + '<a href="#">y</a>'
    groups = alike(findings(body))
    assert sorted(len(group) for group in groups if "encrypted" in group[0].what) == [40]
    assert len(groups) < 6


FLEX = '<div style="display:flex"><p>a</p></div>'


def test_programs_are_weighed_by_where_the_audience_has_its_mailboxes():
    found = check_all([letter("en", FLEX)], {"google": 50, "gmx": 40, "microsoft": 9, "proton": 1})
    told = [str(one) for one in found if "flexible" in str(one)]
    assert [one.partition(": flex")[0] for one in told] == [
        "GMX and WEB.DE, where 40% of this audience have their mailbox, does not show",
        "Outlook for Windows, in which 9% of this audience may read, does not show",
    ]
    assert not [one for one in check_all([letter("en", FLEX)], {"google": 100}) if "flexible" in str(one)]
    assert not [
        one for one in check_all([letter("en", FLEX)], {"google": 99, "gmx": 1}) if "flexible" in str(one)
    ]


def test_what_an_audience_does_not_see_takes_few_lines():
    body = (
        '<div style="display:flex;box-shadow:1px 1px 2px #000;border-radius:4px;position:absolute;opacity:.5">'
        '<div style="display:grid;background-image:url(https://a.test/b.png);color:var(--x)"><p>a</p></div></div>'
        '<svg></svg><video></video><audio></audio><img src="https://a.test/x.webp" alt="x" width="5">'
        '<img src="https://a.test/x.svg" alt="x" width="5"><style>a:hover{color:red}@font-face{font-family:x}</style>'
    )
    audience = dict.fromkeys(
        ("google", "microsoft", "yahoo", "gmx", "orange", "proton", "mail.ru", "other", "apple"), 10
    )
    found = [one for one in check_all([letter("en", body)], audience) if "program" in "".join(one.values)]
    assert 5 <= len(found) <= 12
    assert Level.BLOCKER not in {one.level for one in found}


HOSTILE = {
    "deep": "<div>" * 100_000,
    "deep and closed": "<b>" * 30_000 + "x" + "</b>" * 30_000,
    "attributes": "<p " + "a='b' " * 50_000 + ">x</p>",
    "one long style": '<p style="' + "color:red;" * 40_000 + '">x</p>',
    "many styles": '<p style="color:#999;background:url(x)">x</p>' * 9_000,
    "many rules": "<style>" + ".a > .b .c { color: red }" * 15_000 + "</style><p class='c'>x</p>",
    "open braces": "<style>" + "@media x{" * 40_000 + "</style>",
    "many selectors": "<style>" + ",".join(["div " * 11 + "p"] * 9_000) + "{color:red}</style>" + "<div>" * 200 + "<p>x</p>" * 2_000,
    "brackets": '<p style="background:' + "url((" * 60_000 + '">x</p>',
    "gradients": '<p style="background:' + "linear-gradient(" * 20_000 + '">x</p>',
    "comments": "<!--[if mso]>" * 30_000,
    "links": '<a href="http://a.test/x">' * 15_000,
    "quotes": '<a href="' * 40_000,
    "words": "<p>" + "the und le " * 40_000 + "</p>",
    "strings": "<style>" + "a{b:'" * 60_000 + "</style>",
}  # fmt: skip


@pytest.mark.timed
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_html_is_read_in_bounded_time(body):
    html = HEAD + body[:500_000] + FOOT
    source = Source(BodyKind.HTML, "s", html, preheader="p")
    began = time.process_time()
    check(Compiled("s", html, "words", "en"), source)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("{{ contact.given_name }}", ["contact.given_name"]),
        ("{{ contact.given_name|upper }}", ["contact.given_name"]),
        ("{{ contact.given_name|upper|default('x') }}", []),
        ("{{ contact.given_name|default('x')|upper }}", []),
        ("{% if contact.given_name %}{{ contact.given_name }}{% endif %}", []),
        ("{% if contact.given_name and contact.city %}{{ contact.city }}{% endif %}", []),
        ("{% if contact.given_name or contact.city %}{{ contact.city }}{% endif %}", ["contact.city"]),
        ("{% if not contact.city %}x{% else %}{{ contact.city }}{% endif %}", []),
        ("{% if contact.city %}x{% else %}{{ contact.city }}{% endif %}", ["contact.city"]),
        ("{{ contact.city if contact.city else 'x' }}", []),
        ("{% if order %}{{ order.number }}{% endif %}", []),
        ("{{ order.number }}", ["order.number"]),
        ("{% for o in orders %}{{ o.number }}{% endfor %}", []),
        ("{% for p in products %}{{ p.price|money }}{% endfor %}", ["products[].price"]),
        ("{% for p in products %}{% if p.price %}{{ p.price|money }}{% endif %}{% endfor %}", []),
        ("{{ contact.email }} {{ today|date }}", []),
        ("{{ contact.attributes.plan }}", ["contact.attributes.plan"]),
    ],
)
def test_names_without_a_fallback_are_listed(body, paths):
    assert [shown.path for shown in shown_without_fallback(Source(BodyKind.TEXT, "s", body))] == paths


def test_within_the_survey_its_link_is_there():
    inside = "{% if survey %}{{ links.survey }}{% endif %}"
    assert shown_without_fallback(Source(BodyKind.TEXT, "s", inside)) == []
    assert shown_without_fallback(Source(BodyKind.TEXT, "s", "{{ links.survey }}"))


def test_the_words_of_a_new_template_may_stand_within_a_sentence():
    body = '<p>Questions? Write here. <a href="https://a.test/x">Our form</a></p>'
    source = Source(BodyKind.HTML, "s", body)
    assert not [one for one in check(compile_source(source), source) if "begins with" in one.words]
