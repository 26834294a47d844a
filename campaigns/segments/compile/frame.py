"""What the parts of the compiler hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Column, ColumnElement, CompoundSelect, Select, Table

from campaigns.segments.compile.dialect import Speech
from campaigns.segments.rules import Rule


@dataclass(frozen=True, slots=True)
class Frame:
    """What is given from outside while a rule is compiled."""

    now: datetime
    speech: Speech
    only: tuple[int, ...] | None = None  #: ask about these few contacts only, each looked up by index
    segments: Mapping[str, Rule] = field(default_factory=dict)
    made: dict[str, CTE] = field(default_factory=dict)  #: segments compiled so far, each once


@dataclass(frozen=True, slots=True)
class Row:
    """A condition on a contact's row, or on the one beside it in other tables; unknown counts as false."""

    where: ColumnElement[bool]
    beside: frozenset[Table] = frozenset()  #: customers, activity


@dataclass(frozen=True, slots=True)
class Ids:
    """A set: those contacts whose `key` is among the ids, or outside of them."""

    key: Column[Any]  #: contacts.id or contacts.customer_id
    ids: Select[Any] | CompoundSelect[Any]  #: one column, never null
    outside: bool = False


Compiled = Row | Ids
