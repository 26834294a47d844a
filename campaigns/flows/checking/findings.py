"""What was found, and on which card of a campaign's page it is mended."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from campaigns.templates.preflight import Finding as Found
from campaigns.templates.preflight import Level, Values


@dataclass(frozen=True, slots=True)
class Finding(Found):
    """One thing to look at."""

    card: str = "what"  #: who, what or when


def on(card: str, found: Iterable[Found]) -> list[Finding]:
    """Put findings on a card."""
    return [
        Finding(**{one.name: getattr(each, one.name) for one in fields(Found)}, card=card) for each in found
    ]


def blocker(card: str, what: str, cure: str = "", **values: object) -> Finding:
    """It must be mended first."""
    return Finding(Level.BLOCKER, what, cure, Values(values), card=card)


def warning(card: str, what: str, cure: str = "", **values: object) -> Finding:
    """It had better be mended."""
    return Finding(Level.WARNING, what, cure, Values(values), card=card)


def hint(card: str, what: str, cure: str = "", **values: object) -> Finding:
    """It is good to know."""
    return Finding(Level.HINT, what, cure, Values(values), card=card)
