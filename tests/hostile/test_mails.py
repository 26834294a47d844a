"""What may get into a mail: data as text, never a header, a command of SMTP or a program (facts 6.2; ASVS 1.3.7, 1.3.11)."""

import time
from email import message_from_bytes, policy
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.compose import Letter, compose
from campaigns.errors import BadInput, BadTemplate
from campaigns.templates.render import compile_source, prepare
from campaigns.templates.samples import sample_names
from campaigns.values import BodyKind, Content, MessageKey, Sender, Source
from tests.factories import NOW
from tests.hostile.house import Seen

EVIL = ("\r\nBcc: all@evil.example", "\nX-Evil: 1", "\r\n\r\n<h1>body</h1>", "\x00", "\x0b", "\x1b[2J", "\x85X-Evil: 1", "\u2028X-Evil: 1",
        "\u2029", "\u202egnp.exe", "\u2066", "=?utf-8?q?=0d=0aBcc:_x?=", "\r\n.\r\nMAIL FROM:<x@y>", " \r\n\tfolded: yes")  # fmt: skip
EXPECTED = {
    "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding", "content-language",
    "list-id", "list-unsubscribe", "list-unsubscribe-post", "feedback-id", "reply-to", "precedence", "auto-submitted",
    "x-auto-response-suppress",
}  # fmt: skip


def letter(**over) -> Letter:
    given_ = {
        "key": MessageKey(1, 1), "sender": Sender("Shop", "a@shop.example", "b.shop.example", None, "Road 1"),
        "to_name": "Ada", "to_address": "ada@example.com", "content": Content("Hello", None, "Text\n"), "at": NOW,
        "message_id": "token", "return_path": "b+token@b.shop.example", "language": "en",
        "list_id": ("News", "news.shop.example"), "unsubscribe_url": "https://t.shop.example/u/x",
        "unsubscribe_mailto": "unsub+x@b.shop.example?subject=unsubscribe", "feedback_id": ("c1", "r1", "marketing", "shop"),
        "extra": {},
    } | over  # fmt: skip
    return Letter(**given_)


def composed(**over) -> bytes | None:
    """The mail, or None where it is refused: both keep a header out."""
    try:
        return compose(letter(**over)).data
    except (BadInput, ValueError):
        return None


def must_be_plain(data: bytes | None) -> None:
    if data is None:
        return
    head, _, _body = data.partition(b"\r\n\r\n")
    assert b"\x00" not in head
    assert all(line[:1] in b" \t" or b":" in line for line in head.split(b"\r\n"))
    assert not any(bare in head.replace(b"\r\n", b"") for bare in (b"\r", b"\n"))
    mail = message_from_bytes(data, policy=policy.default)
    assert {name.lower() for name in mail} <= EXPECTED
    assert len(mail.get_all("to")) == len(mail.get_all("from")) == len(mail.get_all("subject")) == 1
    for name in ("to", "from", "subject"):
        shown = str(mail[name])
        assert not any(letter in shown for letter in "\r\n\x00\x85\u2028\u2029\u202e\u2066"), name


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("where", ["name", "subject", "sender", "topic"])
def test_no_text_becomes_a_header(evil, where):
    text = f"Ada{evil}Byron"
    over = {
        "name": {"to_name": text}, "subject": {"content": Content(text, None, "Text\n")},
        "sender": {"sender": Sender(text, "a@shop.example", "b.shop.example", None, "Road 1")},
        "topic": {"list_id": (text, "news.shop.example")},
    }[where]  # fmt: skip
    must_be_plain(composed(**over))


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_at_all_becomes_a_header(name, subject):
    must_be_plain(composed(to_name=name, content=Content(subject, None, "Text\n")))


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example>\r\nDATA",
        "a@b.example\r\nRCPT TO:<x@y>",
        "a b@c.example",
        "<x>@y.example",
        "a@b.example\x00",
    ],
)
def test_no_address_becomes_a_command(address):
    made = composed(to_address=address)
    if made is not None:
        out = compose(letter(to_address=address))
        assert not set(out.rcpt_to) & set("\r\n\x00<> ")


