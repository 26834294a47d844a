"""The names of records/names.py, but only those that a template uses: what is not looked at costs nothing."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from campaigns.idn import told_address
from campaigns.records.names import Common, full_name
from campaigns.records.outbox import Recipient
from campaigns.templates.uses import is_used

_COLUMNS = ("given_name", "family_name", "salutation", "locale", "country", "region", "city")


class ChosenNames:
    """Makes the used names of one recipient after the other; each value is as `names.personal` gives it."""

    def __init__(self, shared: Common, used: Collection[str]) -> None:
        contact, customer = _parts("contact", used), _parts("customer", used)
        self._columns = tuple(key for key in _COLUMNS if contact is None or key in contact)
        self._contact = frozenset({"name", "email", "attributes"} if contact is None else contact)
        self._has_contact = is_used("contact", used)
        self._customer = frozenset({"name", "stage", "owner"} if customer is None else customer)
        self._has_customer = is_used("customer", used)
        self._owners = shared.owners
        self._orders, self._order, self._today = (
            is_used(name, used) for name in ("orders", "order", "today")
        )
        sender = shared.sender
        fixed: Mapping[str, Any] = {
            "sender": {
                "name": sender.name,
                "address": sender.address,
                "postal_address": sender.postal_address,
            },
            "campaign": {"name": shared.campaign},
        }
        self.fixed = {name: value for name, value in fixed.items() if is_used(name, used)}

    def of(self, recipient: Recipient, bought: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
        """Give what differs from recipient to recipient; `fixed` is the same for all."""
        names: dict[str, Any] = {}
        if self._has_contact:
            names["contact"] = self._contact_of(recipient)
        if self._has_customer:
            names["customer"] = self._customer_of(recipient.customer)
        if self._orders:
            names["orders"] = bought
        if self._order:
            names["order"] = bought[0] if bought else None
        if self._today:
            names["today"] = now.date()
        return names

    def _contact_of(self, recipient: Recipient) -> dict[str, Any]:
        row, asked = recipient.contact, self._contact
        contact = {key: row[key] for key in self._columns}
        if "name" in asked:
            contact["name"] = full_name(row)
        if "email" in asked:
            contact["email"] = told_address(recipient.address)
        if "attributes" in asked:
            contact["attributes"] = row["attributes"] or {}
        return contact

    def _customer_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        asked, customer = self._customer, {}
        if "name" in asked:
            customer["name"] = row["name"] or None
        if "stage" in asked:
            customer["stage"] = row["stage"]
        if "owner" in asked:
            customer["owner"] = self._owners.get(row["owner_id"] or 0)
        return customer


def _parts(name: str, used: Collection[str]) -> Collection[str] | None:
    """The parts of a group that are used; None where it is used as a whole."""
    return None if name in used else {path.partition(".")[2] for path in used if path.startswith(f"{name}.")}
