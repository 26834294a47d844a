"""A number of five thousand digits is no error of ours (Python itself refuses to read more than 4300)."""

import re
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

import web
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring, Purpose
from tests.hostile.house import House
from web.marketing.campaigns.fields import Fields
from web.numbers import number_from, numbers_from

LONG = "9" * 5000
_READ = re.compile(
    r"""(?:args|form|whole|choice|line|_typed|_numbers|_number|getlist|_contact)(?:\.get)?\(\s*"([\w-]+)\""""
)
#: Every name that a page of ours reads.
NAMES = sorted(
    {"shown"}
    | {name for file in Path(web.__file__).parent.rglob("*.py") for name in _READ.findall(file.read_text())}
)


def test_the_names_of_fields_are_found():
    assert {"topic", "page", "before", "campaign", "sender_id", "cap_count", "per_minute"} <= set(NAMES)


@pytest.mark.parametrize("number", [LONG, "9" * 19, "٣", "-1", "1e9"])
def test_no_number_in_an_address_breaks_a_page(house: House, number):
    client = house.at(Desk.ADMIN)
    numbered = [rule for rule in house.rules() if "<int:" in rule.rule]
    assert len(numbered) > 40
    for rule in numbered:
        method = next(iter(rule.methods - {"HEAD", "OPTIONS"}))
        path = re.sub(r"<[^>]*>", "x", re.sub(r"<int:[^>]*>", number, rule.rule))
        assert client.open(path, method=method).status_code < 500, rule


def test_no_number_in_a_field_breaks_a_page(either_house: House):
    client = either_house.at(Desk.ADMIN)
    for rule in either_house.rules():
        if "GET" in rule.methods and rule.endpoint != "health.readyz":
            answer = client.get(either_house.path(rule), query_string=dict.fromkeys(NAMES, LONG))
            assert answer.status_code < 500, rule


def test_no_number_in_a_form_breaks_the_contacts_page(house: House):
    signed = Keyring(house.settings.secret).sign(Purpose.PREFERENCES, run=house.lived.run, seq=1, contact=1)
    answer = house.public.test_client().post(f"/p/{signed}", data=dict.fromkeys(NAMES, LONG))
    assert answer.status_code == 200


def test_no_number_in_a_campaigns_card_breaks_it():
    fields = Fields(dict.fromkeys(("sender", "cap_count"), LONG))
    with Flask(__name__).test_request_context(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("web.marketing.campaigns.fields._", lambda text, **_: text)
        assert (fields.choice("sender", {1}), fields.whole("cap_count", 1, 9)) == (None, None)
    assert len(fields.problems) == 2


@given(st.one_of(st.text(), st.from_regex(r"\d{1,25}"), st.integers(0, 10**20).map(str)))
@settings(deadline=None, max_examples=200)
def test_a_number_is_ascii_digits_that_a_database_holds(text):
    plain = bool(re.fullmatch("[0-9]{1,18}", text))
    assert number_from(text) == (int(text) if plain else None)
    assert numbers_from([text, "7"]) == ([int(text)] if plain else []) + [7]
