"""Returned mail as real servers write it, made by hand after RFC 3464, RFC 5965 and RFC 3834."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.returns import ReturnKind, read_return

ORIGINAL = """Return-Path: <b+TOKEN@bounce.blumen.example>
From: Blumen <post@blumen.example>
To: Anna <anna@kunde.example>
Subject: Sale
Message-ID: <tok-3.14@blumen.example>
"""


def dsn(*blocks, ours=ORIGINAL, part="text/rfc822-headers", envelope="Original-Envelope-Id: b+2BTOKEN\n"):
    status = (
        f"Reporting-MTA: dns; mx.kunde.example\n{envelope}Arrival-Date: Sun, 22 Nov 2026 03:00:00 +0000\n\n"
        + "\n".join(blocks)
    )
    return f"""Return-Path: <>
Delivered-To: b+TOKEN@bounce.blumen.example
From: MAILER-DAEMON@mx.kunde.example (Mail Delivery System)
To: b+TOKEN@bounce.blumen.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

This is a MIME-encapsulated message.

--B
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Type: message/delivery-status

{status}
--B
Content-Type: {part}

{ours}
--B--
""".encode()


def block(status, action="failed", diagnostic="smtp; 550 no", address="anna@kunde.example"):
    return f"Final-Recipient: rfc822; {address}\nOriginal-Recipient: rfc822;{address}\nAction: {action}\nStatus: {status}\nRemote-MTA: dns; mx.kunde.example\nDiagnostic-Code: {diagnostic}\n"


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_notice_of_failure_tells_who_why_and_which_mail(ends):
    raw = dsn(
        block(
            "5.1.1",
            diagnostic="smtp; 550 5.1.1 <anna@kunde.example>: Recipient address\n    rejected: User unknown",
        )
    )
    told = read_return(raw.replace(b"\n", ends))
    assert told.kind is ReturnKind.BOUNCE
    assert told.addressed_to[0] == "b+TOKEN@bounce.blumen.example"
    assert told.envelope_id == "b+2BTOKEN"
    assert told.message_id == "tok-3.14@blumen.example"
    (one,) = told.recipients
    assert (one.address, one.action, one.status, one.hard) == ("anna@kunde.example", "failed", "5.1.1", True)
    assert "User unknown" in one.diagnostic


@pytest.mark.parametrize(
    ("status", "diagnostic", "hard"),
    [
        ("5.1.1", "smtp; 550 5.1.1 user unknown", True),
        ("5.1.2", "smtp; 550 5.1.2 bad destination", True),
        ("5.1.3", "smtp; 553 5.1.3 bad address", True),
        ("5.1.6", "smtp; 550 5.1.6 has moved", True),
        ("5.1.10", "smtp; 556 5.1.10 null MX", True),
        ("5.2.1", "smtp; 550 5.2.1 disabled", False),
        ("5.4.4", "X-Postfix; Host or domain name not found", True),
        ("5.0.0", "smtp; 550 5.1.1 user unknown", True),
        ("4.4.7", "smtp; delivery time expired", False),
        ("4.7.28", "smtp; 421 4.7.28 rate", False),
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", False),
        ("5.7.1", "smtp; 550 5.7.1 blocked", False),
        ("5.7.26", "smtp; 550 5.7.26 unauthenticated", False),
        ("5.1.1", "smtp; 550 5.1.1 blocked by Spamhaus, see SBL", False),
        ("5.0.0", "smtp; 550 go away", False),
        ("nonsense", "smtp; 550", False),
    ],
)
def test_an_address_is_dead_only_by_the_codes_that_say_so(status, diagnostic, hard):
    told = read_return(dsn(block(status, diagnostic=diagnostic)))
    assert told.kind is ReturnKind.BOUNCE
    assert [one.hard for one in told.recipients] == [hard]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("delayed", ReturnKind.DELAY),
        ("delivered", ReturnKind.RECEIPT),
        ("relayed", ReturnKind.RECEIPT),
        ("expanded", ReturnKind.RECEIPT),
        ("FAILED", ReturnKind.BOUNCE),
    ],
)
def test_the_action_tells_what_the_notice_is(action, kind):
    told = read_return(
        dsn(
            block(
                "4.4.1" if action == "delayed" else "2.0.0" if kind is ReturnKind.RECEIPT else "5.1.1", action
            )
        )
    )
    assert told.kind is kind
    assert (told.recipients[0].hard is None) == (kind is not ReturnKind.BOUNCE)


def test_each_recipient_has_its_own_row():
    told = read_return(
        dsn(
            block("5.1.1", address="a@x.example"),
            block("4.2.2", "delayed", address="b@x.example"),
            block("5.2.2", address="c@x.example"),
        )
    )
    assert [(one.address, one.action, one.hard) for one in told.recipients] == [
        ("a@x.example", "failed", True),
        ("b@x.example", "delayed", None),
        ("c@x.example", "failed", False),
    ]
    assert told.kind is ReturnKind.BOUNCE


def test_a_whole_returned_mail_names_its_message_too():
    told = read_return(dsn(block("5.1.1"), ours=ORIGINAL + "\nthe body", part="message/rfc822"))
    assert told.message_id == "tok-3.14@blumen.example"
    assert "b+TOKEN@bounce.blumen.example" in told.addressed_to


def complaint(kind="abuse"):
    return f"""From: fbl@provider.example
