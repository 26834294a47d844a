"""The same mail given to ours and to django-anymail: what both ask of a provider is the same.

Anymail is told the mail's parts, not its MIME; what each adds on its own is listed below, and nothing else differs.
"""

import json
import warnings
from base64 import b64decode
from contextlib import suppress
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest

from campaigns.delivery.providers.reference import reference_of
from campaigns.delivery.providers.structured import take_apart
from campaigns.values import Attachment, Content
from tests.delivery.providers.desks import (
    KEY,
    BrevoDesk,
    MailgunDesk,
    MailjetDesk,
    PostmarkDesk,
    ResendDesk,
    SendGridDesk,
)
from tests.delivery.providers.sending import letter, mail, send
from tests.delivery.providers.stand import Stand

PICTURE = Attachment("rose.png", "image/png", b"\x89PNG\r\n\x1a\nrose", "rose")
PAPER = Attachment("Preise.pdf", "application/pdf", b"%PDF-1.4 \xe4", None)
HTML = '<p>Grüße &amp; <img src="cid:rose" alt="Rose"></p>\n'
CONTENT = Content("Frühling, „jetzt“!", HTML, "Grüße\n.mit Punkt\n", (PICTURE, PAPER))
BARE = Content("Frühling, „jetzt“!", "<p>Grüße &amp; Küsse</p>\n", "Grüße\n.mit Punkt\n", (PAPER,))
PLAIN = Content("Spring", None, "Only text\n")

CASES = {"with pictures and files": CONTENT, "with a file": BARE, "plain": PLAIN}
DESKS = (SendGridDesk, MailgunDesk, PostmarkDesk, MailjetDesk, BrevoDesk, ResendDesk)


@pytest.fixture(scope="module", autouse=True)
def django_is_set_up():
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_TZ=True, SECRET_KEY="x", DEFAULT_CHARSET="utf-8")
        django.setup()


def theirs(desk, url, outgoing):
    """What Anymail would ask, sent to the same stand."""
    from anymail.exceptions import AnymailAPIError
    from anymail.message import AnymailMessage
    from django.test.utils import override_settings

    parted = take_apart(outgoing)
    message = AnymailMessage(
        subject=parted.subject,
        body=parted.text,
        from_email=str(parted.sender),
        to=[str(parted.to)],
        reply_to=[str(parted.reply_to)],
        headers=dict(parted.headers),
        metadata={"postroom": reference_of(outgoing)},
    )
    if desk in (SendGridDesk, PostmarkDesk, MailjetDesk, MailgunDesk):
        message.track_opens = message.track_clicks = False
    if parted.html is not None:
        message.attach_alternative(parted.html, "text/html")
    attach(message, parted.files)
    # the desk knows only our paths; what was asked is all we want
    with override_settings(ANYMAIL=settings_of(desk, url)), suppress(AnymailAPIError):
        backend_of(desk).send_messages([message])


def attach(message, files):
    from email.mime.image import MIMEImage

    for one in files:
        if one.content_id is None:
            message.attach(one.name, one.data, one.media_type)
        else:
            picture = MIMEImage(one.data, one.media_type.partition("/")[2])
            picture["Content-ID"] = f"<{one.content_id}>"
            picture.add_header("Content-Disposition", "inline", filename=one.name)
            message.attach(picture)


def settings_of(desk, url):
    return {
        SendGridDesk: {
            "SENDGRID_API_URL": f"{url}/v3/",
            "SENDGRID_API_KEY": KEY,
            "SENDGRID_GENERATE_MESSAGE_ID": False,
        },
        MailgunDesk: {
            "MAILGUN_API_URL": f"{url}/v3/",
            "MAILGUN_API_KEY": KEY,
            "MAILGUN_SENDER_DOMAIN": "mg.shop.example",
        },
        PostmarkDesk: {
            "POSTMARK_API_URL": url,
            "POSTMARK_SERVER_TOKEN": KEY,
            "POSTMARK_MESSAGE_STREAM": "broadcast",
        },
        MailjetDesk: {
            "MAILJET_API_URL": f"{url}/v3.1/",
            "MAILJET_API_KEY": "public",
            "MAILJET_SECRET_KEY": KEY,
        },
        BrevoDesk: {"BREVO_API_URL": f"{url}/v3/", "BREVO_API_KEY": KEY},
        ResendDesk: {"RESEND_API_URL": url, "RESEND_API_KEY": KEY},
    }[desk]


