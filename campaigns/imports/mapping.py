"""Which column of a file becomes which field, by its header, in English or German."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.errors import BadImport
from campaigns.imports.values import ATTRIBUTE_TYPES, is_key
from campaigns.values import Problem

#: The fields of a contact, each with the headers that name it (case, spaces and marks do not count).
CONTACT_FIELDS: dict[str, str] = {
    "external_id": "id, contact id, external id, crm id, kontakt id, kontaktnummer, kontakt nr, person id",
    "email": "email, e-mail, mail, email address, e-mail address, e-mail-adresse, mailadresse, emailadresse",
    "phone": "phone, telephone, phone number, mobile, mobile phone, cell, telefon, telefonnummer,"
    " handy, mobil, mobilnummer, rufnummer",
    "given_name": "given name, first name, firstname, forename, vorname",
    "family_name": "family name, last name, lastname, surname, nachname, familienname, zuname",
    "salutation": "salutation, anrede",
    "locale": "locale, language, lang, sprache, sprachcode",
    "time_zone": "time zone, timezone, tz, zeitzone",
    "country": "country, country code, land, staat, ländercode, länderkürzel",
    "region": "region, state, province, bundesland, kanton",
    "city": "city, town, stadt, ort, wohnort",
    "birthday": "birthday, birth date, date of birth, dob, geburtstag, geburtsdatum",
    "customer_external_id": "customer id, customer external id, account id, company id, kunden id,"
    " kundennummer, kunden nr, firmen id",
    "customer_name": "customer, customer name, company, company name, account, organisation,"
    " organization, firma, firmenname, unternehmen, kunde",
    "roles": "role, roles, function, rolle, rollen, funktion, position",
    "consent": "consent, opt in, optin, newsletter, subscribed, einwilligung, zustimmung, newsletter"
    " einwilligung",
    "consent_at": "consent at, consent date, opt in date, opt in at, subscribed at, einwilligung am,"
    " einwilligungsdatum, zustimmung am, anmeldedatum",
    "consent_source": "consent source, opt in source, einwilligung quelle, einwilligungsquelle,"
    " quelle der einwilligung",
    "consent_wording": "consent wording, wording, einwilligungstext, wortlaut",
    "consent_proof": "consent proof, proof, nachweis, einwilligungsnachweis",
}
#: The fields of a line of an order.
ORDER_FIELDS: dict[str, str] = {
    "order": "order, order id, order number, order no, external id, bestellung, bestellnummer,"
    " auftrag, auftragsnummer, bestell nr, auftrags nr",
    "customer": "customer, customer id, customer external id, account id, kunde, kundennummer, kunden"
    " id, kunden nr, contact id, kontakt id",
    "email": CONTACT_FIELDS["email"],
    "sku": "sku, product id, item number, item id, article number, artikelnummer, artikel nr, produktnummer",
    "product": "product, product name, item, item name, title, artikel, produkt, bezeichnung, produktname",
    "category": "category, product category, group, kategorie, warengruppe, produktgruppe",
    "quantity": "quantity, qty, count, units, menge, anzahl, stück, stückzahl",
    "amount": "amount, line amount, total, line total, sum, betrag, summe, gesamt, gesamtbetrag,"
    " positionsbetrag",
    "currency": "currency, currency code, währung, waehrung",
    "status": "status, order status, state, bestellstatus, auftragsstatus, zustand",
    "placed_at": "placed at, ordered at, order date, date, created at, bestelldatum, bestellt am,"
    " auftragsdatum, datum",
    "status_at": "status at, status date, changed at, status datum, geändert am",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that becomes a custom attribute of the contact."""

    key: str
    kind: str  #: one of ATTRIBUTE_TYPES


@dataclass(frozen=True, slots=True)
class Layout:
    """What each column of a file becomes."""

    header: tuple[str, ...]
    fields: dict[str, int]  #: field → column
    attributes: dict[Attribute, int] = field(default_factory=dict)

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Columns that nothing reads."""
        used = {*self.fields.values(), *self.attributes.values()}
        return tuple(name for number, name in enumerate(self.header) if number not in used)

    def as_json(self) -> dict[str, str]:
        """Give the mapping as it is kept with the import: column → field or attribute."""
        named = {self.header[column]: name for name, column in self.fields.items()}
        return named | {self.header[column]: f"{a.key}:{a.kind}" for a, column in self.attributes.items()}


def read_layout(
    header: Sequence[str],
    known: Mapping[str, str],
    *,
    chosen: Mapping[str, str] | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> Layout:
    """Match a header with the fields; `chosen` (column → field, or "-" for none) goes before the known names.

    Raises:
        BadImport: with every column that cannot be matched as asked.
    """
    names = tuple(name.strip() for name in header)
    problems = [
        Problem("the header", f"names the column {name!r} more than once.", "Give each column its own name.")
        for name in sorted({name for name in names if name and names.count(name) > 1})
    ]
    columns = {name: number for number, name in enumerate(names)}
    chosen, attributes = dict(chosen or {}), dict(attributes or {})
    for option, asked in (("--map", chosen), ("--attribute", attributes)):
        problems += [_no_column(option, name, names) for name in asked if name not in columns]
    problems += [
        Problem(f"--map {name}={to}", f"there is no field {to!r}.", f"Fields: {', '.join(known)}.")
        for name, to in chosen.items()
        if to not in known and to != "-"
    ]
    fields, doubled = _match(names, known, chosen, set(attributes))
    if problems or doubled:
        raise BadImport([*problems, *doubled])
    return Layout(names, fields, {attribute: columns[name] for name, attribute in attributes.items()})


def _match(
    names: Sequence[str], known: Mapping[str, str], chosen: Mapping[str, str], taken: set[str]
) -> tuple[dict[str, int], list[Problem]]:
    synonyms = {_plain(word): name for name, words in known.items() for word in (name, *words.split(","))}
    by_hand = {to for to in chosen.values() if to != "-"}
    fields: dict[str, int] = {}
    problems = []
    for column, name in enumerate(names):
        to = chosen.get(name) or synonyms.get(_plain(name))
        if to is None or to == "-" or name in taken or (name not in chosen and to in by_hand):
            continue
        if to in fields:
            both = f"{names[fields[to]]!r} and {name!r}"
            problems.append(
                Problem(
                    "the header",
                    f"both {both} would be {to}.",
                    f"Say which: --map {name!r}={to} or --map {name!r}=-",
                )
            )
            continue
        fields[to] = column
    return fields, problems


def _plain(header: str) -> str:
    """Reduce a header to its letters and digits, so that E-Mail, e_mail and eMail are one."""
    folded = unicodedata.normalize("NFKD", header.casefold().replace("ß", "ss"))
    return re.sub(r"[^a-z0-9]", "", folded)


def _no_column(option: str, name: str, names: Sequence[str]) -> Problem:
    return Problem(option, f"there is no column {name!r}.", f"Columns: {', '.join(filter(None, names))}.")


def read_attribute(text: str) -> tuple[str, Attribute]:
    """Read `COLUMN=key:type`.

    Raises:
        BadImport: if it is not of that form, or the key or type is none.
    """
    column, equals, rest = text.rpartition("=")
    key, colon, kind = rest.partition(":")
    if not (column and equals and colon and is_key(key) and kind in ATTRIBUTE_TYPES):
        cure = (
            f"Write COLUMN=key:type, the key in small letters, the type one of {', '.join(ATTRIBUTE_TYPES)}."
        )
        raise BadImport([Problem(f"--attribute {text}", "cannot be read.", cure)])
    return column, Attribute(key, kind)
