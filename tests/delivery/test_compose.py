"""Composed mails, read back by the standard library's parser and by rules of the RFCs."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.delivery.compose import Letter, compose
from campaigns.delivery.headers import clean
from campaigns.errors import BadInput
from campaigns.values import Content, MessageKey, Sender

SENDER = Sender("Blumen Müller", "post@blumen.example", "bounce.blumen.example", "hallo@blumen.example")
LETTER = Letter(
    key=MessageKey(3, 14),
    sender=SENDER,
    to_name="Zoë O'Neil",
    to_address="zoe@kunde.example",
    content=Content("Frühling!", "<p>Grüße</p>\n", "Grüße\n"),
    at=datetime(2026, 3, 29, 14, 30, tzinfo=timezone(timedelta(hours=2))),
    message_id="tok-3.14",
    return_path="b+tok@bounce.blumen.example",
    language="de",
    list_id=("Neues von Müller", "news.blumen.example"),
    unsubscribe_url="https://t.blumen.example/u/TOKEN",
    unsubscribe_mailto="unsub+TOKEN@bounce.blumen.example?subject=unsubscribe",
    feedback_id=("3", "blumen", "marketing", "postroom"),
    extra={"X-Engine-Ref": "abc"},
)


def read(letter):
    outgoing = compose(letter)
    return message_from_bytes(outgoing.data, policy=policy.default)


def all_defects(message):
    found = list(message.defects)
    for part in message.walk():
        found += part.defects
        for value in part.values():
            found += getattr(value, "defects", ())
    return found


def lines_of(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def assert_fit_for_the_wire(data):
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\0" not in data
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 78
    for word in re.findall(rb"=\?[^?\s]*\?[bq]\?[^?\s]*\?=", head):
        assert len(word) <= 75
        raw = word.split(b"?")[3]
        make_header(decode_header(word.decode()))  # each word is whole characters by itself
        assert raw


def test_every_header_of_the_contract_is_there():
    message = read(LETTER)
    assert message["From"] == "Blumen Müller <post@blumen.example>"
    assert message["To"] == "Zoë O'Neil <zoe@kunde.example>"
    assert message["Reply-To"] == "hallo@blumen.example"
    assert message["Subject"] == "Frühling!"
    assert message["Date"] == "Sun, 29 Mar 2026 12:30:00 +0000"
    assert message["Message-ID"] == "<tok-3.14@blumen.example>"
    assert message["MIME-Version"] == "1.0"
    assert (
        message["List-Unsubscribe"]
        == "<https://t.blumen.example/u/TOKEN>, <mailto:unsub+TOKEN@bounce.blumen.example?subject=unsubscribe>"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "Neues von Müller <news.blumen.example>"
    assert message["Feedback-ID"] == "3:blumen:marketing:postroom"
    assert message["Precedence"] == "bulk"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["Content-Language"] == "de"
    assert message["X-Engine-Ref"] == "abc"
    assert all(len(message.get_all(name)) == 1 for name in message)
    assert all_defects(message) == []


def test_the_envelope_carries_the_return_path_and_the_key():
    outgoing = compose(LETTER)
    assert (outgoing.key, outgoing.mail_from, outgoing.rcpt_to) == (
        LETTER.key,
        LETTER.return_path,
        LETTER.to_address,
    )
    assert not outgoing.smtputf8


def test_text_comes_before_html_and_a_plain_letter_is_text_alone():
    both = read(LETTER)
    assert [part.get_content_type() for part in both.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    plain = read(replace(LETTER, content=Content("Hallo", None, "Grüße\n")))
    assert plain.get_content_type() == "text/plain"
    assert plain.get_content() == "Grüße\r\n"


def test_a_letter_without_a_list_is_not_marked_as_bulk():
    message = read(
        replace(LETTER, list_id=None, unsubscribe_url=None, unsubscribe_mailto=None, feedback_id=None)
    )
    assert not {"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "Feedback-ID"} & set(
        message.keys()
    )


@pytest.mark.parametrize("length", [20, 60, 77, 78, 200, 700])
def test_list_unsubscribe_is_never_an_encoded_word(length):
    url = f"https://{'very-long-host.' * 8}example.org/u/{'x' * length}"
    data = compose(replace(LETTER, unsubscribe_url=url)).data
    assert_fit_for_the_wire(data)
    header = data[data.index(b"\r\nList-Unsubscribe:") + 2 :].split(b"\r\nList-Unsubscribe-Post")[0]
    assert header == f"List-Unsubscribe: <{url}>,\r\n <mailto:{LETTER.unsubscribe_mailto}>".encode()


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("user@bücher.de", "user@xn--bcher-kva.de"),
        ("user@BÜCHER.de", "user@xn--bcher-kva.de"),
        ("user@faß.de", "user@xn--fa-hia.de"),
        ("user@例え.jp", "user@xn--r8jz45g.jp"),
        ("o'neil+tag@x.example", "o'neil+tag@x.example"),
    ],
)
def test_international_domains_travel_as_a_labels(address, wire):
    outgoing = compose(replace(LETTER, to_address=address, to_name=""))
    assert outgoing.rcpt_to == wire
    assert read(replace(LETTER, to_address=address, to_name=""))["To"] == wire


def test_only_a_wide_local_part_needs_smtputf8():
    outgoing = compose(replace(LETTER, to_address="jose\u0301@x.example"))
    assert outgoing.smtputf8
    assert outgoing.rcpt_to == "jos\u00e9@x.example"
    head = outgoing.data.partition(b"\r\n\r\n")[0]
    assert "<jos\u00e9@x.example>".encode() in head


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b", "a\r\n\r\nbody"])
@pytest.mark.parametrize(
    "place",
    [
        "to_name",
        "to_address",
        "return_path",
        "message_id",
        "language",
        "unsubscribe_url",
        "unsubscribe_mailto",
        "subject",
        "sender",
        "sender address",
        "reply_to",
        "list_id",
        "list host",
        "feedback_id",
        "header value",
        "header name",
    ],
)
def test_a_line_end_or_nul_is_refused_wherever_it_stands(evil, place):
    changes = {
        "subject": {"content": Content(evil, None, "x")},
        "sender": {"sender": replace(SENDER, name=evil)},
        "sender address": {"sender": replace(SENDER, address=evil)},
        "reply_to": {"sender": replace(SENDER, reply_to=evil)},
        "list_id": {"list_id": (evil, "x.example")},
        "list host": {"list_id": ("x", evil)},
        "feedback_id": {"feedback_id": ("1", evil, "3", "4")},
        "header value": {"extra": {"X-A": evil}},
        "header name": {"extra": {evil: "x"}},
        "unsubscribe_url": {"unsubscribe_url": "https://x.example/" + evil},
    }.get(place, {place: evil})
    with pytest.raises(BadInput):
        compose(replace(LETTER, **changes))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "a@",
        "@b",
        "a b@c.example",
        '"a b"@c.example',
        "a@b@c.example",
        "a..b@c.example",
        ".a@c.example",
        "a@c..example",
        "a@-c.example",
        "<a@c.example>",
        "a,b@c.example",
        "a@[127.0.0.1]",
        "x" * 65 + "@c.example",
        "a@" + "x" * 64 + ".example",
        "a@" + "x." * 130 + "example",
        "a@exa mple",
        "a@\u202eexample",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(BadInput):
        compose(replace(LETTER, to_address=address))


@pytest.mark.parametrize(
    "name",
    [
        "Bcc",
        "from",
        "Content-Type",
        "content-anything",
        "Return-Path",
        "DKIM-Signature",
        "",
        "X Y",
        "X:Y",
        "Ü",
        "x" * 77,
    ],
)
def test_headers_of_ours_and_no_header_names_are_refused_as_extras(name):
    with pytest.raises(BadInput):
        compose(replace(LETTER, extra={name: "x"}))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://x.example/a b",
        "https://x.example/<b>",
        "https://x.example/ü",
        "https://x.example/" + "x" * 1000,
    ],
)
def test_an_unsubscribe_address_that_fits_no_header_is_refused(url):
    with pytest.raises(BadInput):
        compose(replace(LETTER, unsubscribe_url=url))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(BadInput, match="time zone"):
        compose(replace(LETTER, at=datetime(2026, 1, 1)))


def test_bidi_overrides_and_controls_are_taken_out_and_marks_stay():
    message = read(
        replace(LETTER, to_name="a\u202eb\x07c \u200fד", content=Content("x\u2066y\u2029z\x1b[0m", None, "t"))
    )
    assert message["To"].addresses[0].display_name == "abc \u200fד"
    assert message["Subject"] == "xyz[0m"


@pytest.mark.parametrize(
    "name",
    [
        'Anna "the rose" \\ Meyer',
        "Meyer, Anna <a@b.example>",
        "=?utf-8?b?ZXZpbA==?=",
        "a@b.example",
        "(comment)",
        "Dr. A. B.; C:",
        "李小龍",
        "👩‍👩‍👧‍👦 Family",
        "x" * 61,
        "Ángel",
        " padded  name ",
    ],
)
def test_a_display_name_reads_back_as_it_was(name):
    header = read(replace(LETTER, to_name=name))["To"]
    assert [one.display_name for one in header.addresses] == [" ".join(name.split())]
    assert [one.addr_spec for one in header.addresses] == ["zoe@kunde.example"]


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=120)
BODIES = st.one_of(
    st.text(max_size=400),
    st.text("a .\n\r=\t日", max_size=400),
    st.lists(st.text(max_size=90), max_size=30).map("\r\n".join),
)


@settings(max_examples=300, deadline=None)
@given(NAMES, NAMES, NAMES, BODIES, st.one_of(st.none(), BODIES))
@example("." * 500, "x " * 300, "日" * 300, ".\n..\n.", "x" * 5000)
@example("\t", " ", "=?", "\n\n\n", "")
@example("a" * 950, "a" * 950, "a" * 950, "\u2028\x85\x0b\x0c\x1c", "\x00\x7f")
def test_any_text_reads_back_as_it_was(to_name, sender_name, subject, text, html):
    letter = replace(
        LETTER,
        to_name=to_name,
        sender=replace(SENDER, name=sender_name),
        content=Content(subject, html, text),
    )
    data = compose(letter).data
    assert_fit_for_the_wire(data)
    message = message_from_bytes(data, policy=policy.default)
    assert all_defects(message) == []
    assert message["Subject"] == clean("subject", subject)
    assert lines_of(message.get_body(("plain",)).get_content()) == lines_of(text)
    part = message.get_body(("html",))
    assert (part is None) == (html is None)
    if html is not None:
        assert lines_of(part.get_content()) == lines_of(html)
    assert display_name(data, "To") == clean("name", to_name)
    assert display_name(data, "From") == clean("name", sender_name)


def display_name(data, header):
    """Read by the older parser: the newer one sets blanks between the encoded words of a name (RFC 2047 §6.2)."""
    raw = re.sub(r"\r?\n", "", message_from_bytes(data)[header])
    quoted, angle, _ = raw.rpartition("<")
    if not angle:
        return ""
    quoted = quoted.strip()
    if quoted.startswith('"'):
        return re.sub(r"\\(.)", r"\1", quoted[1:-1])
    return str(make_header(decode_header(quoted)))


@given(NAMES)
@settings(max_examples=100, deadline=None)
def test_cleaning_twice_changes_nothing_more(text):
    assert clean("x", clean("x", text)) == clean("x", text)


def test_composing_is_deterministic():
    assert compose(LETTER) == compose(LETTER)
    assert compose(replace(LETTER, at=LETTER.at.astimezone(UTC))).data == compose(LETTER).data
