"""People of ours who log in: the only reader and writer of `staff`, and of password hashes."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotAllowed, NotFound
from campaigns.model.dialect import lock_table
from campaigns.model.staff import staff
from campaigns.values import Problem

#: argon2id as OWASP's password storage sheet has it for 19 MiB: about 30 ms a try.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
PASSWORD_LENGTH = range(12, 201)
FEWEST_CHARACTERS = 5  #: different ones, without regard to case
SHORTEST_WORD = 3  #: of an address, that says nothing in a password
EMAIL_LENGTH = 320
NAME_LENGTH = 200


class Desk(StrEnum):
    """Whose pages a person of ours sees."""

    MARKETING = "marketing"  #: campaigns, segments, content, reports
    SALES = "sales"  #: customers, tasks
    SERVICE = "service"  #: look-up, cases
    ADMIN = "admin"  #: settings and staff; sees every desk


@dataclass(frozen=True, slots=True)
class Staff:
    """A person of ours, without the password."""

    id: int
    email: str
    name: str
    desks: frozenset[Desk]
    locale: str | None
    active: bool

    def sits_at(self, desk: Desk) -> bool:
        """Tell whether this person may use a desk; an administrator may use all."""
        return desk in self.desks or Desk.ADMIN in self.desks


@dataclass(frozen=True, slots=True)
class NewStaff:
    """A person to be let in, as typed."""

    email: str
    name: str
    password: str
    desks: frozenset[Desk]
    locale: str | None = None


def any_exist(session: Session) -> bool:
    """Tell whether anybody can log in yet, or ever could."""
    return session.execute(sa.select(staff.c.id).limit(1)).first() is not None


def add(session: Session, new: NewStaff, now: datetime) -> Staff:
    """Let a person in.

    Raises:
        BadForm: with everything that does not hold.
        NotAllowed: the address is taken.
    """
    check(new)
    email = normal_email(new.email)
    if session.execute(sa.select(staff.c.id).where(staff.c.email == email)).first():
        raise NotAllowed(f"{email} is taken; each person needs an address of their own.")
    name = new.name.strip()
    values = {
        "email": email,
        "name": name,
        "password_hash": HASHER.hash(new.password),
        "roles": sorted(new.desks),
        "locale": new.locale,
        "active": True,
        "created_at": now,
    }
    number = session.execute(sa.insert(staff).values(values).returning(staff.c.id)).scalar_one()
    return Staff(number, email, name, new.desks, new.locale, active=True)


def add_first(session: Session, new: NewStaff, now: datetime) -> Staff:
    """Let the administrator in, once: of any number who try at the same time, one succeeds.

    Raises:
        BadForm: with everything that does not hold.
        NotAllowed: there is somebody already.
    """
    lock_table(session, staff)
    if any_exist(session):
        raise NotAllowed("There is an administrator already. Log in, or ask them to let you in.")
    return add(session, new, now)


def by_id(session: Session, number: int) -> Staff | None:
    """Find a person who may log in now."""
    found = session.execute(sa.select(staff).where(staff.c.id == number, staff.c.active)).first()
    return None if found is None else _person(found)


def listing(session: Session) -> list[Staff]:
    """Everybody, by name; also those who may no longer log in."""
    return [_person(row) for row in session.execute(sa.select(staff).order_by(staff.c.name, staff.c.id))]


def credentials(session: Session, email: str) -> tuple[Staff, str] | None:
    """Find a person who may log in now by address, with the password's hash."""
    query = sa.select(staff).where(staff.c.email == normal_email(email), staff.c.active)
    found = session.execute(query).first()
    return None if found is None else (_person(found), found.password_hash)


def seal(session: Session, number: int) -> str | None:
    """Give the mark of a person's present password; None for one who may not log in.

    A login remembers it and so ends when the password changes.
    """
    query = sa.select(staff.c.password_hash).where(staff.c.id == number, staff.c.active)
    found = session.execute(query).scalar_one_or_none()
    return None if found is None else seal_of(found)


def change(session: Session, number: int, name: str, desks: frozenset[Desk], *, active: bool) -> None:
    """Write down what a person is called, where they sit, and whether they may log in.

    Raises:
        BadForm: the name does not hold.
        NotFound: no such person.
        NotAllowed: nobody would be left to look after the installation.
    """
    if problems := _problems_of_name(name):
        raise BadForm(problems)
    lock_table(session, staff)
    everybody = listing(session)
    if number not in {one.id for one in everybody}:
        raise NotFound(f"Nobody has the number {number}.")
    keeps = active and Desk.ADMIN in desks
    others = any(one.active and Desk.ADMIN in one.desks for one in everybody if one.id != number)
    if not keeps and not others:
        raise NotAllowed("This is the last administrator. Make somebody else one first.")
    values = {"name": name.strip(), "roles": sorted(desks), "active": active}
    session.execute(sa.update(staff).where(staff.c.id == number).values(values))


