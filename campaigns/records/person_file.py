"""Everything that is kept about one person, as plain values for one file (GDPR, articles 15 and 20)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.commerce import order_lines, orders, products
from campaigns.model.consent import consents, suppressions, topics, tracking_choices, wordings
from campaigns.model.customers import activity, addresses, attribute_facts, contacts, customers, roles
from campaigns.model.events import events, hits
from campaigns.model.forms import forms, sign_ups
from campaigns.model.mail import campaigns, messages, runs
from campaigns.model.service import cases, tasks
from campaigns.model.surveys import answers, responses, surveys
from campaigns.records import returned_mails

#: Columns that say nothing to the person: our own keys and hashes.
NOT_TOLD = frozenset({"email_hash", "address_hash", "import_id", "import_line", "dedupe", "verdict_version"})


def collect(session: Session, contact: int, *, now: datetime) -> dict[str, Any]:
    """Gather all that is kept about a contact, in an order that a person can read.

    Raises:
        NotFound: there is no such contact.
    """
    row = session.execute(sa.select(contacts).where(contacts.c.id == contact)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no contact {contact}.")
    mine = {table.name: _of_contact(session, table, contact) for table in (addresses, roles, activity)}
    facts = _of_contact(session, attribute_facts, contact)
    return {
        "about": {"contact": contact, "made_at": now.isoformat(), "erased": row["erased_at"] is not None},
        "contact": _plain(row),
        "customer": _customer(session, row["customer_id"]),
        **mine,
        "attributes_over_time": facts,
        "consents": _consents(session, contact),
        "tracking_choices": _of_contact(session, tracking_choices, contact),
        "never_mail_list": _suppressions(session, row["email_hash"]),
        "sign_ups": _sign_ups(session, contact, row["email_hash"]),
        "messages": _messages(session, contact),
        "survey_responses": _responses(session, contact),
        "orders": _orders(session, row["customer_id"], contact),
        "cases": _of_contact(session, cases, contact),
        "tasks": _of_contact(session, tasks, contact),
        "history": _of_contact(session, events, contact),
        "returned_mails": [_plain(one) for one in returned_mails.told_of(session, contact)],
        "requests_for_tracked_addresses": _hits(session, contact),
    }


def _of_contact(session: Session, table: sa.Table, contact: int) -> list[dict[str, Any]]:
    return _rows(session, sa.select(table).where(table.c.contact_id == contact).order_by(*_order(table)))


def _order(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    return [table.c[name] for name in ("at", "id") if name in table.c]


def _customer(session: Session, customer: int) -> dict[str, Any]:
    """The customer, where it is this person; a company's data is not theirs."""
    row = session.execute(sa.select(customers).where(customers.c.id == customer)).mappings().one()
    if row["kind"] == "organisation":
        return {"id": row["id"], "kind": row["kind"], "name": row["name"]}
    about = sa.select(events).where(events.c.customer_id == customer, events.c.contact_id.is_(None))
    whole = {name: sa.select(table).where(table.c.customer_id == customer, table.c.contact_id.is_(None))
             for name, table in (("cases", cases), ("tasks", tasks))}  # fmt: skip
    return {
        **_plain(row),
        "history": _rows(session, about.order_by(events.c.at, events.c.id)),
        **{name: _rows(session, query) for name, query in whole.items()},
    }


def _consents(session: Session, contact: int) -> list[dict[str, Any]]:
    query = (
        sa.select(topics.c.name.label("topic"), consents, wordings.c.text.label("wording_shown"))
        .join(topics, topics.c.id == consents.c.topic_id)
        .outerjoin(wordings, wordings.c.id == consents.c.wording_id)
        .where(consents.c.contact_id == contact)
    )
    return _rows(session, query.order_by(consents.c.at, consents.c.id))


def _suppressions(session: Session, hashed: bytes | None) -> list[dict[str, Any]]:
    if hashed is None:
        return []
    query = sa.select(suppressions).where(suppressions.c.address_hash == hashed)
    return _rows(session, query.order_by(suppressions.c.at, suppressions.c.id))


def _sign_ups(session: Session, contact: int, hashed: bytes | None) -> list[dict[str, Any]]:
    theirs = sign_ups.c.contact_id == contact
    if hashed is not None:
        theirs = sa.or_(theirs, sign_ups.c.address_hash == hashed)
    query = sa.select(forms.c.name.label("form"), sign_ups).join(forms, forms.c.id == sign_ups.c.form_id)
    return _rows(session, query.where(theirs).order_by(sign_ups.c.id))


def _messages(session: Session, contact: int) -> list[dict[str, Any]]:
    query = (
        sa.select(campaigns.c.name.label("campaign"), runs.c.kind.label("run_kind"), messages)
        .join(runs, runs.c.id == messages.c.run_id)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .where(messages.c.contact_id == contact)
    )
    return _rows(session, query.order_by(messages.c.run_id))


def _responses(session: Session, contact: int) -> list[dict[str, Any]]:
    query = (
        sa.select(surveys.c.name.label("survey"), responses)
        .join(surveys, surveys.c.id == responses.c.survey_id)
        .where(responses.c.contact_id == contact)
    )
    found = _rows(session, query.order_by(responses.c.id))
    given = _of_contact(session, answers, contact)
    return [one | {"answers": [a for a in given if a["response_id"] == one["id"]]} for one in found]


def _orders(session: Session, customer: int, contact: int) -> list[dict[str, Any]]:
    """Their own orders, and those of nobody in particular where the customer is this person."""
    kind = session.scalar(sa.select(customers.c.kind).where(customers.c.id == customer))
    theirs = orders.c.contact_id == contact
    if kind != "organisation":
        theirs = sa.or_(theirs, sa.and_(orders.c.customer_id == customer, orders.c.contact_id.is_(None)))
    found = _rows(session, sa.select(orders).where(theirs).order_by(orders.c.placed_at, orders.c.id))
    lines = (
        sa.select(order_lines, products.c.sku, products.c.name.label("product"))
        .join(products, products.c.id == order_lines.c.product_id)
        .where(order_lines.c.order_id.in_(sa.select(orders.c.id).where(theirs)))
    )
    bought = _rows(session, lines.order_by(order_lines.c.order_id, order_lines.c.number))
    return [one | {"lines": [line for line in bought if line["order_id"] == one["id"]]} for one in found]


def _hits(session: Session, contact: int) -> list[dict[str, Any]]:
    """By the messages' keys, which an index answers; those that wait are few."""
    keys = sa.select(messages.c.run_id, messages.c.seq).where(messages.c.contact_id == contact)
    judged = hits.c.judged.is_(True)
    mine = hits.c.contact_id == contact
    found = _rows(session, sa.select(hits).where(mine, hits.c.judged.is_(False)))
    for run, seq in session.execute(keys).all():
        found += _rows(session, sa.select(hits).where(mine, judged, hits.c.run_id == run, hits.c.seq == seq))
    return sorted(found, key=lambda one: one["id"])


def _rows(session: Session, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [_plain(row) for row in session.execute(query).mappings()]


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _told(value) for name, value in row.items() if name not in NOT_TOLD}


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
