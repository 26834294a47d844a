"""The never-mail list: by keyed hash only, in force until a person lifts it."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.consent import suppressions as table
from campaigns.records import suppressions

SECRET = b"0" * 64
ADA = suppressions.address_hash(SECRET, "ada@example.com")
BOB = suppressions.address_hash(SECRET, "bob@example.com")


def test_a_listed_address_is_suppressed_and_another_is_not(session: Session, now: datetime) -> None:
    assert suppressions.add(session, ADA, "complaint", now=now, evidence={"report": 7})
    assert suppressions.is_suppressed(session, ADA)
    assert not suppressions.is_suppressed(session, BOB)
    assert session.scalars(suppressions.in_force()).all() == [ADA]
    assert session.scalar(sa.select(table.c.evidence)) == {"report": 7}


def test_the_same_reason_twice_is_one_row_and_another_reason_a_second(
    session: Session, now: datetime
) -> None:
    assert suppressions.add(session, ADA, "complaint", now=now)
    assert not suppressions.add(session, ADA, "complaint", now=now)
    assert suppressions.add(session, ADA, "request", now=now)
    assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 2


def test_lifting_ends_every_reason_and_keeps_the_evidence(session: Session, now: datetime) -> None:
    suppressions.add(session, ADA, "complaint", now=now)
    suppressions.add(session, ADA, "request", now=now)
    assert suppressions.lift(session, ADA, by="chief@example.com", why="a mistake", now=now) == 2
    assert not suppressions.is_suppressed(session, ADA)
    row = session.execute(sa.select(table)).first()
    assert (row.lifted_at, row.lifted_by, row.lifted_reason) == (now, "chief@example.com", "a mistake")
    assert suppressions.add(session, ADA, "complaint", now=now + timedelta(days=1))
    assert suppressions.is_suppressed(session, ADA)


def test_lifting_what_is_not_listed_says_so(session: Session, now: datetime) -> None:
    with pytest.raises(NotFound, match="not suppressed"):
        suppressions.lift(session, ADA, by="chief", why="?", now=now)


def test_a_reason_of_no_meaning_is_refused(session: Session, now: datetime) -> None:
    with pytest.raises(ValueError, match="'bored' is not a reason"):
        suppressions.add(session, ADA, "bored", now=now)


def test_many_are_asked_at_once(session: Session, now: datetime) -> None:
    asked = [suppressions.address_hash(SECRET, f"{n}@example.com") for n in range(1200)]
    for hashed in asked[::300]:
        suppressions.add(session, hashed, "hard bounce", now=now)
    assert suppressions.hashes(session, asked) == set(asked[::300])
    assert suppressions.hashes(session, []) == set()


@given(st.text(), st.text(), st.binary(min_size=1), st.binary(min_size=1))
def test_the_hash_depends_on_the_address_and_the_secret(
    one: str, other: str, secret: bytes, second: bytes
) -> None:
    one, other = (text.encode(errors="ignore").decode() for text in (one, other))
    hashed = suppressions.address_hash(secret, one)
    assert len(hashed) == 16
    assert (hashed == suppressions.address_hash(secret, other)) == (one == other)
    assert (hashed == suppressions.address_hash(second, one)) == (secret == second)
