"""Groups and negation over compiled leaves."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Table,
    and_,
    except_,
    false,
    or_,
    select,
    true,
    union_all,
)

from campaigns.model.customers import activity, contacts, customers, roles
from campaigns.segments.compile.dialect import Speech, fold, surely
from campaigns.segments.compile.frame import Compiled, Frame, Ids, Row
from campaigns.segments.compile.history import answered, bought, consent_is, did
from campaigns.segments.compile.rows import field_condition
from campaigns.segments.rules import (
    AllOf,
    Answered,
    AnyOf,
    Bought,
    Condition,
    ConsentIs,
    Did,
    HasRole,
    InSegment,
    Not,
    Rule,
)
from campaigns.segments.walking import simplify

PIECE = 400  #: selects united at once


def conditions(rule: Rule, frame: Frame) -> tuple[FromClause, list[ColumnElement[bool]]]:
    """Give what a Select over contacts reads from, and its conditions."""
    parts = rule.rules if isinstance(rule, AllOf) else (rule,)
    return _read([compiled(part, frame) for part in parts], frame)


def _read(parts: Sequence[Compiled], frame: Frame) -> tuple[FromClause, list[ColumnElement[bool]]]:
    rows = [part for part in parts if isinstance(part, Row)]
    beside = _beside(rows)
    source: FromClause = contacts
    if customers in beside:
        source = source.join(customers, customers.c.id == contacts.c.customer_id)
    if activity in beside:
        source = source.outerjoin(activity, activity.c.contact_id == contacts.c.id)
    sets = [part for part in parts if isinstance(part, Ids)]
    among = [_among(part, frame.speech) for part in _subtract(sets, frame.speech)]
    few = [] if frame.only is None else [contacts.c.id.in_(frame.only)]
    return source, [*few, *(row.where for row in rows), *among]


def _beside(rows: Sequence[Row]) -> frozenset[Table]:
    return frozenset[Table]().union(*(row.beside for row in rows))


def _subtract(sets: Sequence[Ids], speech: Speech) -> list[Ids]:
    """Take the complements out of one of the sets, where the database is quicker so."""
    inside = [part for part in sets if part.key is contacts.c.id and not part.outside]
    first = next((part for part in inside if isinstance(part.ids, Select)), None)
    outside = [part for part in sets if part.key is contacts.c.id and part.outside]
    if first is None or not outside or not speech.quick_except:
        return list(sets)
    assert isinstance(first.ids, Select)
    less = except_(first.ids, *(ids for part in outside for ids in _selects(part)))
    return [
        replace(part, ids=less) if part is first else part
        for part in sets
        if not any(part is taken for taken in outside)
    ]


def _among(part: Ids, speech: Speech) -> ColumnElement[bool]:
    return speech.outside(part.key, part.ids) if part.outside else part.key.in_(part.ids)


def compiled(rule: Rule, frame: Frame) -> Compiled:
    """Compile one node and all below it."""
    match rule:
        case AllOf(rules):
            return _meet([compiled(part, frame) for part in rules], frame)
        case AnyOf(rules):
            return _join([compiled(part, frame) for part in rules], frame)
        case Not(inner):
            return _negated(compiled(inner, frame))
        case _:
            return _leaf(rule, frame)


def _leaf(rule: Rule, frame: Frame) -> Compiled:  # noqa: PLR0911 - one branch a kind of leaf
    match rule:
        case Condition():
            return field_condition(rule, frame)
        case Did():
            return did(rule, frame)
        case Bought():
            return bought(rule, frame)
        case Answered():
            return answered(rule, frame)
        case ConsentIs():
            return consent_is(rule, frame)
        case HasRole():
            return _has_role(rule, frame)
        case InSegment(key):
            return _in_segment(key, frame)
        case _:
            return Row(true())


def _negated(part: Compiled) -> Compiled:
    if isinstance(part, Row):
        return replace(part, where=surely(part.where))
    return replace(part, outside=not part.outside)


def _meet(parts: Sequence[Compiled], frame: Frame) -> Compiled:
    """Intersect: conditions on one Select; only where all are complements, the complement of a union."""
    rows = [part for part in parts if isinstance(part, Row)]
    sets = [part for part in parts if isinstance(part, Ids)]
    if len(parts) == 1:
        return parts[0]
    if not sets:
        return Row(and_(*(row.where for row in rows)), _beside(rows))
    if not rows and all(part.outside for part in sets):
        return Ids(contacts.c.id, _union([ids for part in sets for ids in _selects(part)]), outside=True)
    source, where = _read(parts, frame)
    return Ids(contacts.c.id, select(contacts.c.id).select_from(source).where(*where))


def _join(parts: Sequence[Compiled], frame: Frame) -> Compiled:
    """Unite: a union of sets; where one of them is a complement, the complement of an intersection."""
    rows = [part for part in parts if isinstance(part, Row)]
    sets = [part for part in parts if isinstance(part, Ids)]
    if len(parts) == 1:
        return parts[0]
    row = Row(or_(false(), *(part.where for part in rows)), _beside(rows))
    if not sets:
        return row
    if any(part.outside for part in sets):
        return _negated(_meet([_negated(part) for part in ([row] if rows else []) + sets], frame))
    selects = [ids for part in sets for ids in _selects(part)]
    if rows:
        source, where = _read([row], frame)
        selects.append(select(contacts.c.id).select_from(source).where(*where))
    return Ids(contacts.c.id, _union(selects))


def _union(selects: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
    """Unite; in pieces, since SQLite takes no more than 500 at once."""
    if len(selects) == 1:
        return selects[0]
    if len(selects) <= PIECE:
        return union_all(*selects)
    pieces = [_union(selects[at : at + PIECE]) for at in range(0, len(selects), PIECE)]
    return _union([select(contacts.c.id).where(contacts.c.id.in_(piece)) for piece in pieces])


def _selects(part: Ids) -> list[Select[Any]]:
    """Give the set as selects of ids of contacts, whatever its key; SQLite has no union within a union."""
    if part.key is not contacts.c.id:
        return [select(contacts.c.id).where(part.key.in_(part.ids))]
    if isinstance(part.ids, CompoundSelect):
        return [ids for ids in part.ids.selects if isinstance(ids, Select)]
    return [part.ids]


def _in_segment(key: str, frame: Frame) -> Ids:
    """Name the segment's members once, beside the statement: nested in it, they would nest too deeply."""
    if key not in frame.made:
        source, where = conditions(simplify(frame.segments[key]), frame)
        frame.made[key] = select(contacts.c.id).select_from(source).where(*where).cte()
    return Ids(contacts.c.id, select(frame.made[key].c.id))


def _has_role(rule: HasRole, frame: Frame) -> Ids:
    """Find who has a role; what is asked of the customer is asked of the role's customer."""
    ids = select(roles.c.contact_id).where(frame.speech.fold(roles.c.role) == fold(rule.role))
    if frame.only is not None:
        ids = ids.where(roles.c.contact_id.in_(frame.only))
    if rule.at is not None:
        part = compiled(rule.at, frame)
        assert isinstance(part, Row), "inside of a role there are only customer fields"
        ids = ids.join(customers, customers.c.id == roles.c.customer_id).where(part.where)
    return Ids(contacts.c.id, ids)
