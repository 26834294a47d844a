"""Rows that go to the store and come back many at once are the rows that were given, whatever is in them."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model.dialect import FEW, insert_many, rows_at_once, update_many, update_stretch
from campaigns.model.events import events
from tests.factories import NOW

COLUMNS = ("at", "kind", "contact_id", "source", "dedupe", "detail")
NO_NUL = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)
HOSTILE = st.sampled_from(['"', "\\", "\\n", "\n\t", "{}", "NULL", "null", "", "a,b", "é\u2028", "\x01", "'"])
rows = st.lists(
    st.tuples(
        st.integers(0, 10**12).map(lambda micros: NOW + timedelta(microseconds=micros)),
        st.sampled_from(["sent", "failed"]),
        st.none() | st.integers(-(2**62), 2**62),
        NO_NUL.map(lambda text: text[:20]) | HOSTILE,
        st.dictionaries(NO_NUL | HOSTILE, NO_NUL | HOSTILE | st.integers() | st.none(), max_size=2),
    ),
    min_size=1,
    max_size=FEW * 2,
)


@pytest.fixture
def empty(session):
    def clear():
        session.execute(sa.delete(events))
        return session

    return clear


@settings(max_examples=40, deadline=None)
@given(given_rows=rows)
def test_what_was_written_is_read_back(empty, given_rows):
    session = empty()
    full = [(*row[:4], str(at), row[4]) for at, row in enumerate(given_rows)]
    assert insert_many(session, events, COLUMNS, full) == len(full)
    query = sa.select(*[events.c[name] for name in COLUMNS])
    read = sorted(rows_at_once(session, query), key=lambda row: int(row[4]))
    assert [tuple(row) for row in read] == full
    assert sorted(map(tuple, session.execute(query)), key=lambda row: int(row[4])) == full
    changes = [(row[4], f"{row[3][:15]}!") for row in full]
    assert update_many(session, events, ("dedupe",), ("source",), changes) == len(full)
    after = session.execute(sa.select(events.c.dedupe, events.c.source))
    assert dict(map(tuple, after)) == dict(changes)


@settings(max_examples=40, deadline=None)
@given(given_rows=rows, chosen=st.sets(st.integers(0, FEW * 2)))
def test_of_a_stretch_the_named_rows_change_and_no_others(empty, given_rows, chosen):
    session = empty()
    columns = (*COLUMNS, "run_id", "seq")
    full = [
        (*row[:4], f"{run}:{seq}", row[4], run, seq) for run in (7, 8) for seq, row in enumerate(given_rows)
    ]
    insert_many(session, events, columns, full)
    changes = [(seq, f"{row[3][:15]}!", row[0]) for seq, row in enumerate(given_rows) if seq in chosen]
    assert update_stretch(session, events, ("run_id", 7), "seq", ("source", "at"), changes) == len(changes)
    changed = {seq: source for seq, source, _ in changes}
    wanted = {row[4]: changed.get(row[7], row[3]) if row[6] == 7 else row[3] for row in full}
    after = session.execute(sa.select(events.c.dedupe, events.c.source))
    assert dict(map(tuple, after)) == wanted
    if session.get_bind().dialect.name != "sqlite":
        assert session.scalar(sa.text("SHOW enable_nestloop")) == "on"
