"""Amazon SNS: a message proven by Amazon's certificate, and the yes that a subscription asks for.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from campaigns.delivery.webhooks.contract import Call, Unproven
from campaigns.delivery.webhooks.proofs import decoded, require_password
from campaigns.delivery.webhooks.told import Told, load
from campaigns.errors import BackendError
from campaigns.values import Account

TOPICS = "webhook_topics"
MOST_AGE = timedelta(hours=1)
AHEAD = timedelta(minutes=5)
CERTIFICATE = re.compile(
    r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{1,80}\.pem"
)
SUBSCRIBE = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/\?[!-~]{1,2000}")
NOTICE, SUBSCRIPTION = "Notification", "SubscriptionConfirmation"
SIGNED = {
    NOTICE: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": (
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    ),
}
MOST_OCTETS = 64 * 1024  #: of an answer of Amazon's
PATIENCE = 5.0  #: seconds
MOST_CERTIFICATES = 32

Fetch = Callable[[str], bytes]


def fetch(url: str, cafile: str | None = None) -> bytes:
    """Get a small answer over verified TLS, from that host and no other.

    Raises:
        BackendError: it cannot be had.
    """
    import httpx

    context = ssl.create_default_context(cafile=cafile)
    try:
        with (
            httpx.Client(verify=context, timeout=PATIENCE, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise BackendError(f"Amazon SNS answered {answer.status_code}.")
            found = b""
            for piece in answer.iter_bytes():
                found += piece
                if len(found) > MOST_OCTETS:
                    raise BackendError("Amazon SNS answered with more than a certificate.")
            return found
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise BackendError(f"Amazon SNS cannot be asked: {str(error)[:200]}") from error


@dataclass(frozen=True, slots=True)
class _Certificate:
    """A key with the time in which it holds."""

    key: object
    begins: datetime
    ends: datetime


class Certificates:
    """Amazon's certificates, each fetched once; only from where Amazon keeps them."""

    def __init__(self, get: Fetch = fetch) -> None:
        self._get = get
        self._known: dict[str, _Certificate] = {}
        self._lock = Lock()

    def key(self, url: str, now: datetime) -> object:
        """The public key in a certificate.

        Raises:
            Unproven: the address is not one of Amazon's, or what is there is no certificate that holds now.
            BackendError: it cannot be fetched now.
        """
        if not CERTIFICATE.fullmatch(url):
            raise Unproven("its certificate is not at Amazon's")
        with self._lock:
            found = self._known.get(url)
        if found is None:
            found = self._read(self._get(url))
            with self._lock:
                if len(self._known) >= MOST_CERTIFICATES:
                    self._known.pop(next(iter(self._known)))
                self._known[url] = found
        if not found.begins <= now <= found.ends:
            raise Unproven("its certificate does not hold now")
        return found.key

    def _read(self, pem: bytes) -> _Certificate:
        from cryptography import x509

        try:
            read = x509.load_pem_x509_certificate(pem)
            key = read.public_key()
        except (ValueError, TypeError) as error:
            raise Unproven("its certificate cannot be read") from error
        return _Certificate(key, read.not_valid_before_utc, read.not_valid_after_utc)


AMAZON = Certificates()


def check(call: Call, account: Account, now: datetime, *, certificates: Certificates = AMAZON) -> str:
    """Prove a call to be Amazon's, about a topic that is allowed, and young; gives its MessageId."""
    require_password(call, account)
    message = _message(call)
    allowed = account.options.get(TOPICS, "").replace(",", " ").split()
    if not allowed:
        raise Unproven(f"the account has no {TOPICS}", 403)
    if message["TopicArn"] not in allowed:
        raise Unproven("its topic is not one of ours", 403)
    _require_signature(message, certificates, now)
    at = Told(message).moment("Timestamp")
    if at is None or not -AHEAD <= now - at <= MOST_AGE:
        raise Unproven("signed too long ago, or in the future")
    return message["MessageId"][:300]


def _message(call: Call) -> dict[str, str]:
    try:
        held = load(call.body)
    except ValueError as error:
        raise Unproven("no JSON") from error
    if not isinstance(held, dict):
        raise Unproven("no message of SNS")
    texts = {name: value for name, value in held.items() if isinstance(value, str)}
    needed = {"Type", "TopicArn", "MessageId", "Timestamp", "SigningCertURL", "Signature", "SignatureVersion"}
    if not needed <= texts.keys() or texts["Type"] not in SIGNED:
        raise Unproven("no message of SNS")
    if any(name in held and name not in texts for name in SIGNED[texts["Type"]]):
        raise Unproven("no message of SNS")
    # but in the first value, a line end would let the same signed text be read as other names' values; Amazon
    # takes no subject with one (SNS API, Publish)
    if any("\n" in texts.get(name, "") for name in SIGNED[texts["Type"]] if name != "Message"):
        raise Unproven("a value of one line has several")
    return texts


def _require_signature(message: dict[str, str], certificates: Certificates, now: datetime) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    # SHA-1 is what Amazon signs with unless a topic is told otherwise; a second preimage is out of reach
    versions = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303
    algorithm = versions.get(message["SignatureVersion"])
    if algorithm is None:
        raise Unproven("signed in a way that we do not know")
    key = certificates.key(message["SigningCertURL"], now)
    if not isinstance(key, rsa.RSAPublicKey):
        raise Unproven("its certificate is of another kind")
    try:
        key.verify(decoded(message["Signature"]), signed_text(message), padding.PKCS1v15(), algorithm)
    except InvalidSignature as error:
        raise Unproven("the signature does not fit") from error


def signed_text(message: dict[str, str]) -> bytes:
    """What Amazon signs: some of the names, in their order, each with its value."""
    lines = [f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message]
    return "".join(lines).encode("utf-8", "replace")


def subscription(held: object) -> str | None:
    """The address that says yes to a subscription, where a message asks for that; only Amazon's."""
    message = Told(held)
    url = message.text("SubscribeURL", 2100)
    asks = message.text("Type") == SUBSCRIPTION
    return url if asks and SUBSCRIBE.fullmatch(url) else None


def confirm(url: str, get: Fetch = fetch) -> None:
    """Say yes to a subscription.

    Raises:
        BackendError: Amazon cannot be asked now, or the address is not Amazon's.
    """
    if not SUBSCRIBE.fullmatch(url):
        raise BackendError("The address to confirm a subscription is not at Amazon's.")
    get(url)
