"""Each provider as its documents describe it: who is let in, what a request must hold, what is answered."""

import hmac
import json
from base64 import b64decode, b64encode
from email import message_from_bytes
from email.utils import parseaddr
from hashlib import sha256

from tests.delivery.providers.stand import Asked, Desk, Reply, Taken

KEY = "a-key-of-36-signs-and-more"
SECRET = "whsec_" + b64encode(b"s" * 32).decode()


def basic(name: str, word: str) -> str:
    return "Basic " + b64encode(f"{name}:{word}".encode()).decode()


def aws_signature(asked, secret):
    """What a request's Authorization must be, by the words of Amazon's guide to Signature Version 4."""
    said = asked.headers
    at, region = said["x-amz-date"], "eu-west-1"
    names = ["content-type", "host", "x-amz-date"]
    canonical = "\n".join(
        [
            "POST",
            asked.path,
            "",
            *[f"{name}:{said[name]}" for name in names],
            "",
            ";".join(names),
            sha256(asked.body).hexdigest(),
        ]
    )
    scope = f"{at[:8]}/{region}/ses/aws4_request"
    told = "\n".join(["AWS4-HMAC-SHA256", at, scope, sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for word in (at[:8], region, "ses", "aws4_request", told):
        key = hmac.new(key, word.encode(), sha256).digest()
    return (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={key.hex()}"
    )


class SesDesk(Desk):
    kind = "ses"

    def options(self, url):
        return {"url": url, "region": "eu-west-1", "access_key": "AKIDEXAMPLE", "secret_key": KEY}

    def lets_in(self, asked):
        said = asked.headers.get("authorization", "")
        return (
            said.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            and "/eu-west-1/ses/aws4_request" in said
        )

    def mails(self, asked):
        assert asked.path == "/v2/email/outbound-emails"
        told = asked.json()
        to = told["Destination"]["ToAddresses"]
        assert len(to) == 1
        mime = b64decode(told["Content"]["Raw"]["Data"], validate=True)
        tags = {tag["Name"]: tag["Value"] for tag in told["EmailTags"]}
        return [Taken(to[0], tags["postroom"], mime)]

    def taken_words(self, mails):
        return Reply(200, {"MessageId": "0100-ses"})

    def refused_words(self, text):
        return Reply(400, {"message": text}, {"x-amzn-errortype": "BadRequestException:http://aws/"})


class SendGridDesk(Desk):
    kind = "sendgrid"
    reserved = frozenset(("to", "from", "subject", "reply-to", "cc", "bcc", "received", "dkim-signature"))

    def options(self, url):
        return {"url": url, "key": KEY}

    def lets_in(self, asked):
        return asked.headers.get("authorization") == f"Bearer {KEY}"

    def mails(self, asked):
        assert asked.path == "/v3/mail/send"
        told = asked.json()
        assert told["from"]["email"]
        assert told["subject"]
        kinds = [one["type"] for one in told["content"]]
        assert kinds in (["text/plain"], ["text/plain", "text/html"])
        assert not {name.lower() for name in told["headers"]} & self.reserved
        assert all(name.isascii() and isinstance(value, str) for name, value in told["headers"].items())
        people = told["personalizations"]
        return [Taken(one["to"][0]["email"], told["custom_args"]["postroom"], told) for one in people]

    def taken_words(self, mails):
        return Reply(202, b"", {"x-message-id": "sg-1"})

    def refused_words(self, text):
        return Reply(400, {"errors": [{"message": text, "field": "personalizations", "help": None}]})


class MailgunDesk(Desk):
    kind = "mailgun"

    def options(self, url):
        return {"url": url, "key": KEY, "domain": "mg.shop.example"}

    def lets_in(self, asked):
        return asked.headers.get("authorization") == basic("api", KEY)

    def mails(self, asked):
        assert asked.path == "/v3/mg.shop.example/messages.mime"
        head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + asked.body).get_payload()
        fields = {part.get_param("name", header="content-disposition"): part for part in parts}
        assert fields["message"].get_filename()
        _, _, mime = asked.body.partition(b"message/rfc822\r\n\r\n")
        mime, _, end = mime.rpartition(b"\r\n--")
        assert end.endswith(b"--\r\n")
        said = {name: part.get_payload() for name, part in fields.items() if name != "message"}
        assert said["o:tracking"].strip() == "no"
        return [Taken(said["to"].strip(), said["v:postroom"].strip(), mime)]

    def taken_words(self, mails):
        return Reply(200, {"id": "<1@mg.shop.example>", "message": "Queued. Thank you."})


class PostmarkDesk(Desk):
    kind = "postmark"
    most = 500
    single_status = 422

    def options(self, url):
        return {"url": url, "token": KEY}

    def lets_in(self, asked):
        return asked.headers.get("x-postmark-server-token") == KEY

    def mails(self, asked):
        assert asked.path == "/email/batch"
        told = asked.json()
        for one in told:
            assert one["MessageStream"] == "broadcast"
            assert one["TrackOpens"] is False
            assert all(set(header) == {"Name", "Value"} for header in one["Headers"])
            assert all(len(value) <= 80 for value in one["Metadata"].values())
        return [Taken(parseaddr(one["To"])[1], one["Metadata"]["postroom"], one) for one in told]

    def refused_words(self, text):
        return Reply(422, {"ErrorCode": 402, "Message": text})

    def take(self, mails):
        """200, whatever befell single ones; in their order."""
        told = []
        for number, one in enumerate(mails):
            if one.rcpt in self.refuses:
                told.append({"ErrorCode": 406, "Message": f"Found inactive addresses: {one.rcpt}."})
            else:
                self.taken.append(one)
                told.append({"ErrorCode": 0, "Message": "OK", "MessageID": f"pm-{number}", "To": one.rcpt})
        return Reply(200, told)


class MailjetDesk(Desk):
    kind = "mailjet"
    most = 50

    def options(self, url):
        return {"url": url, "key": "public", "secret": KEY}

    def lets_in(self, asked):
        return asked.headers.get("authorization") == basic("public", KEY)

    def mails(self, asked):
        assert asked.path == "/v3.1/send"
        told = asked.json()["Messages"]
        for one in told:
            assert one["From"]["Email"]
            assert isinstance(one["Headers"], dict)
            assert one["TrackOpens"] == one["TrackClicks"] == "disabled"
            assert json.loads(one["EventPayload"]) == {"postroom": one["CustomID"]}
        return [Taken(one["To"][0]["Email"], one["CustomID"], one) for one in told]

    def refused_words(self, text):
        return Reply(
            400, {"ErrorIdentifier": "x", "ErrorCode": "mj-0001", "StatusCode": 400, "ErrorMessage": text}
        )

    def take(self, mails):
        """Partial refusals come with a 4xx status beside the successes (Anymail's notes)."""
        told = []
        for number, one in enumerate(mails):
            if one.rcpt in self.refuses:
                error = {"ErrorCode": "mj-0013", "StatusCode": 400, "ErrorMessage": f"{one.rcpt} is invalid"}
                told.append({"Status": "error", "Errors": [error]})
            else:
                self.taken.append(one)
                to = {"Email": one.rcpt, "MessageID": 100 + number, "MessageUUID": "u"}
                told.append({"Status": "success", "CustomID": one.reference, "To": [to]})
        return Reply(400 if any(one["Status"] == "error" for one in told) else 200, {"Messages": told})


class BrevoDesk(Desk):
    kind = "brevo"

    def options(self, url):
        return {"url": url, "key": KEY}

    def lets_in(self, asked):
        return asked.headers.get("api-key") == KEY

    def mails(self, asked):
        assert asked.path == "/v3/smtp/email"
        told = asked.json()
        assert told["sender"]["email"]
        assert told["subject"]
        assert told.get("htmlContent") or told.get("textContent")
        assert all(value.isascii() for value in told["headers"].values())
        assert len(told["headers"]["idempotencyKey"]) == 36
        custom = json.loads(told["headers"]["X-Mailin-custom"])
        return [Taken(told["to"][0]["email"], custom["postroom"], told)]

    def key(self, asked):
        return asked.json()["headers"]["idempotencyKey"]

    def repeated(self, key):
        return Reply(400, {"code": "duplicate_request", "message": "this request was made before"})

    def taken_words(self, mails):
        return Reply(201, {"messageId": "<1@smtp-relay.mailin.fr>"})

    def refused_words(self, text):
        return Reply(400, {"code": "invalid_parameter", "message": text})


class ResendDesk(Desk):
    kind = "resend"
    most = 100
    single_status = 422

    def options(self, url):
        return {"url": url, "key": KEY}

    def lets_in(self, asked):
        return asked.headers.get("authorization") == f"Bearer {KEY}"

    def mails(self, asked):
        told = asked.json()
        if asked.path == "/emails":
            told = [told]
        else:
            assert asked.path == "/emails/batch"
            assert asked.headers["x-batch-validation"] == "permissive"
            assert not any("attachments" in one for one in told), "no attachments in a batch"
        assert not told or 1 <= len(asked.headers["idempotency-key"]) <= 256
        found = []
        for one in told:
            assert one["from"]
            assert one["subject"]
            tags = {tag["name"]: tag["value"] for tag in one["tags"]}
            found.append(Taken(parseaddr(one["to"][0])[1], tags["postroom"], one))
        self.is_single = asked.path == "/emails"
        return found

    def key(self, asked):
        return asked.headers["idempotency-key"]

    def refused_words(self, text):
        return Reply(422, {"statusCode": 422, "name": "validation_error", "message": text})

    def take(self, mails):
        if self.is_single:
            return super().take(mails)
        good = [one for one in mails if one.rcpt not in self.refuses]
        self.taken += good
        errors = [
            {"index": place, "message": f"{one.rcpt} is invalid"}
            for place, one in enumerate(mails)
            if one.rcpt in self.refuses
        ]
        told = {"data": [{"id": f"re-{one.rcpt}"} for one in good]}
        return Reply(200, told | ({"errors": errors} if errors else {}))

    def taken_words(self, mails):
        return Reply(200, {"id": f"re-{mails[0].rcpt}"})


class GenericDesk(Desk):
    kind = "http"
    most = 100

    def options(self, url):
        return {"url": f"{url}/send", "secret": SECRET}

    def lets_in(self, asked):
        said = asked.headers
        signed = f"{said['webhook-id']}.{said['webhook-timestamp']}.".encode() + asked.body
        digest = hmac.new(b"s" * 32, signed, sha256).digest()
        return hmac.compare_digest(said["webhook-signature"], f"v1,{b64encode(digest).decode()}")

    def mails(self, asked):
        assert asked.path == "/send"
        told = asked.json()
        assert told["type"] == "mail.send"
        return [Taken(one["rcpt_to"], one["postroom"], one) for one in told["messages"]]

    def take(self, mails):
        results = []
        for one in mails:
            if one.rcpt in self.refuses:
                said = {"status": "failed", "code": 550, "enhanced": "5.1.1", "text": "no such person"}
            else:
                self.taken.append(one)
                said = {"status": "sent", "text": "queued"}
            results.append({"id": one.told["id"], **said})
        return Reply(200, {"results": results})


class RememberingDesk(GenericDesk):
    """The other end of an account with replay=yes."""

    def options(self, url):
        return super().options(url) | {"replay": "yes"}

    def key(self, asked):
        return asked.headers["webhook-id"]


DESKS = (
    SesDesk,
    SendGridDesk,
    MailgunDesk,
    PostmarkDesk,
    MailjetDesk,
    BrevoDesk,
    ResendDesk,
    GenericDesk,
    RememberingDesk,
)
IDEMPOTENT = (BrevoDesk, ResendDesk, RememberingDesk)


def name_of(desk: type[Desk]) -> str:
    return "http with replay" if desk is RememberingDesk else desk.kind


def told_of(asked: Asked) -> object:
    return json.loads(asked.body)