#: Each ran a program, showed a secret, or took all memory in some engine (facts 6.1, 6.2).
ATTACKS = (
    "{{ contact.__class__ }}", "{{ contact['__class__']['__mro__'] }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ contact|attr('__class__') }}", "{{ '{0.__class__}'.format(contact) }}", "{{ self }}", "{{ self._TemplateReference__context }}",
    "{{ config }}", "{{ request }}", "{{ cycler.__init__.__globals__.os.environ }}", "{{ lipsum.__globals__ }}", "{{ env('SECRET') }}",
    "{% import 'os' as os %}", "{% include '/etc/passwd' %}", "{% extends 'x' %}", "{% macro m() %}{% endmacro %}",
    "{% for x in range(1000000000) %}x{% endfor %}", "{{ range(100000)|list }}", "{{ 'a' * 900000000 }}", "{{ 2 ** 999999999 }}",
    "{{ '%900000000d' % 1 }}", "{{ lipsum(n=100000) }}", "{{ 'x'|center(900000000) }}", "{{ contact.given_name.upper() }}",
    "{% set x = 'aaaaaaaaaa' %}{% set y = x ~ x ~ x %}", "{{ namespace(a=1) }}", "{{ joiner() }}", "{{ dict(a=1) }}",
    "{% for a in orders %}{% for b in orders %}{% for c in orders %}{% for d in orders %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{{ contact.email.__len__() }}", "{{ links.unsubscribe.format() }}", "{{ orders.append(1) }}", "{% do x %}", "{% call x() %}{% endcall %}",
    "{{ ().__class__.__base__.__subclasses__() }}", "{{ contact|map(attribute='__class__')|list }}", "{{ orders|map('attr', '__class__')|list }}",
)  # fmt: skip


@pytest.mark.timed
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["subject", "body"])
def test_a_template_is_no_program(attack, place):
    body = "<p>Hi {{ sender.postal_address }} <a href='{{ links.unsubscribe }}'>leave</a></p>"
    subject, body = (attack, body) if place == "subject" else ("Hi", body + attack)
    began = time.perf_counter()
    try:
        made = prepare(compile_source(Source(BodyKind.HTML, subject, body))).render(sample_names("en"))
    except BadTemplate:
        made = None
    assert time.perf_counter() - began < 3
    if made is not None:  # what is let through shows nothing of the engine, and little of anything
        shown = f"{made.subject}{made.html}"
        assert len(shown) < 500_000
        assert not any(
            word in shown
            for word in ("class '", "built-in", "<function", "object at 0x", "root:", "environ", "subclasses")
        )


@pytest.mark.parametrize(
    "value", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "&lt;b&gt;"]
)
def test_what_a_contact_wrote_is_text_in_a_mail(value):
    html = "<p title='{{ contact.given_name }}'>{{ contact.given_name }} {{ sender.postal_address }} <a href='{{ links.unsubscribe }}'>x</a></p>"
    names = sample_names("en")
    names["contact"]["given_name"] = value
    made = prepare(compile_source(Source(BodyKind.HTML, "Hi", html))).render(names)
    paragraph = made.html.split("<body")[-1]
    seen = Seen(paragraph)
    assert [tag for tag, _ in seen.elements if tag in {"script", "img"}] == []
    assert seen.faults() == []
    assert value in unescape(paragraph) or value == "{{ 7*7 }}"


@pytest.mark.parametrize(
    "link",
    [
        "https://{{ contact.city }}/x",
        "https://{{ contact.city }}.evil.example/",
        "{{ contact.city }}",
        "javascript:alert(1)",
        "//{{ contact.city }}",
    ],
)
def test_no_contacts_data_chooses_where_a_link_leads(link):
    html = f"<p>{{{{ sender.postal_address }}}} <a href='{link}'>x</a><a href='{{{{ links.unsubscribe }}}}'>y</a></p>"
    names = sample_names("en")
    names["contact"]["city"] = "evil.example"
    with pytest.raises(BadTemplate):
        prepare(compile_source(Source(BodyKind.HTML, "Hi", html))).render(names)
