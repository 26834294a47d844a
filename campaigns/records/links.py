"""Where a run's numbered links lead; kept with the run, so that no address travels in an address."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.mail import links
from campaigns.values import Link

OF_PRODUCTS = ""  #: stands for the language of links that mails of every language share


def add(session: Session, run: int, language: str, found: Sequence[Link]) -> None:
    """Store where a run's numbered links lead."""
    if found:
        rows = [
            {"run_id": run, "number": link.number, "language": language, "url": link.url} for link in found
        ]
        session.execute(sa.insert(links), rows)


def of_products(session: Session, run: int) -> dict[str, int]:
    """The numbers of a run's links to offered products, by address."""
    query = sa.select(links.c.url, links.c.number).where(
        links.c.run_id == run, links.c.language == OF_PRODUCTS
    )
    return {row.url: row.number for row in session.execute(query)}


def destination(session: Session, run: int, number: int) -> str | None:
    """Where a run's link leads, or None if it has no such link."""
    return session.scalar(sa.select(links.c.url).where(links.c.run_id == run, links.c.number == number))


def count(session: Session, run: int) -> int:
    """How many links one mail of the run has (languages apart)."""
    query = (
        sa.select(links.c.language, sa.func.count()).where(links.c.run_id == run).group_by(links.c.language)
    )
    counts = {row[0]: int(row[1]) for row in session.execute(query)}
    return counts.pop(OF_PRODUCTS, 0) + max(counts.values(), default=0)


def number_of(session: Session, run: int, url: str) -> int | None:
    """The number of a run's link that leads there; None if none does."""
    query = sa.select(sa.func.min(links.c.number)).where(links.c.run_id == run, links.c.url == url)
    return session.scalar(query)
