"""Amazon SES, API v2: SendEmail with the finished mail.

Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from base64 import b64encode
from collections.abc import Sequence
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
from campaigns.delivery.providers.http import open_http
from campaigns.delivery.providers.provider import Option, Options, Provider, Ways, a_word, http_options
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.providers.structured import without_signature
from campaigns.delivery.smtp.replies import plain_text
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
        if name in ABOUT_ACCOUNT or (name == "MessageRejected" and "not verified" in answer.words()):
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
    ),
    opener=open_ses,
)


# ---- what comes back, by webhook
