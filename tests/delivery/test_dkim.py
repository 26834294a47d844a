"""Our signatures, verified by dkimpy on mails of every sort, and broken by every change to what they cover."""

import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from types import SimpleNamespace
from unittest import mock

import dkim as dkimpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.compose import Letter, compose
from campaigns.delivery.dkim import HOLDS, Algorithm, Signer, SigningKey
from campaigns.delivery.dkim_keys import (
    Vault,
    make_key,
    public_text,
    record_name,
    record_text,
    zone_line,
)
from campaigns.errors import BadInput, BadSettings
from campaigns.values import Content, MessageKey, Outgoing, Sender

NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
RSA, ED = make_key(Algorithm.RSA), make_key(Algorithm.ED25519)
BOTH = Signer("blumen.example", [SigningKey("one", RSA), SigningKey("two", ED)])
RECORDS = {
    f"{record_name('one', 'blumen.example')}.": record_text(Algorithm.RSA, public_text(RSA)),
    f"{record_name('two', 'blumen.example')}.": record_text(Algorithm.ED25519, public_text(ED)),
}
LETTER = Letter(
    key=MessageKey(3, 14),
    sender=Sender("Blumen Müller", "post@blumen.example", "bounce.blumen.example", "hallo@blumen.example"),
    to_name="Zoë O'Neil",
    to_address="zoe@kunde.example",
    content=Content("Frühling!", "<p>Grüße</p>\n", "Grüße\n"),
    at=NOW,
    message_id="tok-3.14",
    return_path="b+tok@bounce.blumen.example",
    language="de",
    list_id=("Neues von Müller", "news.blumen.example"),
    unsubscribe_url="https://t.blumen.example/u/TOKEN",
    unsubscribe_mailto="unsub+TOKEN@bounce.blumen.example?subject=unsubscribe",
    feedback_id=("3", "blumen", "marketing", "postroom"),
    extra={"X-Engine-Ref": "abc"},
)


