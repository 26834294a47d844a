"""Amazon SES, API v2: SendEmail with the finished mail.

Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import (
    Answer,
    Busy,
    Closed,
    require_success,
    sent,
    unreadable,
)
from campaigns.delivery.providers.api import Api, Request, json_body, object_of
from campaigns.delivery.providers.hook_options import hook_options, topics
from campaigns.delivery.providers.http import open_http
from campaigns.delivery.providers.provider import Option, Options, Provider, Ways, a_word, http_options
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.providers.structured import without_signature
from campaigns.delivery.returns import BounceClass
from campaigns.delivery.smtp.replies import plain_text
from campaigns.delivery.webhooks import Signal, SignalKind, Webhooks, sns
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told, load, mailbox, plain
from campaigns.errors import BadSettings
from campaigns.values import Account, Outcome, Outgoing, Problem

if TYPE_CHECKING:
    from botocore.credentials import Credentials

CAPABILITIES = Capabilities(
    distinct=False,
    substituted=True,
    envelope_sender=False,  # returned mail goes to SES; it tells us by events, and forwards to mail_from
    own_message_id=False,
    own_signature=False,  # it writes Message-ID and Date anew, which ours covers
    tags=True,
    metadata=True,
    sandbox=False,  # its mailbox simulator is a recipient, not a way to send
    max_batch=1,
    max_bytes=40 * 1024 * 1024 * 4 // 3,
    max_mail=40 * 1024 * 1024,
)
#: What is about the account or its right to send, by error; SES says it with status 400.
ABOUT_ACCOUNT = frozenset(
    {"AccountSuspendedException", "SendingPausedException", "MailFromDomainNotVerifiedException"}
)
#: Of a sender, and in the sandbox of recipients too: nobody can be mailed.
UNCONFIRMED = ("Email address is not verified", "authority to send")
BUSY = frozenset({"LimitExceededException", "TooManyRequestsException", "ThrottlingException", "Throttling"})


class Ses(Api):
    """SendEmail, Raw: one request a mail, since the bulk calls substitute words in one template."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options, credentials: "Credentials") -> None:
        self._url = options["url"].rstrip("/") + "/v2/email/outbound-emails"
        self._region = options["region"]
        self._configuration = options["configuration_set"]
        self._tag = options["tag"]
        self._credentials = credentials

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        tags = [{"Name": KEY, "Value": reference_of(mail)}, {"Name": "tag", "Value": self._tag}]
        told: dict[str, Any] = {
            "Destination": {"ToAddresses": [mail.rcpt_to]},
            "Content": {"Raw": {"Data": b64encode(without_signature(mail)).decode()}},
            "FeedbackForwardingEmailAddress": mail.mail_from,
            "EmailTags": [tag for tag in tags if tag["Value"]],
        }
        if self._configuration:
            told["ConfigurationSetName"] = self._configuration
        return told

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:  # noqa: ARG002 - SES knows no keys
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        body = json_body(pieces[0] if pieces else {})
        request = AWSRequest("POST", self._url, headers={"content-type": "application/json"}, data=body)
        SigV4Auth(self._credentials.get_frozen_credentials(), "ses", self._region).add_auth(request)
        return Request(self._url, {name: str(value) for name, value in request.headers.items()}, body)

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        name = answer.headers.get("x-amzn-errortype", "").partition(":")[0] or str(
            object_of(answer.json()).get("__type", "")
        )
        told = f"HTTP {answer.status} {plain_text(name)}: {answer.words()}"
        if name in BUSY:
            raise Busy(told, answer.retry_after)
        if name in ABOUT_ACCOUNT or any(words in answer.words() for words in UNCONFIRMED):
            raise Closed(told)
        require_success(answer)
        identity = object_of(answer.json()).get("MessageId")
        if not identity:
            raise unreadable(answer)
        return [sent(identity, answer.status) for _ in mails]


def open_ses(account: Account, options: Options, ways: Ways) -> Backend:
    """A backend for SES; keys are the account's own, or found as Amazon's tools find them."""
    url = options["url"].replace("REGION", options["region"])
    api = Ses({**options, "url": url}, _credentials(account, options))
    return open_http(account, options, ways, api)


def _credentials(account: Account, options: Options) -> "Credentials":
    from botocore.credentials import Credentials
    from botocore.session import Session

    key, secret = options["access_key"], options["secret_key"]
    if key and secret:
        return Credentials(key, secret, options["session_token"] or None)
    where = f"accounts.{account.name}"
    if key or secret:
        what = "has one of access_key and secret_key, and not the other."
        raise BadSettings(
            [Problem(where, what, "Set both, or neither for keys of the environment or machine.")]
        )
    found = Session().get_credentials()
    if found is None:
        cure = "Set access_key and secret_key, or give this machine a role or AWS_ACCESS_KEY_ID."
        raise BadSettings([Problem(where, "has no keys, and none were found on this machine.", cure)])
    return found


# ---- what comes back, by webhook: events of a configuration set, or notices of an identity, by SNS

