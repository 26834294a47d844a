"""A rule as one sentence, in English and in German."""

import re
from typing import Any

import pytest
from hypothesis import given, settings

from campaigns.segments import german
from campaigns.segments.describe import DOINGS, SPEECHES, describe
from campaigns.segments.fields import BUILT_IN
from campaigns.segments.reading import parse_rule
from campaigns.segments.rules import Rule
from campaigns.segments.speech import money
from campaigns.values import EventKind
from tests.rooms.segments.random_rules import rules
from tests.rooms.segments.world import DEFINITIONS


def sentence(rule: Any, language: str = "en") -> str:
    return describe(parse_rule({"version": 1, "rule": rule}, DEFINITIONS), language)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"everyone": True}, "All contacts."),
        (
            {"all": [{"field": "contact.country", "is": "in", "value": ["DE", "AT", "CH"]}, {"did": "clicked", "times": {"at least": 2}, "within": {"last": {"days": 90}}}]},
            "Contacts whose country is “DE”, “AT” or “CH” and who clicked a link in person at least 2 times in the last 90 days.",
        ),
        (
            {"all": [{"any": [{"consent": "news", "is": "granted"}, {"role": "decider"}]}, {"not": {"segment": "vip"}}]},
            "Contacts (who agreed to “news” or who are “decider” at a customer) and who are not among those who are in the segment “vip”.",
        ),
        ({"field": "contact.city", "is": "!=", "value": "Bonn"}, "Contacts whose city is not “Bonn” or is not known."),
        ({"field": "contact.birthday", "is": "anniversary", "value": {"days": 1}}, "Contacts whose birthday has its anniversary today or in the next 1 day."),
        ({"field": "customer.attributes.size", "is": "between", "value": [10, 50]}, "Contacts whose customer's size is between 10 and 50."),
        ({"field": "activity.last_opened_at", "is": "not in the last", "value": {"weeks": 2}}, "Contacts whose last open is not in the last 2 weeks or is not known."),
        ({"field": "contact.created_at", "is": ">=", "value": "2026-01-01"}, "Contacts whose creation is not before 2026-01-01."),
        ({"field": "contact.attributes.tags", "is": "all of", "value": ["vip", "b2b"]}, "Contacts whose tags include “vip” and “b2b”."),
        ({"did_not": "sent", "campaign": 7}, "Contacts who never were sent a mail of campaign 7."),
        ({"did": "opened", "by": "any", "who": "customer"}, "Contacts at whose customer people opened a mail (machines counted too)."),
        ({"bought": {"category": "tea"}, "spent": {"at least": 5000, "currency": "EUR"}, "within": {"between": ["2026-01-01", "2026-03-31"]}}, "Contacts whose customer bought anything of the category “tea” for at least EUR 50.00 in all between 2026-01-01 and 2026-03-31."),
        ({"did_not_buy": {"sku": "T-1"}, "who": "contact"}, "Contacts who themselves never bought the product “T-1”."),
        ({"answered": "nps", "question": "score", "is": ">=", "value": 9}, "Contacts who answered the question “score” of the survey “nps” with at least 9."),
    ],
)  # fmt: skip
def test_a_rule_is_said_in_one_sentence(rule: Any, said: str) -> None:
    assert sentence(rule) == said


def test_every_kind_of_event_can_be_said() -> None:
    assert set(DOINGS) == set(german.DOINGS) == set(EventKind)


def test_every_field_has_a_german_name() -> None:
    assert set(german.LABELS) == set(BUILT_IN)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"everyone": True}, "Alle Kontakte."),
        (
            {"all": [{"field": "contact.country", "is": "in", "value": ["DE", "AT", "CH"]}, {"did": "clicked", "times": {"at least": 2}, "within": {"last": {"days": 90}}}]},
            "Kontakte, deren Land „DE“, „AT“ oder „CH“ ist und die selbst in den letzten 90 Tagen mindestens 2-mal einen Link angeklickt haben.",
        ),
        (
            {"all": [{"any": [{"consent": "news", "is": "granted"}, {"role": "decider"}]}, {"not": {"segment": "vip"}}]},
            "Kontakte, (die „news“ zugestimmt haben oder die bei einem Kunden „decider“ sind) und die nicht zu denen gehören, die im Segment „vip“ sind.",
        ),
        ({"field": "contact.city", "is": "!=", "value": "Bonn"}, "Kontakte, deren Ort nicht „Bonn“ ist oder nicht bekannt ist."),
        ({"field": "contact.birthday", "is": "anniversary", "value": {"days": 1}}, "Kontakte, deren Geburtstag sich heute oder am nächsten Tag jährt."),
        ({"field": "customer.attributes.size", "is": "between", "value": [10, 50]}, "Kontakte, deren Merkmal „size“ des Kunden zwischen 10 und 50 liegt."),
        ({"field": "activity.last_opened_at", "is": "not in the last", "value": {"weeks": 2}}, "Kontakte, deren letzte Öffnung nicht in den letzten 2 Wochen liegt oder nicht bekannt ist."),
        ({"field": "contact.created_at", "is": ">=", "value": "2026-01-01"}, "Kontakte, deren Aufnahme nicht vor 01.01.2026 liegt."),
        ({"field": "contact.attributes.tags", "is": "none of", "value": ["vip", "b2b"]}, "Kontakte, deren Merkmal „tags“ weder „vip“ noch „b2b“ enthält oder nicht bekannt ist."),
        ({"did_not": "sent", "campaign": 7}, "Kontakte, die nie eine Mail aus Kampagne 7 bekommen haben."),
        ({"did": "opened", "by": "any", "who": "customer"}, "Kontakte, bei deren Kunden jemand eine Mail geöffnet hat (auch Maschinen zählen)."),
        ({"bought": {"category": "tea"}, "spent": {"at least": 5000, "currency": "EUR"}, "within": {"between": ["2026-01-01", "2026-03-31"]}}, "Kontakte, deren Kunde zwischen 01.01.2026 und 31.03.2026 etwas der Kategorie „tea“ für insgesamt mindestens 50,00 EUR gekauft hat."),
        ({"did_not_buy": {"sku": "T-1"}, "who": "contact"}, "Kontakte, die selbst nie das Produkt „T-1“ gekauft haben."),
        ({"answered": "nps", "question": "score", "is": ">=", "value": 9}, "Kontakte, die in der Umfrage „nps“ die Frage „score“ mit mindestens 9 beantwortet haben."),
    ],
)  # fmt: skip
def test_a_rule_is_said_in_one_german_sentence(rule: Any, said: str) -> None:
    assert sentence(rule, "de") == said


@settings(deadline=None, max_examples=80)
@given(rules)
def test_every_rule_can_be_said_in_every_language(rule: Rule) -> None:
    for language in SPEECHES:
        said = describe(rule, language)
        assert said.endswith(".")
        assert not re.search(r"\{\w*\}|\w  \w| \.$", said)


def test_a_language_that_is_none_of_ours_is_told_in_english() -> None:
    assert sentence({"everyone": True}, "fr") == "All contacts."


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (5000, "EUR", "50.00"),
        (5, "EUR", "0.05"),
        (-1250, "GBP", "-12.50"),
        (5000, "JPY", "5000"),
        (1, "KWD", "0.001"),
    ],
)
def test_sums_are_written_with_the_decimals_of_their_currency(amount, currency, written):
    assert money(amount, currency) == written
