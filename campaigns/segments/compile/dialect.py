"""What SQLite and PostgreSQL say differently in a segment; every difference is here.

Text is compared without regard to the case of A–Z only: SQLite's lower() knows no other letters, and
PostgreSQL's does the same under the "C" collation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Double,
    Numeric,
    Select,
    String,
    UnaryExpression,
    and_,
    any_,
    case,
    cast,
    collate,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.operators import custom_op

from campaigns.segments.fields import FieldType

Expression = ColumnElement[Any]
Condition = ColumnElement[bool]
_JSON_TYPES = {
    FieldType.TEXT: "string",
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "boolean",
    FieldType.LIST: "array",
    FieldType.DATE: "string",
    FieldType.MOMENT: "string",
}
_TWO = "[0-9][0-9]"
_DAY = f"{_TWO}{_TWO}-{_TWO}-{_TWO}"
_MOMENT = f"{_DAY}T{_TWO}:{_TWO}:{_TWO}"


def fold(text: str) -> str:
    """Bring a value to the case that both databases compare in: A–Z become a–z, no other letter changes."""
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored value; where `right` is not true it counts as missing, as it does where it is NULL."""

    value: Expression
    right: Condition | None = None

    def and_right(self, asked: Condition) -> Condition:
        """Add the test of the type to what is asked; last, since it is seldom needed."""
        return asked if self.right is None else and_(asked, self.right)


class Speech(Protocol):
    """The words of one database."""

    quick_except: bool  #: EXCEPT within IN beats asking twice, inside of one set and outside of another
    null_in_set: bool  #: a null among ids does no harm, so that nobody need look for it

    def fold(self, text: Expression) -> Expression:
        """Lower A–Z and nothing else."""

    def is_word(self, folded: Expression, word: str) -> Condition:
        """Say whether a folded text in a column of its own is this word; asked before what costs more."""

    def position(self, text: Expression, part: str | Expression) -> Expression:
        """Give the place of the first occurrence from 1; 0 where there is none."""

    def attribute(self, column: Expression, key: str, type_: FieldType) -> "Stored":
        """Give an attribute's value, with the test that it is of its type. Not for lists.

        Days are texts "2026-11-22", moments are texts of UTC to the second "2026-11-22T09:00:00".
        """

    def list_meets(self, column: Expression, key: str, values: Sequence[str]) -> Condition:
        """Say whether a list holds one of these folded texts."""

    def list_filled(self, column: Expression, key: str) -> Condition:
        """Say whether a list holds any text."""

    def number(self, value: float) -> Expression:
        """Bind a number so that it compares exactly with a number in JSON."""

    def day_of_year(self, value: Expression, type_: FieldType) -> Expression:
        """Give "11-22" of a stored day, or of a stored moment in UTC."""

    def outside(self, column: Expression, ids: Select[Any] | CompoundSelect[Any]) -> Condition:
        """Say that a column, never null, is none of these ids."""

    def aside(self, column: Expression) -> Expression:
        """Give a column in a form that the planner chooses no index by."""

    def link_number(self, detail: Expression) -> Expression:
        """Give the number of the link that a click's detail holds; NULL where there is none."""


class Sqlite:
    """SQLite: JSON is text, booleans are 0 and 1, moments are microseconds."""

    quick_except = True
    null_in_set = False

    def fold(self, text: Expression) -> Expression:
        return func.lower(text)

    def is_word(self, folded: Expression, word: str) -> Condition:
        return folded == word

    def position(self, text: Expression, part: str | Expression) -> Expression:
        return func.instr(text, part)

    def attribute(self, column: Expression, key: str, type_: FieldType) -> "Stored":
        path = self._path(key)
        found, value = func.json_type(column, path), func.json_extract(column, path)
        match type_:
            case FieldType.BOOLEAN:
                return Stored(case((found == _literal("true"), _one), (found == _literal("false"), _zero)))
            case FieldType.NUMBER:
                return Stored(value, or_(found == _literal("integer"), found == _literal("real")))
            case FieldType.DATE:
                return Stored(value, and_(value.op("GLOB")(_literal(_DAY)), found == _literal("text")))
            case FieldType.MOMENT:
                zulu, offset = (value.op("GLOB")(_literal(f"{_MOMENT}*{end}")) for end in ("Z", "+00:00"))
                right = and_(or_(zulu, offset), found == _literal("text"))
                return Stored(func.substr(value, _one, literal_column("19")), right)
            case _:
                return Stored(value, found == _literal("text"))

    def list_meets(self, column: Expression, key: str, values: Sequence[str]) -> Condition:
        items = self._items(column, key)
        return exists(
            select(1).select_from(items).where(self._text(items), func.lower(items.c.value).in_(values))
        )

    def list_filled(self, column: Expression, key: str) -> Condition:
        items = self._items(column, key)
        return exists(select(1).select_from(items).where(self._text(items)))

    def _items(self, column: Expression, key: str) -> Any:
        path = self._path(key)
        found = case(
            (func.json_type(column, path) == _literal("array"), func.json_extract(column, path)),
            else_=_literal("[]"),
        )
        return func.json_each(found).table_valued("value", "type")

    def _text(self, items: Any) -> Condition:
        return and_(items.c.type == _literal("text"), items.c.value != _literal(""))

    def _path(self, key: str) -> Expression:
        return _literal(f'$."{key}"')

    def number(self, value: float) -> Expression:
        return literal(value, BigInteger() if isinstance(value, int) else Double())

    def day_of_year(self, value: Expression, type_: FieldType) -> Expression:
        if type_ is FieldType.DATE:
            return func.substr(type_coerce(value, String()), 6, 5)
        raw = type_coerce(value, BigInteger())  # the integer that Moment stores
        million: ColumnElement[int] = literal_column("1000000", BigInteger())
        seconds = (raw - (raw % million + million) % million) // million  # before 1970 too
        return func.strftime("%m-%d", seconds, "unixepoch")

    def outside(self, column: Expression, ids: Select[Any] | CompoundSelect[Any]) -> Condition:
        return column.not_in(ids)

    def link_number(self, detail: Expression) -> Expression:
        # a text must not pass for a number by the affinity of the column it is compared with
        stored = self.attribute(detail, "link", FieldType.NUMBER)
        return case((stored.and_right(true()), stored.value))

    def aside(self, column: Expression) -> Expression:
        return UnaryExpression(column, operator=custom_op("+"))