_KINDS = {
    "send": SignalKind.ACCEPTED,
    "delivery": SignalKind.DELIVERED,
    "deliverydelay": SignalKind.DELAYED,
    "bounce": SignalKind.BOUNCED,
    "reject": SignalKind.BOUNCED,
    "rendering failure": SignalKind.BOUNCED,
    "complaint": SignalKind.COMPLAINED,
    "open": SignalKind.OPENED,
    "click": SignalKind.CLICKED,
}
_CLASSES = {
    "Permanent/General": BounceClass.REFUSED,
    "Permanent/NoEmail": BounceClass.HARD_ADDRESS,
    "Permanent/Suppressed": BounceClass.LISTED,
    "Permanent/OnAccountSuppressionList": BounceClass.LISTED,
    "Permanent/UnsubscribedRecipient": BounceClass.LISTED,
    "Transient/General": BounceClass.TRANSIENT,
    "Transient/MailboxFull": BounceClass.FULL,
    "Transient/MessageTooLarge": BounceClass.SIZE,
    "Transient/ContentRejected": BounceClass.BLOCK_CONTENT,
    "Transient/AttachmentRejected": BounceClass.BLOCK_CONTENT,
    "Transient/CustomTimeoutExceeded": BounceClass.TRANSIENT,
    "reject": BounceClass.BLOCK_CONTENT,
    "rendering failure": BounceClass.PROTOCOL,
}
#: Where the word of an event stands in it, and whom it is about.
_PARTS = {"deliverydelay": "deliveryDelay", "rendering failure": "failure"}
_WHOM = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "deliverydelay": "delayedRecipients",
}


def _read(held: object) -> Iterator[Signal]:
    """The events of one notice of SNS.

    Source: SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS".
    """
    outer = Told(held)
    text = outer.value("Message")
    if outer.text("Type") != sns.NOTICE or not isinstance(text, str):
        kind = outer.text("Type") or "no type"
        yield Signal(SignalKind.UNKNOWN, f"{kind}:{outer.text('MessageId')}", word=kind)
        return
    if text.startswith("Successfully validated SNS topic"):
        yield Signal(SignalKind.UNKNOWN, f"validated:{outer.text('MessageId')}", word="topic validated")
        return
    yield from _events(Told(load(text)), outer)


def _events(told: Told, outer: Told) -> Iterator[Signal]:
    word = told.text("eventType") or told.text("notificationType")
    name = word.lower()
    part, mail = told.part(_PARTS.get(name, name)), told.part("mail")
    if name == "subscription":
        yield _subscription(part, mail, outer)
        return
    whom = list(part.parts(_WHOM[name]))[:50] if name in _WHOM else []
    addresses = [one.mailbox("emailAddress") for one in whom] or part.texts("recipients")
    for address in addresses or [mailbox(one) for one in mail.texts("destination")] or [""]:
        about = next((one for one in whom if one.mailbox("emailAddress") == address), Told(None))
        yield _event(name, word, part, mail, about, address)


def _event(name: str, word: str, part: Told, mail: Told, about: Told, address: str) -> Signal:
    kind = _KINDS.get(name, SignalKind.UNKNOWN)
    sort = "/".join(one for one in (part.text("bounceType"), part.text("bounceSubType")) if one)
    hint = _CLASSES.get(sort) or _CLASSES.get(name)
    if kind is SignalKind.COMPLAINED and "SuppressionList" in part.text("complaintSubType"):
        kind, hint = SignalKind.BOUNCED, BounceClass.LISTED  # of an earlier one; this mail was not sent
        sort = part.text("complaintSubType")
    url, ip, stamp = part.text("link", MOST_URL), part.ip("ipAddress"), part.text("timestamp")
    same = (name, mail.text("messageId", 200), address, part.text("feedbackId", 200) or stamp, url, ip)
    return Signal(
        kind,
        ":".join(same),
        at=part.moment("timestamp", "arrivalDate") or mail.moment("timestamp"),
        references=_references(mail),
        recipient=mailbox(address),
        said=_said(name, part, about),
        status=about.status("status"),
        word="/".join(one for one in (word, sort or part.text("delayType")) if one),
        hint=hint,
        url=url,
        agent=part.text("userAgent", 500),
        address=ip,
    )


def _said(name: str, part: Told, about: Told) -> str:
    if name == "complaint":
        return part.text("complaintFeedbackType")
    told = (
        about.text("diagnosticCode", MOST_SAID),
        part.text("smtpResponse", MOST_SAID),
        part.text("reason"),
    )
    return next((one for one in (*told, part.text("errorMessage", MOST_SAID)) if one), "")


def _references(mail: Told) -> tuple[str, ...]:
    headers = {one.word("name"): one.text("value", 300) for one in list(mail.parts("headers"))[:200]}
    found = (*mail.part("tags").texts(KEY), mail.text("source", 320), headers.get("message-id", ""))
    return tuple(one for one in found if one)


def _subscription(part: Told, mail: Told, outer: Told) -> Signal:
    leaves = part.part("newTopicPreferences").true("unsubscribeAll")
    return Signal(
        SignalKind.UNSUBSCRIBED if leaves else SignalKind.UNKNOWN,
        f"subscription:{mail.text('messageId', 200)}:{part.text('timestamp')}",
        at=part.moment("timestamp"),
        references=_references(mail),
        word="Subscription",
        said=plain(part.value("source"), 80) or outer.text("MessageId"),
    )


WEBHOOKS = Webhooks(
    check=sns.check,
    read=_read,
    needs=(sns.TOPICS,),
    scheme="SNS signature, version 1 or 2, with Amazon's certificate; allowed topics; 1 hour",
    follow=sns.subscription,
    visit=sns.confirm,
)


# ---- the row

PROVIDER = Provider(
    name="ses",
    title="Amazon SES (API v2)",
    capabilities=CAPABILITIES,
    options=(
        Option("region", "the region of your identities, as eu-central-1", required=True, check=a_word),
        Option("access_key", "an access key id that may ses:SendEmail", check=a_word),
        Option("secret_key", "its secret", secret=True, check=a_word),
        Option("session_token", "of keys that were lent for a time", secret=True, check=a_word),
        Option("configuration_set", "the configuration set whose events go to our webhook", check=a_word),
        *http_options(url="https://email.REGION.amazonaws.com"),
        *hook_options(topics()),
    ),
    opener=open_ses,
    webhooks=WEBHOOKS,
)