def verified(data, records=RECORDS):
    """What dkimpy says of each signature."""
    checked = dkimpy.DKIM(data)

    def holds(at):
        try:
            return checked.verify(at, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
        except dkimpy.DKIMException:
            return False

    head = data[: data.find(b"\r\n\r\n")]
    with mock.patch.object(
        dkimpy, "time", SimpleNamespace(time=NOW.timestamp)
    ):  # our signatures do not hold for ever
        return [holds(at) for at in range(head.count(b"DKIM-Signature:"))]


def sign(data, signer=BOTH):
    return signer.signatures(data, NOW) + data


def built(html, text, subject="Frühling", to="zoe@kunde.example"):
    return compose(replace(LETTER, content=Content(subject, html, text), to_address=to)).data


def with_attachments():
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = (
        "post@blumen.example",
        "zoe@kunde.example",
        "Rechnung",
    )
    message["Date"], message["Message-ID"] = format_datetime(NOW), "<1@blumen.example>"
    message.set_content("Anbei.\n", cte="quoted-printable")
    message.add_attachment(
        bytes(range(256)) * 90, maintype="application", subtype="pdf", filename="Größe.pdf"
    )
    message.add_attachment("a;b\n", subtype="csv", filename="b.csv", cte="base64")
    return message.as_bytes()


MAILS = {
    "plain": built(None, "Hello\n"),
    "text and html": compose(LETTER).data,
    "8-bit text": built("<p>äöüß €</p>", "äöüß €"),
    "wide text": built(
        "<p>春の花 🌷 שלום</p>" * 40, "春の花 🌷 שלום\n" * 40, "春の花がとても美しい季節になりました" * 3
    ),
    "long lines": built("<p>" + "word " * 3000 + "x" * 5000 + "</p>", "y" * 5000),
    "dots and empty lines": built("<p>.</p>\n\n\n", ".\n..\n\n\n.\n\n\n\n"),
    "an address beyond ASCII": built("<p>x</p>", "x", to="zoë@kunde.example"),
    "no text at all": built("", ""),
    "no body": b"From: post@blumen.example\r\nSubject: x\r\n\r\n",
    "empty lines for a body": b"From: post@blumen.example\r\nSubject: x\r\n\r\n\r\n\r\n\r\n",
    "headers alone": b"From: post@blumen.example\r\nSubject: x\r\n",
    "a body whose line does not end": b"From: post@blumen.example\r\nSubject: x\r\n\r\nabc",
    "odd blanks": b"FROM: post@blumen.example \r\nsubject:\t x  \t y\r\n\t\t z \r\n  \r\n w\r\nTo:\r\n a@b.example\r\n\r\nx \r\n",
    "headers twice": b"From: post@blumen.example\r\nTo: a@b.example\r\nList-Id: <a.b>\r\nList-Id: <c.d>\r\nTo: c@d.example\r\n\r\nx\r\n",
    "attachments": with_attachments(),
}


@pytest.mark.parametrize("data", MAILS.values(), ids=MAILS)
def test_both_signatures_of_every_sort_of_mail_hold(data):
    signed = sign(data)
    assert verified(signed if b"\r\n\r\n" in signed else signed + b"\r\n") == [True, True]


@pytest.mark.parametrize("key", [SigningKey("one", RSA), SigningKey("two", ED)], ids=["rsa", "ed25519"])
def test_one_key_alone_signs_once(key):
    signed = sign(compose(LETTER).data, Signer("blumen.example", [key]))
    assert verified(signed) == [True]


def test_what_the_world_must_believe_is_signed_and_cannot_be_added():
    head = BOTH.signatures(compose(LETTER).data, NOW).decode()
    tags = dict(
        re.findall(
            r"(\w+)=([^;]*)",
            re.sub(r"\s+", "", head.partition("DKIM-Signature:")[2].partition("\r\nDKIM")[0]),
        )
    )
    names = tags["h"].split(":")
    once = {"list-id", "feedback-id", "auto-submitted", "content-language", "cc"}
    twice = {"from", "to", "subject", "reply-to", "date", "message-id", "mime-version", "content-type"}
    twice |= {"list-unsubscribe", "list-unsubscribe-post"}
    assert {name: names.count(name) for name in names} == dict.fromkeys(once, 1) | dict.fromkeys(twice, 2)
    assert (tags["v"], tags["a"], tags["c"], tags["d"], tags["s"]) == (
        *("1", "rsa-sha256", "relaxed/simple", "blumen.example", "one"),
    )
    assert (int(tags["t"]), int(tags["x"])) == (int(NOW.timestamp()), int(NOW.timestamp()) + HOLDS)
    assert "l" not in tags
    assert len(b64decode(tags["b"])) == 256


@pytest.mark.parametrize(
    "line", ["From: evil@else.example", "Subject: other", "Reply-To: evil@else.example", "Cc: x@y.example"]
)
@pytest.mark.parametrize("where", ["above", "below"])
def test_a_header_that_was_added_breaks_both_signatures(line, where):
    signed = sign(MAILS["plain"])
    added = line.encode() + b"\r\n"
    changed = (
        added + signed if where == "above" else signed.replace(b"\r\n\r\n", b"\r\n" + added + b"\r\n", 1)
    )
    assert verified(changed) == [False, False]


def test_lines_are_as_short_as_mail_wants_them():
    assert max(map(len, BOTH.signatures(compose(LETTER).data, NOW).split(b"\r\n"))) <= 78


def test_the_longest_domain_and_selector_still_verify():
    domain = ".".join(["d" * 60] * 4)
    signer = Signer(domain, [SigningKey("s" * 63, RSA)])
    signed = sign(compose(LETTER).data, signer)
    records = {f"{record_name('s' * 63, domain)}.": record_text(Algorithm.RSA, public_text(RSA))}
    assert verified(signed, records) == [True]


def test_a_mail_that_a_relay_would_change_is_not_signed():
    for body in (b"\xc3\xa4\r\n", b"a\nb\r\n", b"a\rb\r\n", b"a\n"):
        with pytest.raises(BadInput):
            BOTH.signatures(b"From: a@b.example\r\n\r\n" + body, NOW)


def test_signing_puts_lines_above_a_mail_and_changes_nothing_of_it():
    mail = compose(LETTER)
    signed = BOTH.signed(mail, NOW)
    assert isinstance(signed, Outgoing)
    assert signed.data.endswith(mail.data)
    assert signed._replace(data=mail.data) == mail


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
SUBJECTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200)