def backend_of(desk):
    from importlib import import_module

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has no SendGrid account to test with any more, and says so
        return import_module(f"anymail.backends.{desk.kind}").EmailBackend()


# ---- one form for both


def box(value):
    """A mailbox, however it is written."""
    if isinstance(value, dict):
        lower = {key.lower(): text for key, text in value.items()}
        return (str(make_header(decode_header(lower.get("name", "")))), lower["email"])
    ((name, address),) = getaddresses([value])
    return (str(make_header(decode_header(name))), address)


def headers(value):
    pairs = value.items() if isinstance(value, dict) else [(one["Name"], one["Value"]) for one in value]
    return {name.lower(): text for name, text in pairs}


def files(items):
    """Name, type, content id and bytes, under whatever names a provider gives them."""
    found = []
    for item in items:
        one = {key.lower(): value for key, value in item.items()}
        name = one.get("filename") or one["name"]
        data = b64decode(one.get("content") or one["base64content"])
        kind = one.get("type") or one.get("contenttype") or one.get("content_type")
        identity = one.get("content_id") or one.get("contentid")
        found.append((name, kind, identity and identity.removeprefix("cid:"), data))
    return sorted(found, key=repr)


def sendgrid(told):
    (person,) = told["personalizations"]
    return {
        "from": box(told["from"]),
        "to": [box(one) for one in person["to"]],
        "reply": box(told.get("reply_to") or told["reply_to_list"][0]),
        "subject": told["subject"],
        "bodies": {one["type"]: one["value"] for one in told["content"]},
        "headers": headers(told["headers"] | person.get("headers", {})),
        "files": files(told.get("attachments", [])),
        "metadata": told.get("custom_args", {}) | person.get("custom_args", {}),
        "tracking": {
            name: told["tracking_settings"][name]["enable"] for name in ("click_tracking", "open_tracking")
        },
    }


def postmark(told):
    return {
        "from": box(told["From"]),
        "to": [box(told["To"])],
        "reply": box(told["ReplyTo"]),
        "subject": told["Subject"],
        "bodies": {"text/plain": told["TextBody"], "text/html": told.get("HtmlBody")},
        "headers": headers(told["Headers"]),
        "files": files(told.get("Attachments", [])),
        "stream": told["MessageStream"],
        "metadata": told["Metadata"],
        "tracking": (told["TrackOpens"], told["TrackLinks"]),
    }


def mailjet(told):
    (message,) = told["Messages"]
    one = told.get("Globals", {}) | message
    return {
        "from": box(one["From"]),
        "to": [box(to) for to in one["To"]],
        "reply": box(one["ReplyTo"]),
        "subject": one["Subject"],
        "bodies": {"text/plain": one["TextPart"], "text/html": one.get("HTMLPart")},
        "headers": headers(one["Headers"]),
        "attached": files(one.get("Attachments", [])),
        "pictures": files(one.get("InlinedAttachments", [])),
        "metadata": json.loads(one["EventPayload"]),
        "tracking": (one["TrackOpens"], one["TrackClicks"]),
    }


def brevo(told):
    return {
        "from": box(told["sender"]),
        "to": [box(one) for one in told["to"]],
        "reply": box(told["replyTo"]),
        "subject": told["subject"],
        "bodies": {"text/plain": told["textContent"], "text/html": told.get("htmlContent")},
        "headers": headers(told["headers"])
        | {"x-mailin-custom": json.loads(told["headers"]["X-Mailin-custom"])},
        "files": files(told.get("attachment", [])),
    }


def resend(told):
    told["headers"].pop("X-Metadata", None)  # Anymail's place for what we say in a tag
    return {
        "from": box(told["from"]),
        "to": [box(one) for one in told["to"]],
        "reply": box(told["reply_to"][0]),
        "subject": told["subject"],
        "bodies": {"text/plain": told["text"], "text/html": told.get("html")},
        "headers": headers(told["headers"]),
        "files": files(told.get("attachments", [])),
    }


