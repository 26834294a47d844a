from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotAllowed
from campaigns.model.staff import staff as table
from campaigns.records import staff
from campaigns.records.staff import Desk, NewStaff
from campaigns.wiring import Stores

ADA = NewStaff("Ada@Example.com ", " Ada ", "a few good words", frozenset({Desk.SALES}))


def test_of_many_at_once_only_one_becomes_the_administrator(stores: Stores, now: datetime) -> None:
    def try_it(number: int) -> bool:
        new = NewStaff(f"{number}@example.com", "N", "a few good words", frozenset({Desk.ADMIN}))
        try:
            with stores.sessions.begin() as session:
                staff.add_first(session, new, now)
        except NotAllowed:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(try_it, range(6)))
    with stores.readers() as session:
        assert (made.count(True), len(staff.listing(session))) == (1, 1)


def test_a_password_is_stored_only_as_its_hash(session: Session, now: datetime) -> None:
    staff.add(session, ADA, now)
    row = session.execute(sa.select(table)).one()
    assert "good" not in row.password_hash
    assert row.password_hash.startswith("$argon2id$")


def test_an_address_is_found_however_it_is_written(session: Session, now: datetime) -> None:
    added = staff.add(session, ADA, now)
    found = staff.credentials(session, " ADA@example.COM")
    assert found is not None
    assert found[0] == added == staff.by_id(session, added.id)
    assert (added.email, added.name) == ("ada@example.com", "Ada")


def test_only_the_right_password_matches(session: Session, now: datetime) -> None:
    staff.add(session, ADA, now)
    found = staff.credentials(session, ADA.email)
    assert found is not None
    assert staff.matches(found[1], ADA.password)
    assert not any(
        staff.matches(found[1], wrong) for wrong in ("", "a few good word", ADA.password + "s", "x" * 5000)
    )
    assert not staff.matches(None, "nobody has this password")


def test_an_address_can_be_taken_once(session: Session, now: datetime) -> None:
    staff.add(session, ADA, now)
    with pytest.raises(NotAllowed, match=r"ada@example\.com is taken"):
        staff.add(session, ADA, now)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(BadForm) as caught:
        staff.check(NewStaff("ada at example", "  ", "short", frozenset()))
    assert [problem.where for problem in caught.value.problems] == ["email", "name", "password"]
    assert all(problem.cure for problem in caught.value.problems)


def test_who_is_shut_out_cannot_log_in(session: Session, now: datetime) -> None:
    added = staff.add(session, ADA, now)
    session.execute(sa.update(table).values(active=False))
    assert staff.credentials(session, ADA.email) is None
    assert staff.by_id(session, added.id) is None
    assert staff.seal(session, added.id) is None


def test_the_seal_changes_with_the_password(session: Session, now: datetime) -> None:
    added = staff.add(session, ADA, now)
    before = staff.seal(session, added.id)
    session.execute(sa.update(table).values(password_hash=staff.HASHER.hash(ADA.password)))
    assert before != staff.seal(session, added.id)


def test_an_administrator_sits_at_every_desk(session: Session, now: datetime) -> None:
    admin = staff.add(session, NewStaff("a@b.example", "A", "a few good words", frozenset({Desk.ADMIN})), now)
    seller = staff.add(session, ADA, now)
    assert [admin.sits_at(desk) for desk in Desk] == [True] * 4
    assert [desk for desk in Desk if seller.sits_at(desk)] == [Desk.SALES]


@pytest.mark.parametrize(
    "weak",
    ["aaaaaaaaaaaa", "abababababab", "AaAaAaAaAaAa1", "ada@example.com", "adaexampleada", "Ada.Example.Com1"],
)
def test_a_password_that_is_guessed_first_is_refused(weak: str) -> None:
    with pytest.raises(BadForm) as caught:
        staff.check(replace(ADA, email="ada@example.com", password=weak))
    assert [problem.where for problem in caught.value.problems] == ["password"]


@pytest.mark.parametrize(
    "good", ["a few good words", "correcthorsebattery", "ada likes green tea", "例えばこれは長い合言葉です"]
)
def test_no_kind_of_character_is_asked_for(good: str) -> None:
    staff.check(replace(ADA, email="ada@example.com", password=good))


def test_a_new_password_is_not_the_address_either(session: Session, now: datetime) -> None:
    number = staff.add(session, replace(ADA, email="ada@example.com"), now).id
    with pytest.raises(BadForm):
        staff.set_password(session, number, "ada@example.com")
