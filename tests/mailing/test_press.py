"""Prepared mails against the plain way: whatever Jinja says and whatever a value holds, they read alike."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from email import message_from_bytes, policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.errors import BadInput
from campaigns.templates.render import LONGEST, compile_source
from campaigns.templates.starters import LANGUAGES, NAMES, load
from campaigns.values import Attachment, TopicClass
from tests.mailing.people import NOW, SENDER, letter, mailing, recipient

VALUES = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text("a .=\n\r\t<&\"'日א🎉\u202e\u00a0", max_size=90),
    st.sampled_from(["", ".", "..", " x ", "x" * 300, "=\r\n", "Jürgen", "محمد", "👩‍👩‍👧‍👦", "{{ 7*7 }}"]),
)
ONE_LINE = VALUES.map(lambda value: value and re.sub(r"[\r\n\0]", "", value))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["plan", "points", "list"]),
    st.one_of(VALUES, st.integers(), st.booleans(), st.floats(allow_nan=False), st.lists(VALUES, max_size=3)),
)
ORDERS = st.lists(
    st.fixed_dictionaries(
        {
            "number": VALUES,
            "placed_at": st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)),
            "total": st.decimals(0, 10_000, places=2),
            "currency": st.sampled_from(["EUR", "JPY"]),
            "lines": st.lists(st.fixed_dictionaries({"product": VALUES}), max_size=2),
        }
    ),
    max_size=2,
)
FILES = st.lists(
    st.sampled_from(
        [
            Attachment("logo.png", "image/png", bytes(range(256)), "logo"),
            Attachment("Grüße aus Köln.pdf", "application/pdf", b".\r\n" * 99),
            Attachment("empty", "application/octet-stream", b"", "other@x"),
        ]
    ),
    max_size=3,
    unique=True,
)
PEOPLE = st.builds(
    lambda seq, address, customer, contact: recipient(seq, address, customer, **contact),
    st.integers(1, 10**6),
    st.sampled_from(
        [
            "ada@kunde.example",
            "o'neil+tag@x.example",
            "user@bücher.de",
            "o@xn--bcher-kva.de",
            "josé@x.example",
        ]
    ),
    st.fixed_dictionaries({"name": VALUES, "stage": VALUES, "owner_id": st.sampled_from([None, 1, 2])}),
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("given_name", "family_name"), ONE_LINE),
            **dict.fromkeys(("city", "country"), VALUES),
            "locale": st.sampled_from([None, "en", "de-AT", "x"]),
            "attributes": ATTRIBUTES,
        }
    ),
)
PERSONAL = [
    "{{ contact.given_name|default('friend') }}",
    "{{ contact.given_name if contact.given_name else 'you' }}",
    "{{ contact.city|upper|default('-') }}{{ contact.city|truncate(5)|default('') }}",
    "{{ contact['country']|lower|default('.') }}",
    "{% if contact.name %}Dear {{ contact.name }}{% elif customer.name %}{{ customer.name }}{% else %}\n{% endif %}",
    "{% if customer %}{{ customer.owner|default('=') }}{% endif %}{{ customer.stage|default('') }}",
    "{{ contact.email }} {{ sender.name }} {{ sender.postal_address }} {{ campaign.name }}",
    "{{ contact.attributes.plan|default('basic') }}",
    "{{ contact.attributes.points|default(0)|int }}",
    "{% for each in contact.attributes.list %}{{ each|default('?') }}, {% endfor %}",
    (
        "{% for o in orders %}{{ loop.index }}: {{ o.total|money }} {{ o.placed_at|date }} {{ o.placed_at }}"
        "{% for l in o.lines %}{{ l.product|default('x') }}{% endfor %}{% else %}none{% endfor %}"
    ),
    "{% if order %}{{ order.number|default('no number')|trim }}{{ order.total }}{% endif %}",
    (
        "{% for p in products[:3] %}{% if p.url %}<a href='{{ p.url }}'>{% endif %}{{ p.name }}"
        "{% if p.price %}{{ p.price|money }}{% endif %}{% endfor %}"
    ),
    "{{ products|length }} {{ (products|first).name }}",
    "{{ today }} {{ today|date('short') }}",
    "{{ links.unsubscribe }} <a href='{{ links.view }}'>view</a> {{ links.preferences }}",
    "<a href='https://shop.example.com/a?b=1&amp;c=2'>x</a>",
    "{{ 'a < b' }}{{ '<' ~ contact.given_name|default('') ~ '>' }}",
    "{{ 'const'|upper }}{{ 1 + 2 }}{{ 3 if today else 4 }}",
    "{% raw %}{{ raw }}{% endraw %}{# a comment #}",
]
STRICT = [
    "{{ contact.salutation }}",
    "{{ contact.given_name }}",
    "{{ contact.attributes.list }}",
    "{{ order.total }}",
]
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{"), max_size=80),
    st.text("a .=\n\t日", max_size=200),
)
SOURCES = st.lists(
    st.one_of(WORDS, st.sampled_from(PERSONAL), st.sampled_from(PERSONAL), st.sampled_from(STRICT)),
    max_size=8,
).map("".join)
SUBJECTS = st.lists(st.one_of(WORDS, st.sampled_from(PERSONAL[:8])), min_size=1, max_size=3).map("".join)


def parts_of(data):
    message = message_from_bytes(data, policy=policy.default)
    assert not message.defects
    parts = [
        (part.get_content_type(), part.get_content()) for part in message.walk() if not part.is_multipart()
    ]
    return message.items(), parts


def lines_of(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def assert_written_well(data):
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert b"\0" not in data
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n." not in data
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 78
    assert max(map(len, head.split(b"\r\n"))) <= 998


def made(make, one, bought):
    try:
        return make(one, bought=bought, now=NOW)
    except BadInput as error:
        return str(error)


@settings(max_examples=250, deadline=None)
@given(
    SUBJECTS,
    st.none() | SOURCES,
    SOURCES,
    st.lists(PEOPLE, min_size=1, max_size=4),
    ORDERS,
    st.booleans(),
    FILES,
)
@example("x", "\r", "", [recipient(given_name="\n")], [], True, [])
@example("x", "{{ contact.given_name }}\n", "", [recipient(given_name="a\r")], [], False, [])
@example("s", "a" * 76, "." * 200, [recipient()], [], False, [])
@example(
    "s", "{{ contact.given_name }}{{ contact.given_name }}", " ", [recipient(given_name=".")], [], False, []
)
def test_a_prepared_mail_reads_like_the_plain_one(subject, html, text, people, bought, may_be_left, files):
    kind = TopicClass.MARKETING if may_be_left else TopicClass.TRANSACTIONAL
    run = mailing(letter(html, text, subject), topic_class=kind, files=tuple(files))
    press = run.press_for(None)
    assert press is not None
    for one in people:
        plain, prepared = made(run.plain, one, bought), press.mail(one, bought=bought, now=NOW)
        assert made(run.mail, one, bought) == (prepared or plain)
        if prepared is None:
            returns = "\r" in f"{html}{text}{one.contact}{one.customer}{bought}" or "\\r" in f"{one}{bought}"
            assert isinstance(plain, str) or plain.smtputf8 or returns
            continue
        assert (prepared.key, prepared.mail_from, prepared.rcpt_to) == (
            plain.key,
            plain.mail_from,
            plain.rcpt_to,
        )
        assert not prepared.smtputf8
        assert not prepared.dotless or b"\n." not in b"\n" + prepared.data
        assert_written_well(prepared.data)
        assert parts_of(prepared.data) == parts_of(plain.data)
        content = run.content(one, bought=bought, now=NOW)
        expected = [content.text] if content.html is None else [content.text, content.html]
        read = parts_of(prepared.data)[1]
        assert [lines_of(text) for _, text in read[: len(expected)]] == list(map(lines_of, expected))
        assert sorted(data for _, data in read[len(expected) :]) == sorted(one.data for one in files)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_starter_is_made_from_pieces(name, language):
    run = mailing(compile_source(load(name, language)))
    for one in (
        recipient(given_name="Ada", city="Köln", locale="de"),
        recipient(2, given_name="Zoë", family_name="O'Neil", customer={"name": "A & B", "owner_id": 1}),
        recipient(3),
    ):
        plain, prepared = made(run.plain, one, []), run.press_for(None).mail(one, bought=[], now=NOW)
        assert prepared is not None or isinstance(plain, str)
        if prepared is not None:
            assert_written_well(prepared.data)
            assert parts_of(prepared.data) == parts_of(plain.data)


def test_each_locale_gets_its_own_edition():
    run = mailing(letter(language="en"), letter("<p>Servus</p>", "Servus", "Servus", language="de"))
    subjects = {}
    for locale in ("de-AT", "DE_de", "en", "fr", None):
        mail = run.mail(recipient(locale=locale), bought=[], now=NOW)
        headers = message_from_bytes(mail.data, policy=policy.default)
        subjects[locale] = (headers["Subject"], headers["Content-Language"])
    assert subjects == {
        **dict.fromkeys(("de-AT", "DE_de"), ("Servus", "de")),
        **dict.fromkeys(("en", "fr", None), ("Hi", "en")),
    }


def test_what_one_contact_lacks_is_named_and_the_next_one_gets_the_mail():
    run = mailing(letter("<p>{{ contact.city }}</p>"))
    with pytest.raises(BadInput, match=r"contact\.city is missing"):
        run.mail(recipient(), bought=[], now=NOW)
    assert b"Ulm" in run.mail(recipient(city="Ulm"), bought=[], now=NOW).data


def test_a_contact_reads_their_address_in_its_own_letters():
    run = mailing(letter("<p>{{ contact.email }}</p>", text="{{ contact.email }}\n"))
    mail = run.mail(recipient(address="ada@xn--mnchen-3ya.example"), bought=[], now=NOW)
    read = message_from_bytes(mail.data, policy=policy.default)
    assert read.get_body(["plain"]).get_content().strip() == "ada@münchen.example"
    assert mail.rcpt_to == "ada@xn--mnchen-3ya.example"


def test_no_mail_grows_past_its_limit():
    run = mailing(letter("{% for each in contact.attributes.many %}" + "x" * 1000 + "{% endfor %}"))
    few, many = ({"many": [0] * times} for times in (100, LONGEST // 1000 + 1))
    assert run.press_for(None).mail(recipient(attributes=few), bought=[], now=NOW) is not None
    with pytest.raises(BadInput, match="longer than 512 KB"):
        run.mail(recipient(attributes=many), bought=[], now=NOW)


def test_two_lists_within_each_other_are_stopped_before_they_fill_the_memory():
    inner = "{% for b in contact.attributes.many %}" + "x" * 1000 + "{% endfor %}"
    run = mailing(letter("{% for a in contact.attributes.many %}" + inner + "{% endfor %}"))
    with pytest.raises(BadInput, match="longer than 512 KB"):
        run.mail(recipient(attributes={"many": [0] * 3000}), bought=[], now=NOW)


@pytest.mark.parametrize("evil", ["A\r\nBcc: x@y.example", "a\nb", "a\0b"])
def test_a_name_with_a_line_end_is_refused(evil):
    with pytest.raises(BadInput, match="line end or a NUL"):
        mailing(letter()).mail(recipient(given_name=evil), bought=[], now=NOW)


def test_a_sender_that_fits_no_header_is_an_error_of_every_mail():
    run = mailing(letter(), sender=replace(SENDER, name="a\nb"))
    assert run.press_for(None) is None
    with pytest.raises(BadInput, match="sender name"):
        run.mail(recipient(), bought=[], now=NOW)


def test_a_product_that_leads_nowhere_on_the_web_is_refused():
    run = mailing(
        letter("{{ products|length }}"), offers=[{"name": "x", "price": None, "url": "javascript:x"}]
    )
    with pytest.raises(BadInput, match="not a web address"):
        run.mail(recipient(), bought=[], now=NOW)


def test_products_have_their_numbered_links_and_stay_as_they_are_for_the_next_one():
    body = letter("{% for p in products %}{% if p.url %}{{ p.url }}\n{% endif %}{% endfor %}")
    run = mailing(body, numbered={"https://shop.example.com/p/1": 9})
    for seq in (1, 2):
        one = recipient(seq)
        (_, _), (_, html) = parts_of(run.mail(one, bought=[], now=NOW).data)[1]
        click = run.signing.links(7, seq, one.contact_id)["click"]
        assert html.split()[:2] == [f"{click}/9", "https://shop.example.com/p/3"]


def test_values_that_are_not_plain_never_come_near_a_template():
    class Sly(str):
        __slots__ = ()

    run = mailing(letter("{{ contact.attributes.x }}"))
    with pytest.raises(TypeError, match=r"attributes\.x"):
        run.mail(recipient(attributes={"x": Sly, "y": Decimal(1)}), bought=[], now=NOW)


def test_each_link_of_a_mail_has_its_own_token():
    run = mailing(letter("<body><a href='https://a.example/'>a</a>{{ links.view }}</body>"))
    html = parts_of(run.mail(recipient(5), bought=[], now=NOW).data)[1][1][1]
    for name, address in run.signing.links(7, 5, 1005).items():
        assert (address in html) == (name in {"click", "open", "view"})
    assert len(set(re.findall(r"t\.rebe\.example/\w/([\w-]{36})", html))) == 3
