"""Calls signed as each provider signs them, by keys made here."""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from campaigns.delivery.webhooks import Call
from campaigns.delivery.webhooks.sns import signed_text
from campaigns.values import Account

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:postroom"
CERTIFICATE = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SECRET = "whsec_" + b64encode(b"a key for tests only, thirty-two").decode()
MAILGUN_KEY = "mailgun signing key".replace(" ", "-")


@lru_cache
def rsa_key(which: str = "amazon") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@lru_cache
def certificate(which: str = "amazon", days: int = 365) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begins = NOW - timedelta(days=366)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key(which).public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(NOW + timedelta(days=days))
        .sign(rsa_key(which), hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@lru_cache
def ec_key(which: str = "sendgrid") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(which: str = "sendgrid") -> str:
    return b64encode(
        ec_key(which).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()


def sns(
    message: object,
    *,
    at: datetime = NOW,
    version: str = "2",
    kind: str = "Notification",
    number: int = 1,
    which: str = "amazon",
    **over: str,
) -> Call:
    told = {
        "Type": kind,
        "MessageId": f"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf{number:03d}",
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
    }
    told |= over
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = rsa_key(which).sign(signed_text(told), padding.PKCS1v15(), algorithm)
    told["Signature"] = b64encode(signature).decode()
    return Call(json.dumps(told).encode(), {"x-amz-sns-message-type": kind})


def sendgrid(events: object, *, at: datetime = NOW, which: str = "sendgrid") -> Call:
    body, stamp = json.dumps(events).encode(), str(int(at.timestamp()))
    signature = ec_key(which).sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    name = "x-twilio-email-event-webhook"
    return Call(body, {f"{name}-signature": b64encode(signature).decode(), f"{name}-timestamp": stamp})


def mailgun(event: object, *, at: datetime = NOW, key: str = MAILGUN_KEY, number: int = 1) -> Call:
    stamp, token = str(int(at.timestamp())), f"{number:050x}"
    signature = hmac.new(key.encode(), f"{stamp}{token}".encode(), sha256).hexdigest()
    told = {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event}
    return Call(json.dumps(told).encode())


def standard(
    told: object, *, at: datetime = NOW, key: bytes = b"a key for tests only, thirty-two", number: int = 1,
    prefix: str = "webhook",
) -> Call:  # fmt: skip
    body, stamp, name = json.dumps(told).encode(), str(int(at.timestamp())), f"msg_{number}"
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, sha256).digest()
    values = {"id": name, "timestamp": stamp, "signature": f"v1,{b64encode(digest).decode()}"}
    return Call(body, {f"{prefix}-{one}": value for one, value in values.items()})


def svix(told: object, **over) -> Call:
    return standard(told, prefix="svix", **over)


def bare(told: object, **_over: object) -> Call:
    return Call(json.dumps(told).encode())


@dataclass(frozen=True)
class Scheme:
    """How one provider's calls are made here, and what the account says of them."""

    account: Account
    sign: Callable[..., Call]


SCHEMES = {
    "ses": Scheme(Account("a", "ses", {"webhook_topics": TOPIC}), sns),
    "sendgrid": Scheme(Account("a", "sendgrid", {"webhook_key": public()}), sendgrid),
    "mailgun": Scheme(Account("a", "mailgun", {"webhook_key": MAILGUN_KEY}), mailgun),
    "postmark": Scheme(Account("a", "postmark"), bare),
    "mailjet": Scheme(Account("a", "mailjet"), bare),
    "brevo": Scheme(Account("a", "brevo"), bare),
    "resend": Scheme(Account("a", "resend", {"webhook_key": SECRET}), svix),
    "http": Scheme(Account("a", "http", {"webhook_key": SECRET}), standard),
}
