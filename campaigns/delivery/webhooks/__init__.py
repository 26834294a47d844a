"""Webhooks: what providers say happened to our mails, proven to be theirs and read into signals."""

from campaigns.delivery.webhooks.addresses import FIT, MOST_BYTES, SECRET, hook_secret, hook_url
from campaigns.delivery.webhooks.contract import (
    Call,
    Reading,
    Unproven,
    Webhooks,
    read_call,
)
from campaigns.delivery.webhooks.signals import Signal, SignalKind
from campaigns.delivery.webhooks.why import why_failed

__all__ = [
    "FIT",
    "MOST_BYTES",
    "SECRET",
    "Call",
    "Reading",
    "Signal",
    "SignalKind",
    "Unproven",
    "Webhooks",
    "hook_secret",
    "hook_url",
    "read_call",
    "why_failed",
]
