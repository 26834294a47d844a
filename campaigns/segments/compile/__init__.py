"""Rule → one SELECT of contact ids. Sees the tables, runs no query.

How a rule becomes sets. A question about the contact or the customer it is at becomes a condition on the
row (`Row`); a question about history becomes a set of ids (`Ids`), asked with IN or, on the outside of
it, with NOT IN or an anti-join: never a subquery that the database would run once for each contact.
In a `Row`, unknown counts as false; `Not` makes that explicit, so it is an exact complement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Select, select

from campaigns.model.customers import contacts
from campaigns.segments.compile.dialect import speech_of
from campaigns.segments.compile.frame import Frame
from campaigns.segments.compile.tree import conditions
from campaigns.segments.rules import Rule
from campaigns.segments.walking import simplify

__all__ = ["compile_rule"]


def compile_rule(
    rule: Rule,
    *,
    now: datetime,
    dialect: str,
    segments: Mapping[str, Rule] | None = None,
    only: Sequence[int] | None = None,
) -> Select[tuple[int]]:
    """Compile a rule to a Select of one column `id`, each contact once, erased contacts never.

    `dialect` is the database's name, "sqlite" or "postgresql"; `segments` holds the rules of all segments
    that the rule stands on (see walking.resolve). With `only`, a few contacts are asked about, and nothing
    but their own rows and history is read.
    """
    frame = Frame(
        now=now,
        speech=speech_of(dialect),
        segments=segments or {},
        only=None if only is None else tuple(only),
    )
    source, where = conditions(simplify(rule), frame)
    ids = select(contacts.c.id).select_from(source).where(contacts.c.erased_at.is_(None), *where)
    return ids.correlate(None)  # whatever it is put into, its contacts are its own
