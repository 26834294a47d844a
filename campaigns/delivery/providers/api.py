"""What a provider's file says: how it is asked, and how its answers are read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from campaigns.delivery.contract import Capabilities
from campaigns.delivery.providers.answers import Answer
from campaigns.values import Outcome, Outgoing


@dataclass(frozen=True, slots=True)
class Request:
    """One POST."""

    url: str
    headers: dict[str, str]
    body: bytes


class Api:
    """One provider's way to be asked; no sockets, no clock, no state: any thread may use it."""

    capabilities: Capabilities

    def alone(self, mail: Outgoing) -> bool:  # noqa: ARG002 - for who has a reason
        """Whether a mail cannot share its request."""
        return False

    def piece(self, mail: Outgoing) -> Any:
        """One mail as the provider wants it.

        Raises:
            BadInput: this provider cannot carry it; the others of its request go without it.
        """
        raise NotImplementedError

    def ask(self, pieces: Sequence[Any], key: str) -> Request:
        """The request for so many mails; the same for the same key.

        Without any it is a question whether mail would be taken: a provider refuses it, but only after it has
        looked at who asks.
        """
        raise NotImplementedError

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        """What became of each mail, in their order; one that the answer does not name is unknown.

        Raises:
            Closed, Busy, Refused, Doubtful: for all of them.
        """
        raise NotImplementedError


def attempt_key(mails: Sequence[Outgoing]) -> str:
    """A key that names this attempt at these mails: one that is made anew has another date and key.

    64 hexadecimal digits; whoever wants a UUID takes some of them.
    """
    digest = sha256()
    for mail in mails:
        digest.update(b"%d %d %s " % (mail.key.run, mail.key.seq, mail.rcpt_to.encode()))
        digest.update(mail.data)
    return digest.hexdigest()


def json_body(told: object) -> bytes:
    """As JSON, in UTF-8."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def json_request(url: str, told: object, **headers: str) -> Request:
    """A POST of JSON; the names of headers are written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        url, {"content-type": "application/json", "accept": "application/json", **named}, json_body(told)
    )


def object_of(value: object) -> dict[str, Any]:
    """A JSON object, or an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """A JSON list, or an empty one where it is none."""
    return value if isinstance(value, list) else []