def deactivate(session: Session, number: int) -> None:
    """Let a person in no longer; their logins end with their next click, what they wrote stays.

    Raises:
        NotFound: no such person.
        NotAllowed: nobody would be left to look after the installation.
    """
    person = next((one for one in listing(session) if one.id == number), None)
    if person is None:
        raise NotFound(f"Nobody has the number {number}.")
    change(session, number, person.name, person.desks, active=False)


def set_password(session: Session, number: int, password: str) -> None:
    """Give a person a new password; every login that began with the old one ends.

    Raises:
        BadForm: it is too short, too long, or easy to guess.
        NotFound: no such person.
    """
    email = session.execute(sa.select(staff.c.email).where(staff.c.id == number)).scalar_one_or_none()
    if problems := _problems_of_password(password, email or ""):
        raise BadForm(problems)
    query = sa.update(staff).where(staff.c.id == number).values(password_hash=HASHER.hash(password))
    if not session.execute(query).rowcount:  # type: ignore[attr-defined]
        raise NotFound(f"Nobody has the number {number}.")


def set_locale(session: Session, number: int, locale: str | None) -> None:
    """Remember which language a person reads.

    Raises:
        NotFound: no such person.
    """
    if not session.execute(sa.update(staff).where(staff.c.id == number).values(locale=locale)).rowcount:  # type: ignore[attr-defined]
        raise NotFound(f"Nobody has the number {number}.")


def seal_of(password_hash: str) -> str:
    """Give the mark of a password's hash: enough to see a change, of no use to a thief."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


def matches(password_hash: str | None, password: str) -> bool:
    """Tell whether a password is right; takes as long where there is nobody to compare with."""
    try:
        HASHER.verify(password_hash or _nobody(), password[: PASSWORD_LENGTH.stop])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def check(new: NewStaff) -> None:
    """Look through what was typed.

    Raises:
        BadForm: with everything that does not hold.
    """
    problems = []
    local, at, domain = new.email.strip().rpartition("@")
    if not (at and local and domain) or len(new.email) > EMAIL_LENGTH or not _plain(new.email.strip()):
        problems.append(Problem("email", "is not a mail address.", "Write it like name@company.example."))
    problems += _problems_of_name(new.name) + _problems_of_password(new.password, new.email)
    if problems:
        raise BadForm(problems)


def _problems_of_name(name: str) -> list[Problem]:
    if name.strip() and len(name) <= NAME_LENGTH:
        return []
    return [Problem("name", "is empty or too long.", f"Use 1 to {NAME_LENGTH} characters.")]


def _problems_of_password(password: str, email: str) -> list[Problem]:
    """Length and what is guessed first; no rules about kinds of characters (NIST SP 800-63B §3.1.1)."""
    cure = "A few words in a row do well."
    if len(password) not in PASSWORD_LENGTH:
        what = f"is not {PASSWORD_LENGTH.start} to 200 characters long."
        return [Problem("password", what, cure)]
    low = password.casefold()
    if len(set(low)) < FEWEST_CHARACTERS:
        return [Problem("password", "is made of very few different characters.", cure)]
    words = [word for word in re.split(r"[^\w]+|_", email.casefold()) if len(word) >= SHORTEST_WORD]
    rest = re.sub("|".join(map(re.escape, sorted(words, key=len, reverse=True))), "", low) if words else low
    if len(set(rest)) < FEWEST_CHARACTERS:
        return [Problem("password", "says little more than your address.", cure)]
    return []


def normal_email(email: str) -> str:
    """Give the form under which an address is stored and looked up."""
    return email.strip().lower()


def _plain(text: str) -> bool:
    return text.isprintable() and " " not in text


@cache
def _nobody() -> str:
    return HASHER.hash("nobody has this password")


def _person(row: sa.Row[tuple[object, ...]]) -> Staff:
    known = {str(desk) for desk in Desk}
    desks = frozenset(Desk(role) for role in row.roles if role in known)
    return Staff(row.id, row.email, row.name, desks, row.locale, row.active)
