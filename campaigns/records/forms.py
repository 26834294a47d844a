"""Sign-up forms: what they are, on or off, and how often they were used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.forms.spec import Spec, read_spec, write_spec
from campaigns.model.consent import topics
from campaigns.model.dialect import changed, insert_many
from campaigns.model.forms import form_counts, forms
from campaigns.records import consent
from campaigns.values import TopicClass

#: The topic of every confirmation mail: asked for by the contact's own act.
CONFIRMATION = "sign-up-confirmation"


@dataclass(frozen=True, slots=True)
class SignUpForm:
    """One form."""

    id: int
    key: str
    name: str
    is_on: bool
    version: int
    spec: Spec
    sender_id: int
    template_id: int
    campaign_id: int | None
    halted_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    def is_halted(self, now: datetime) -> bool:
        """Tell whether its mails are stopped, since too few confirm."""
        return self.halted_until is not None and now < self.halted_until

    @property
    def is_open(self) -> bool:
        """Tell whether it takes sign-ups."""
        return self.is_on and self.archived_at is None


class Use(NamedTuple):
    """That something happened to a form on a day: shown, posted, confirmed, or why it was refused."""

    form: int
    day: str
    what: str


def add(
    session: Session,
    key: str,
    name: str,
    spec: Spec,
    *,
    sender: int,
    template: int,
    actor: str,
    now: datetime,
) -> int:
    """Make a form, switched off; its key must be new."""
    values = {
        "key": key,
        "name": name,
        "version": 1,
        "spec": write_spec(spec),
        "sender_id": sender,
        "template_id": template,
        "created_by": actor,
        "created_at": now,
        "updated_at": now,
    }
    made: int = session.execute(sa.insert(forms).values(values).returning(forms.c.id)).scalar_one()
    return made


def edit(
    session: Session, form: int, *, name: str, spec: Spec, sender: int, template: int, now: datetime
) -> None:
    """Change a form; who has its page open is shown the new words before anything is taken."""
    values = {
        "name": name,
        "spec": write_spec(spec),
        "sender_id": sender,
        "template_id": template,
        "updated_at": now,
        "version": forms.c.version + 1,
    }
    _change(session, form, values)


def switch(session: Session, form: int, *, on: bool, now: datetime) -> None:
    """Let a form take sign-ups, or stop that; a halt ends with it."""
    _change(session, form, {"is_on": on, "updated_at": now, "halted_until": None})


def archive(session: Session, form: int, *, now: datetime) -> None:
    """Put a form away for good; links in mails that are out keep working."""
    _change(session, form, {"is_on": False, "updated_at": now, "archived_at": now})


def halt(session: Session, form: int, *, until: datetime) -> None:
    """Stop a form's mails until a moment."""
    _change(session, form, {"halted_until": until})


def note_campaign(session: Session, form: int, campaign: int) -> None:
    """Say whose runs a form's confirmation mails are."""
    _change(session, form, {"campaign_id": campaign})


def _change(session: Session, form: int, values: Mapping[str, Any]) -> None:
    if not changed(session, sa.update(forms).where(forms.c.id == form).values(dict(values))):
        raise NotFound(f"There is no form {form}.")


def get(session: Session, form: int) -> SignUpForm:
    """Load a form that is not put away.

    Raises:
        NotFound: there is none.
    """
    found = by_id(session, form)
    if found is None or found.archived_at is not None:
        raise NotFound(f"There is no form {form}.")
    return found


def by_id(session: Session, form: int) -> SignUpForm | None:
    """Load a form, put away or not."""
    row = session.execute(sa.select(forms).where(forms.c.id == form)).mappings().one_or_none()
    return None if row is None else _form(row)


def find(session: Session, key: str) -> SignUpForm | None:
    """Load a form by the key in its address."""
    row = session.execute(sa.select(forms).where(forms.c.key == key)).mappings().one_or_none()
    return None if row is None else _form(row)


def of_campaign(session: Session, campaign: int) -> int | None:
    """The form whose confirmation mails a campaign stands for; None for every other campaign."""
    query = sa.select(forms.c.id).where(forms.c.campaign_id == campaign, forms.c.archived_at.is_(None))
    found: int | None = session.scalar(query)
    return found


def hold(session: Session, form: int) -> SignUpForm:
    """Load a form and keep others who write its mails away until the end."""
    query = sa.select(forms).where(forms.c.id == form).with_for_update()
    return _form(session.execute(query).mappings().one())


def listing(session: Session) -> list[SignUpForm]:
    """The forms that are not put away, by name."""
    query = sa.select(forms).where(forms.c.archived_at.is_(None)).order_by(forms.c.name, forms.c.id)
    return [_form(row) for row in session.execute(query).mappings()]


def how_many_halted(session: Session, now: datetime) -> int:
    """How many forms are stopped, since too few confirm."""
    query = sa.select(sa.func.count()).where(forms.c.archived_at.is_(None), forms.c.halted_until > now)
    return session.scalar(query) or 0


def _form(row: Any) -> SignUpForm:
    return SignUpForm(**{**row, "spec": read_spec(row["spec"])})


def wording_key(form: int, topic: int) -> str:
    """How what a form said of a topic is named in the ledger."""
    return f"form {form} {topic}"


def confirmation_topic(session: Session, *, now: datetime) -> int:
    """The topic of all confirmation mails, made when it is first needed."""
    known = session.scalar(sa.select(topics.c.id).where(topics.c.key == CONFIRMATION))
    if known is not None:
        return int(known)
    made = consent.add_topic(
        session, CONFIRMATION, "Sign-up", TopicClass.TRANSACTIONAL, now=now, public=False
    )
    return made.id


def offerable(session: Session) -> dict[int, str]:
    """The topics that a form may offer, by id: all that can be agreed to."""
    query = (
        sa.select(topics.c.id, topics.c.name)
        .where(topics.c.topic_class != TopicClass.TRANSACTIONAL.value)
        .order_by(topics.c.name, topics.c.id)
    )
    return {row.id: row.name for row in session.execute(query)}


def count(session: Session, form: int, what: str, *, now: datetime, times: int = 1) -> None:
    """Count that something happened to a form."""
    count_all(session, {Use(form, now.date().isoformat(), what): times})


def count_all(session: Session, uses: Mapping[Use, int]) -> None:
    """Count many uses of forms, in an order that keeps those who count at once from waiting in a circle."""
    insert_many(
        session,
        form_counts,
        ("form_id", "day", "what", "count"),
        [(*use, times) for use, times in sorted(uses.items())],
        conflict="ON CONFLICT (form_id, day, what) DO UPDATE SET count = form_counts.count + excluded.count",
    )


def counts(
    session: Session, of: Iterable[int], *, now: datetime, days: int = 30
) -> dict[int, dict[str, int]]:
    """What happened to forms in the last days, by form."""
    since = (now - timedelta(days=days)).date().isoformat()
    c = form_counts.c
    query = (
        sa.select(c.form_id, c.what, sa.func.sum(c.count).label("times"))
        .where(c.form_id.in_(list(of)), c.day >= since)
        .group_by(c.form_id, c.what)
    )
    found: dict[int, dict[str, int]] = {}
    for row in session.execute(query):
        found.setdefault(row.form_id, {})[row.what] = int(row.times)
    return found