To: abuse@blumen.example
Subject: FW: Sale
Content-Type: multipart/report; report-type=feedback-report; boundary=B

--B
Content-Type: text/plain

This is an email abuse report.

--B
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1

--B
Content-Type: message/rfc822

{ORIGINAL}
Buy!
--B--
""".encode()


@pytest.mark.parametrize("kind", ["abuse", "opt-out", "fraud"])
def test_a_feedback_report_is_a_complaint_about_our_message(kind):
    told = read_return(complaint(kind))
    assert (told.kind, told.feedback, told.message_id) == (
        ReturnKind.COMPLAINT,
        kind,
        "tok-3.14@blumen.example",
    )
    assert "b+TOKEN@bounce.blumen.example" in told.addressed_to


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; x=y",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
        "X-Autorespond: away",
    ],
)
def test_a_robot_that_answers_is_no_bounce_and_no_person(header):
    told = read_return(
        f"From: anna@kunde.example\nTo: b+TOKEN@bounce.blumen.example\nSubject: =?utf-8?q?Abwesenheit_f=C3=BCr_immer?=\n{header}\n\nIch bin bis Montag fort. 550 5.1.1 is not me.\n".encode()
    )
    assert (told.kind, told.recipients, told.subject) == (ReturnKind.AUTO_REPLY, (), "Abwesenheit für immer")


def test_a_person_who_answers_is_none_of_these():
    told = read_return(
        b"From: anna@kunde.example\nTo: b+TOKEN@bounce.blumen.example\nSubject: Re: Sale\nAuto-Submitted: no\n\nUser unknown? 5.1.1! Call me.\n"
    )
    assert (told.kind, told.addressed_to) == (ReturnKind.REPLY, ("b+TOKEN@bounce.blumen.example",))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 100,
        dsn(block("5.1.1"))[:700],
        dsn(block("5.1.1")).replace(b"\n", b"\r"),
        dsn(block("5.1.1"), ours="\xff\xfe"),
        dsn(""),
        dsn("\n\n\n"),
        dsn("Action: failed\n"),
        dsn(*[block("5.1.1", address=f"a{number}@x.example") for number in range(500)]),
        b"Subject: =?zz?q?=ff?=\nTo: \xff\xfe@x\n\n",
        b"Content-Type: multipart/report; boundary=a\n\n"
        + b"--a\nContent-Type: multipart/mixed; boundary=a\n\n" * 3000,
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n!!!\n",
        b"Content-Type: message/feedback-report; charset=\x00\n\nx\n",
        b"Content-Type: multipart/report; boundary*0*=%%%\n\nx\n",
    ],
)
def test_damage_never_raises(raw):
    told = read_return(raw)
    assert len(told.recipients) <= 200
    assert len(told.addressed_to) <= 200


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_notice_is_never_an_error_and_its_texts_are_plain(data):
    raw = bytearray(data.draw(st.sampled_from([dsn(block("5.1.1"), block("4.2.2", "delayed")), complaint()])))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    told = read_return(bytes(raw))
    for one in told.recipients:
        assert len(one.diagnostic) <= 500
        assert "\n" not in one.diagnostic + one.address + (one.status or "")


def test_a_recipient_behind_x400_words_is_found_and_not_the_list_that_was_written_to():
    told = read_return(b"""Return-Path: <MAILER-DAEMON>
From: System Administrator <postmaster@ikon.example>
To: b+TOKEN@bounce.blumen.example
Subject: Undeliverable: Sale

Your message

  To:      rosen@blumen.example
  Subject: Sale

did not reach the following recipient(s):

c=US;a= ;p=IKON;o=Nexus2;dda:SMTP=anna@kunde.example; on Fri, 4 Oct 2002
    The recipient name is not recognized
""")
    assert told.kind is ReturnKind.BOUNCE
    assert [one.address for one in told.recipients] == ["anna@kunde.example"]


def test_whom_a_notice_was_sent_to_is_never_whom_it_is_about():
    told = read_return(b"""Return-Path: <>
From: MAILER-DAEMON@mx.kunde.example
To: b+TOKEN@bounce.blumen.example
Subject: Delivery failed
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain

Your message could not be delivered.
--B
Content-Type: message/rfc822

From: MAILER-DAEMON@mx.kunde.example
To: b+TOKEN@bounce.blumen.example
Subject: Delivery failed

--B--
""")
    assert told.kind is ReturnKind.BOUNCE
    assert told.recipients == ()