FORMS = {
    SendGridDesk: sendgrid,
    PostmarkDesk: postmark,
    MailjetDesk: mailjet,
    BrevoDesk: brevo,
    ResendDesk: resend,
}
#: Headers that we say and Anymail does not: an identity, a key against repeats.
OURS = {"message-id", "x-pm-keepid", "idempotencykey"}


def asked_by_both(desk, content):
    outgoing = mail(5, content=content)
    with Stand(desk(), lambda asked, serve: None) as stand:
        send(stand, [outgoing])
        ours = stand.asked[0]
        stand.desk.taken.clear()
        theirs(desk, stand.url, outgoing)
        return ours, stand.asked[-1]


PAIRS = [(desk, case) for desk in FORMS for case in CASES]
PAIRS.remove((BrevoDesk, "with pictures and files"))  # it shows none within a mail; Anymail refuses it too


@pytest.mark.parametrize(("desk", "case"), PAIRS, ids=lambda one: one if isinstance(one, str) else one.kind)
def test_what_is_asked_is_what_anymail_asks(desk, case):
    ours, anymails = asked_by_both(desk, CASES[case])
    form = FORMS[desk]
    mine, other = [
        form(one if isinstance(one := json.loads(asked.body), dict) else one[0]) for asked in (ours, anymails)
    ]
    for name in OURS & set(mine["headers"]):
        assert mine["headers"].pop(name)
    assert mine == other


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.kind)
def test_who_asks_is_told_as_anymail_tells_it(desk):
    ours, anymails = asked_by_both(desk, PLAIN)
    secret = [
        name
        for name, value in anymails.headers.items()
        if name in ("authorization", "api-key") or KEY in value
    ]
    assert secret
    for name in secret:
        assert ours.headers[name] == anymails.headers[name]
    if desk not in (MailgunDesk, PostmarkDesk):  # MIME, and batches, have paths of their own
        assert ours.path == anymails.path


@pytest.mark.parametrize("case", CASES)
def test_mailguns_mime_says_what_anymail_says_in_fields(case):
    """Anymail uses /messages, we /messages.mime: the recipient reads the same."""
    content = CASES[case]
    outgoing = mail(5, content=content)
    with Stand(MailgunDesk()) as stand:
        send(stand, [outgoing])
        (taken,) = stand.desk.taken
        assert taken.told == outgoing.data
        theirs(MailgunDesk, stand.url, outgoing)
        asked = stand.asked[-1]
    if "form-data" in asked.headers["content-type"]:
        whole = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode() + asked.body
        parts = message_from_bytes(whole).get_payload()
        fields = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in parts
        }
        said = {
            name: value.decode() for name, value in fields.items() if name not in ("attachment", "inline")
        }
    else:
        from urllib.parse import parse_qsl

        said = dict(parse_qsl(asked.body.decode()))
    parted = take_apart(outgoing)
    assert said["subject"] == parted.subject
    assert said["text"].replace("\r\n", "\n") == parted.text
    assert said.get("html", "").replace("\r\n", "\n") == (parted.html or "")
    assert box(said["from"]) == (parted.sender.name, parted.sender.address)
    assert box(said["to"]) == (parted.to.name, parted.to.address)
    for name, value in parted.headers.items():
        assert said[f"h:{name.title()}"] == value
    assert said["v:postroom"] == taken.reference


def test_brevo_refuses_a_mail_with_pictures_and_says_what_to_do():
    from campaigns.delivery.backend import open_account
    from tests.delivery.peers import Account as Watching
    from tests.delivery.providers.sending import account

    with Stand(BrevoDesk()) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        backend.send([mail(5, content=CONTENT), mail(6)], watching)
        backend.close()
        first, second = watching.outcomes.values()
        assert sorted([first.kind, second.kind]) == ["failed", "sent"]
        failed = first if first.kind == "failed" else second
        assert "rose.png" in failed.text
        assert "another account" in failed.text


def test_the_letter_of_these_tests_has_what_ours_have():
    assert letter(5).list_id
    assert letter(5).unsubscribe_url
