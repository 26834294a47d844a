"""Whole numbers in what others write: forms, addresses and cookies."""

from collections.abc import Iterable

MOST_DIGITS = 18  #: what every database holds; of more than 4300 digits Python itself makes an error


def number_from(text: str | None) -> int | None:
    """Read a whole number; None for whatever else it may be."""
    if not text or len(text) > MOST_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def numbers_from(texts: Iterable[str]) -> list[int]:
    """Read those that are whole numbers."""
    return [number for number in map(number_from, texts) if number is not None]