@settings(max_examples=60, deadline=None)
@given(subject=SUBJECTS, text=TEXTS, html=st.none() | TEXTS, name=SUBJECTS)
def test_whatever_we_compose_verifies(subject, text, html, name):
    data = compose(replace(LETTER, content=Content(subject, html, text), to_name=name)).data
    assert verified(sign(data)) == [True, True]


def covered(signed, names):
    """Places of a signed mail at which any change must be noticed: bytes of signed headers, and the body."""
    head, _, _ = signed.partition(b"\r\n\r\n")
    places, at = [], 0
    for line in head.split(b"\r\n"):
        name = line.partition(b":")[0].lower()
        if name in names:
            places += range(at + len(name) + 2, at + len(line))
        at += len(line) + 2
    return places + list(range(len(head) + 4, len(signed) - 2))


SIGNED = sign(MAILS["text and html"])
PLACES = covered(
    SIGNED, {b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe-post", b"feedback-id"}
)


@settings(max_examples=80, deadline=None)
@given(place=st.sampled_from(PLACES), other=st.integers(33, 126))
def test_any_flipped_byte_of_what_is_signed_breaks_both(place, other):
    old = SIGNED[place]
    changed = SIGNED[:place] + bytes([other if other != old else other % 90 + 35]) + SIGNED[place + 1 :]
    assert changed != SIGNED
    assert verified(changed) == [False, False]


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 255), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_signature_breaks_it(at, bit):
    from base64 import b64encode

    rsa_alone = sign(MAILS["plain"], Signer("blumen.example", [SigningKey("one", RSA)]))
    written = re.search(rb"\r\n b=([^;:]+?)\r\n[A-Z]", rsa_alone)[1]
    octets = bytearray(b64decode(re.sub(rb"\s", b"", written)))
    octets[at] ^= 1 << bit
    assert verified(rsa_alone.replace(written, b64encode(bytes(octets)))) == [False]


# ---- keys


def test_a_record_is_cut_into_strings_that_fit():
    text = record_text(Algorithm.RSA, public_text(RSA))
    line = zone_line("one._domainkey.blumen.example", text)
    strings = re.findall(r'"([^"]*)"', line)
    assert "".join(strings) == text
    assert len(strings) == 2
    assert max(map(len, strings)) <= 255
    assert line.startswith("one._domainkey.blumen.example. 3600 IN TXT ( ")
    assert "(" not in zone_line(
        "two._domainkey.blumen.example", record_text(Algorithm.ED25519, public_text(ED))
    )


@pytest.mark.parametrize("private", [RSA, ED], ids=["rsa", "ed25519"])
def test_a_sealed_key_opens_with_its_secret_and_name_alone(private):
    sealed = Vault(b"secret").seal(private, "one._domainkey.blumen.example")
    opened = Vault(b"secret").open(sealed, "one._domainkey.blumen.example")
    assert public_text(opened) == public_text(private)
    assert Vault(b"secret").seal(private, "one._domainkey.blumen.example") != sealed
    for secret, name, bytes_ in (
        (b"other", "one._domainkey.blumen.example", sealed),
        (b"secret", "one._domainkey.other.example", sealed),
        (b"secret", "one._domainkey.blumen.example", sealed[:-1]),
        (b"secret", "one._domainkey.blumen.example", b""),
        (b"secret", "one._domainkey.blumen.example", b"\x02" + sealed[1:]),
    ):
        with pytest.raises(BadSettings, match="postroom dkim rotate"):
            Vault(secret).open(bytes_, name)


def test_no_private_key_stands_in_what_is_shown():
    sealed = Vault(b"secret").seal(ED, "x")
    assert ED.private_bytes_raw() not in sealed
