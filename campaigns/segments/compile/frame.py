"""What the parts of the compiler hand to each other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, CompoundSelect, Select

from campaigns.segments.compile.dialect import Speech


@dataclass(frozen=True, slots=True)
class Frame:
    """What is given from outside while a rule is compiled."""

    now: datetime
    speech: Speech
    only: int | None = None  #: ask history about this one contact only (to explain)


@dataclass(frozen=True, slots=True)
class Row:
    """A condition on a contact's row, or on its customer's; unknown counts as false."""

    where: ColumnElement[bool]
    customer: bool = False  #: needs the customers table beside contacts


@dataclass(frozen=True, slots=True)
class Ids:
    """A set: those contacts whose `key` is among the ids, or outside of them."""

    key: Column[Any]  #: contacts.id or contacts.customer_id
    ids: Select[Any] | CompoundSelect[Any]  #: one column, never null
    outside: bool = False


Compiled = Row | Ids
