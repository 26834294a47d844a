"""A rule as one English sentence."""

from typing import Any

import pytest

from campaigns.segments.describe import DOINGS, describe
from campaigns.segments.reading import parse_rule
from campaigns.values import EventKind
from tests.rooms.segments.world import DEFINITIONS


def sentence(rule: Any) -> str:
    return describe(parse_rule({"version": 1, "rule": rule}, DEFINITIONS))


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
        ({"bought": {"category": "tea"}, "spent": {"at least": 5000, "currency": "EUR"}, "within": {"between": ["2026-01-01", "2026-03-31"]}}, "Contacts whose customer bought anything of the category “tea” for at least 5000 (minor units) EUR in all between 2026-01-01 and 2026-03-31."),
        ({"did_not_buy": {"sku": "T-1"}, "who": "contact"}, "Contacts who themselves never bought the product “T-1”."),
        ({"answered": "nps", "question": "score", "is": ">=", "value": 9}, "Contacts who answered the question “score” of the survey “nps” with at least 9."),
    ],
)  # fmt: skip
def test_a_rule_is_said_in_one_sentence(rule: Any, said: str) -> None:
    assert sentence(rule) == said


def test_every_kind_of_event_can_be_said() -> None:
    assert set(DOINGS) == set(EventKind)
