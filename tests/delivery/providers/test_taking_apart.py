"""Whatever the composer makes, taken apart: nothing of it is lost."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.compose import compose
from campaigns.delivery.headers import clean
from campaigns.delivery.providers.reference import reference_of, token_in
from campaigns.delivery.providers.structured import APART, Mailbox, take_apart, without_signature
from campaigns.errors import BadInput
from campaigns.values import Attachment, Content
from tests.delivery.providers.sending import LETTER, letter, mail, token

NAMES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=90)
BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)
FILES = st.lists(
    st.builds(
        Attachment,
        name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(
            lambda name: name.strip() == name
        ),
        media_type=st.sampled_from(
            ["image/png", "application/pdf", "text/plain", "text/html", "text/calendar"]
        ),
        data=st.binary(max_size=300),
        content_id=st.one_of(st.none(), st.from_regex(r"[a-z][a-z0-9]{0,12}", fullmatch=True)),
    ),
    max_size=4,
)


def lines(text):
    """Line ends as they travel; a text always ends with one."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    return whole if whole.endswith("\n") else whole + "\n"


@given(NAMES, NAMES, NAMES, NAMES, BODIES, st.one_of(st.none(), BODIES), FILES)
@settings(max_examples=80, deadline=None)
def test_any_mail_of_ours_keeps_its_headers_parts_and_files(to, sender, subject, extra, text, html, files):
    made = letter(
        3,
        to_name=to,
        sender=replace(LETTER.sender, name=sender),
        extra={"X-Engine-Ref": extra},
        content=Content(subject, html, text, tuple(files)),
    )
    outgoing = compose(made)
    parted = take_apart(outgoing)
    assert parted.sender == Mailbox(clean("x", sender), "post@blumen.example")
    assert parted.to == Mailbox(clean("x", to), outgoing.rcpt_to)
    assert parted.reply_to == Mailbox("", "hallo@blumen.example")
    assert parted.subject == clean("x", subject)
    assert parted.text == lines(text)
    assert parted.html == (None if html is None else lines(html))
    assert parted.headers["X-Engine-Ref"] == clean("x", extra)
    assert sorted(map(repr, parted.files)) == sorted(map(repr, files))


@given(NAMES, BODIES, FILES)
@settings(max_examples=30, deadline=None)
def test_the_standard_librarys_newer_parser_sees_the_same(name, text, files):
    outgoing = mail(3, to_name=name, content=Content("Hello", f"<p>{text}</p>", text, tuple(files)))
    message = message_from_bytes(outgoing.data, policy=policy.default)
    parted = take_apart(outgoing)
    told = {key.lower() for key in message if not key.lower().startswith("content-")}
    assert told - APART == {key.lower() for key in parted.headers} - {"content-language"}
    for key, value in parted.headers.items():
        assert value == str(message[key]), key
    assert parted.message_id == message["Message-ID"]
    bodies = {kind: lines(message.get_body([kind]).get_content()) for kind in ("plain", "html")}
    assert bodies == {"plain": parted.text, "html": parted.html}


@pytest.mark.parametrize("name", ["=?nope?q?a?=.pdf", "=?utf-8?q?=FF?=.pdf", "=?utf-8?q?a?=.pdf"])
def test_a_file_whose_name_looks_like_an_encoded_word_keeps_it(name):
    file = Attachment(name, "application/pdf", b"%PDF", None)
    made = mail(3, content=Content("Hello", "<p>Hi</p>", "Hi", (file,)))
    assert f'"{name}"'.encode() not in made.data, "other readers would decode it"
    [read] = take_apart(made).files
    assert read == file
    literal = made._replace(
        data=b"From: a@x.example\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf\r\n"
        b'Content-Disposition: attachment; filename="' + name.encode() + b'"\r\n\r\n%PDF'
    )
    [read] = take_apart(literal).files
    assert read == file


def test_what_makes_a_mail_leavable_reads_as_it_was_written():
    headers = take_apart(mail(3)).headers
    url = f"https://t.blumen.example/u/{token(3)[:36]}"
    mailto = "mailto:unsub+TOKEN@bounce.blumen.example?subject=unsubscribe"
    assert headers["List-Unsubscribe"] == f"<{url}>, <{mailto}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Id"] == '"Neues von Blumen" <news.blumen.example>'
    assert headers["Feedback-ID"] == "c3:r14:marketing:blumen"
    assert headers["Precedence"] == "bulk"
    assert headers["Content-Language"] == "de"
    assert not {"From", "To", "Subject", "Content-Type", "MIME-Version", "DKIM-Signature"} & set(headers)


def test_a_header_that_stands_twice_could_be_told_to_nobody():
    twice = mail(3)
    with pytest.raises(BadInput, match="stands twice"):
        take_apart(twice._replace(data=b"X-Engine-Ref: other\r\n" + twice.data))


def test_a_mail_without_a_sender_is_refused():
    with pytest.raises(BadInput, match="has no From"):
        take_apart(mail(3)._replace(data=b"Subject: x\r\n\r\nx\r\n"))


@given(NAMES)
@settings(max_examples=80, deadline=None)
def test_a_mailbox_as_one_text_reads_back_as_it_was(name):
    from email.header import decode_header, make_header

    shown, address = parseaddr(str(Mailbox(clean("x", name), "zoe@kunde.example")))
    assert address == "zoe@kunde.example"
    assert str(make_header(decode_header(shown))) == clean("x", name)


@pytest.mark.parametrize("signature", [b"DKIM-Signature: v=1; a=rsa\r\n\tb=abc;\r\n d=x\r\n", b""])
def test_a_signature_that_would_break_is_left_out_and_nothing_else(signature):
    plain = mail(3)
    head, blank, rest = plain.data.partition(b"Subject:")
    signed = plain._replace(data=head + signature + blank + rest)
    assert without_signature(signed) == plain.data


@pytest.mark.parametrize(
    ("address", "reference"),
    [
        (f"b+{token(7)}@bounce.shop.example", token(7)),
        ("plain@shop.example", ""),
        ("", ""),
        ("b+@shop.example", ""),
        ("b+has space@shop.example", ""),
        ("b+" + "x" * 65 + "@shop.example", ""),
    ],
)
def test_the_reference_is_the_return_token_or_nothing(address, reference):
    assert token_in(address) == reference
    assert reference_of(mail(1)._replace(mail_from=address)) == reference
