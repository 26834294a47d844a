"""What a rule may name: the fields of a contact and of the customer the contact is at, with their types."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class FieldType(StrEnum):
    """What a field holds; decides which operators fit it."""

    TEXT = "text"  #: compared without regard to the case of A–Z (and of no other letter)
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"  #: a day of the calendar, without a time zone
    MOMENT = "moment"  #: a point in time; days are days in UTC
    LIST = "list"  #: a set of texts


class Spelling(StrEnum):
    """How texts of a field are stored, so that a rule's value can be brought to the same spelling."""

    FREE = "free"  #: as somebody typed it
    COUNTRY = "country"  #: a country's two-letter code
    ADDRESS = "address"  #: a mail address: lower case, its domain in ASCII
    DOMAIN = "domain"  #: a domain in ASCII, lower case


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a rule may ask about."""

    name: str  #: as written in a rule, "contact.country"
    type: FieldType
    label: str  #: as written in a sentence, "country"
    spelling: Spelling = Spelling.FREE

    @property
    def entity(self) -> str:
        """Say whose field it is: contact, customer or activity."""
        return self.name.partition(".")[0]

    @property
    def attribute(self) -> str | None:
        """Give the attribute's key; None for a field that every contact or customer has."""
        _entity, _dot, rest = self.name.partition(".")
        return rest.removeprefix("attributes.") if rest.startswith("attributes.") else None


_TEXT, _DATE, _MOMENT = FieldType.TEXT, FieldType.DATE, FieldType.MOMENT

BUILT_IN: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field("contact.email", _TEXT, "mail address", Spelling.ADDRESS),
        Field("contact.domain", _TEXT, "mail domain", Spelling.DOMAIN),
        Field("contact.phone", _TEXT, "phone"),
        Field("contact.external_id", _TEXT, "external id"),
        Field("contact.given_name", _TEXT, "given name"),
        Field("contact.family_name", _TEXT, "family name"),
        Field("contact.locale", _TEXT, "locale"),
        Field("contact.language", _TEXT, "language"),
        Field("contact.time_zone", _TEXT, "time zone"),
        Field("contact.country", _TEXT, "country", Spelling.COUNTRY),
        Field("contact.region", _TEXT, "region"),
        Field("contact.city", _TEXT, "city"),
        Field("contact.birthday", _DATE, "birthday"),
        Field("contact.source", _TEXT, "source"),
        Field("contact.created_at", _MOMENT, "creation"),
        Field("customer.kind", _TEXT, "customer's kind"),
        Field("customer.name", _TEXT, "customer's name"),
        Field("customer.external_id", _TEXT, "customer's external id"),
        Field("customer.stage", _TEXT, "customer's stage"),
        Field("customer.owner", _TEXT, "customer's owner"),
        Field("customer.country", _TEXT, "customer's country", Spelling.COUNTRY),
        Field("customer.region", _TEXT, "customer's region"),
        Field("customer.city", _TEXT, "customer's city"),
        Field("customer.created_at", _MOMENT, "customer's creation"),
        Field("activity.last_sent_at", _MOMENT, "last mail"),
        Field("activity.last_opened_at", _MOMENT, "last open"),
        Field("activity.last_clicked_at", _MOMENT, "last click"),
        Field("activity.last_answered_at", _MOMENT, "last survey answer"),
        Field("activity.last_ordered_at", _MOMENT, "last order"),
    )
}

#: Attribute types by entity and key, as defined by this installation.
Definitions = Mapping[tuple[str, str], FieldType]
NO_DEFINITIONS: Definitions = {}


#: Keys of attributes that every database finds alike inside of its JSON.
ATTRIBUTE_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .\-]{0,59}", re.ASCII)


def known_fields(definitions: Definitions) -> dict[str, Field]:
    """List every field by name: the built-in ones and the attributes defined under a usable key."""
    fields = dict(BUILT_IN)
    for (entity, key), type_ in definitions.items():
        if not ATTRIBUTE_KEY.fullmatch(key):
            continue
        name = f"{entity}.attributes.{key}"
        fields[name] = Field(name, type_, key if entity == "contact" else f"customer's {key}")
    return fields


def nearest(word: str, words: Iterable[str]) -> str:
    """Say which known word was probably meant; empty where none is near."""
    found = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"Did you mean {found[0]!r}?" if found else ""