class Postgres:
    """PostgreSQL: jsonb, real booleans and moments, and no anti-join for NOT IN."""

    quick_except = False  # its anti-join looks up the few that are left, where EXCEPT would read all outside
    null_in_set = True

    def fold(self, text: Expression) -> Expression:
        return func.lower(collate(text, "C"))

    def is_word(self, folded: Expression, word: str) -> Condition:
        # it puts a plain equation behind conditions of the same cost, as one that opens JSON in each row
        return folded == any_(literal([word], ARRAY(String())))

    def position(self, text: Expression, part: str | Expression) -> Expression:
        return func.strpos(text, part)

    def attribute(self, column: Expression, key: str, type_: FieldType) -> "Stored":
        member = column.op("->", return_type=JSONB())(_literal(key))
        text: Expression = collate(column.op("->>", return_type=String())(_literal(key)), "C")
        right = func.jsonb_typeof(member) == _literal(_JSON_TYPES[type_])
        match type_:
            case FieldType.NUMBER:
                return Stored(member, right)  # jsonb compares numbers exactly, and fails on no other type
            case FieldType.BOOLEAN:
                return Stored(case((right, cast(member, Boolean()))))
            case FieldType.DATE:
                return Stored(text, and_(text.op("~")(_literal("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")), right))
            case FieldType.MOMENT:
                shape = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.*(Z|[+]00:00)$"
                start = collate(func.substr(text, _one, literal_column("19")), "C")
                return Stored(start, and_(text.op("~")(_literal(shape)), right))
            case _:
                return Stored(text, right)

    def list_meets(self, column: Expression, key: str, values: Sequence[str]) -> Condition:
        items = self._items(column, key)
        return exists(
            select(1).select_from(items).where(self._text(items), self.fold(_text_of(items)).in_(values))
        )

    def list_filled(self, column: Expression, key: str) -> Condition:
        items = self._items(column, key)
        return exists(select(1).select_from(items).where(self._text(items)))

    def _items(self, column: Expression, key: str) -> Any:
        member = column.op("->", return_type=JSONB())(_literal(key))
        found = case(
            (func.jsonb_typeof(member) == _literal("array"), member), else_=literal_column("'[]'::jsonb")
        )
        return func.jsonb_array_elements(found).table_valued("value")

    def _text(self, items: Any) -> Condition:
        value = items.c.value
        return and_(func.jsonb_typeof(value) == _literal("string"), _text_of(items) != _literal(""))

    def number(self, value: float) -> Expression:
        return literal(value, JSONB())

    def day_of_year(self, value: Expression, type_: FieldType) -> Expression:
        moment = func.timezone(_literal("UTC"), value) if type_ is FieldType.MOMENT else value
        return func.to_char(moment, _literal("MM-DD"))

    def outside(self, column: Expression, ids: Select[Any] | CompoundSelect[Any]) -> Condition:
        inner = ids.subquery()
        return ~exists(select(1).select_from(inner).where(next(iter(inner.c)) == column))

    def link_number(self, detail: Expression) -> Expression:
        stored = self.attribute(detail, "link", FieldType.NUMBER)
        return case((stored.and_right(true()), cast(stored.value, Numeric())))

    def aside(self, column: Expression) -> Expression:
        return column


def _text_of(items: Any) -> Expression:
    """Give an element of a jsonb array as text, without its quotes."""
    return items.c.value.op("#>>", return_type=String())(literal_column("'{}'"))


def _literal(text: str) -> Expression:
    """Write a constant into the statement itself, so that an expression index can be recognised."""
    return literal_column("'" + text.replace("'", "''") + "'", String())


_one, _zero = literal_column("1", Boolean()), literal_column("0", Boolean())
_SPEECHES: dict[str, Speech] = {"sqlite": Sqlite(), "postgresql": Postgres()}


def speech_of(dialect: str) -> Speech:
    """Give the words of a database by its name, "sqlite" or "postgresql"."""
    return _SPEECHES[dialect]


def surely(condition: Condition) -> Condition:
    """Make a condition two-valued and negate it: true exactly where the condition is not true."""
    return condition.is_not(true())
