"""Mail that comes back: notices, complaints, auto-replies and people's answers, read without trust."""

from campaigns.delivery.returns.judging import without_addresses
from campaigns.delivery.returns.reading import read_return
from campaigns.delivery.returns.rules import RULES_VERSION
from campaigns.delivery.returns.words import (
    HARD,
    OURS,
    BounceClass,
    Finding,
    Returned,
    ReturnedRecipient,
    ReturnKind,
)

__all__ = [
    "HARD",
    "OURS",
    "RULES_VERSION",
    "BounceClass",
    "Finding",
    "ReturnKind",
    "Returned",
    "ReturnedRecipient",
    "read_return",
    "without_addresses",
]
