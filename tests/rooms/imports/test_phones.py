"""Phone numbers: the quick verdict is that of phonenumbers, whatever the number and wherever it is read."""

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.imports.phones import BadPhone, PhoneReader

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
READERS = {
    country: PhoneReader(country) for country in (None, "DE", "AT", "IT", "US", "GB", "RU", "BR", "HU", "MX")
}


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number near a valid one, as somebody may write it."""
    kind = draw(st.integers(0, 10))
    region = draw(st.sampled_from(REGIONS))
    number = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    digits = list(str(number.national_number))
    for place, digit in draw(
        st.lists(st.tuples(st.integers(0, len(digits) - 1), st.sampled_from("0123456789")), max_size=4)
    ):
        digits[place] = digit
    national = "".join(digits)
    code = number.country_code
    forms = [
        f"+{code}{national}",
        f"0{national}",
        f"00{code}{national}",
        national,
        f"+{code}0{national}",
        f"8{national}",
    ]
    written = draw(st.sampled_from(forms))
    place = draw(st.integers(0, len(written)))
    return written[:place] + draw(st.sampled_from(["", "", " ", "/", "-", ".", "(0)", "x"])) + written[place:]


def by_the_library(text: str, country: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text.strip(), country)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None


@settings(max_examples=500, deadline=None)
@given(numbers(), st.sampled_from(list(READERS)))
@example("+49 151 23456789", None)
@example("0151/23456789", "DE")
@example("+39 06 698 12345", "DE")
@example("+7 800 555 35 35", "RU")
def test_the_quick_verdict_is_the_librarys(text: str, country: str | None) -> None:
    try:
        found = READERS[country].read(text.strip())
    except BadPhone:
        found = None
    assert found == by_the_library(text, country)


def test_a_number_without_a_plus_needs_a_country() -> None:
    with pytest.raises(BadPhone, match="no country code"):
        PhoneReader().read("0151 23456789")
    assert PhoneReader("DE").read("0151 23456789") == "+4915123456789"


def test_a_number_that_cannot_exist_is_refused() -> None:
    with pytest.raises(BadPhone, match="can exist"):
        PhoneReader("DE").read("+49 111")
