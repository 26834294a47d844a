"""Addresses: the quick reader's verdict is the library's, and one mailbox has one form."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.imports.addresses import AddressReader, BadAddress, normalise
from campaigns.imports.values import Bad

LOCAL = st.one_of(
    st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-", max_size=12),
    st.text('äöüßÄİςΣあ a"<>@\\,\u0301\u200d', max_size=6),
    st.just("x" * 64),
    st.just("x" * 240),
)
LABEL = st.one_of(
    st.text("abcXYZ019-", min_size=1, max_size=10),
    st.sampled_from(
        [
            "müller",
            "MÜLLER",
            "xn--mller-kva",
            "xn--",
            "例え",
            "пример",
            "1",
            "-a",
            "a--b",
            "ⓐ",
            "a\u200db",
            "אב",
        ]
    ),
    st.just("y" * 63),
)
DOMAIN = st.one_of(
    st.lists(LABEL, min_size=1, max_size=5).map(".".join),
    st.builds(
        "{}.{}".format,
        LABEL,
        st.sampled_from(["com", "de", "test", "local", "invalid", "c0m", "рф", "example。com"]),
    ),
    st.sampled_from(["[127.0.0.1]", "example.com>", "", ".", "exa mple.com", "example.com.", "\u0338a.com"]),
)


def by_the_library(address: str) -> str | None:
    try:
        found = validate_email(address.strip(), check_deliverability=False)
    except EmailNotValidError:
        return None
    return found.ascii_domain


@settings(max_examples=400, deadline=None)
@given(st.lists(st.builds("{}@{}".format, LOCAL, DOMAIN), min_size=1, max_size=6))
@example(["a@müller.de", "b@müller.de", '"a b"@müller.de'])
@example(["x" * 64 + "@" + ".".join(["y" * 63] * 3) + ".de"] * 2)
def test_the_quick_reader_agrees_with_the_library(addresses: list[str]) -> None:
    reader = AddressReader()
    for _ in range(2):  # the second time each domain is remembered
        for address, found in zip(addresses, reader.read_many(addresses), strict=True):
            domain = by_the_library(address)
            assert isinstance(found, Bad) == (domain is None)
            if domain is not None:
                assert found.rpartition("@")[2] == domain.lower()
                assert found == normalise(address) == reader.read(address)


@settings(max_examples=200, deadline=None)
@given(LOCAL, st.sampled_from(["Müller.de", "XN--MLLER-KVA.DE", "Example.COM", "例え.jp"]))
def test_a_normalised_address_is_its_own_normal_form(local: str, domain: str) -> None:
    try:
        once = normalise(f"{local}@{domain}")
    except BadAddress:
        return
    assert normalise(once) == once


def test_spellings_of_one_mailbox_are_one_address() -> None:
    spellings = ["Ada@Müller.DE", " ada@müller.de ", "ADA@xn--mller-kva.de", "ada@mu\u0308ller.de"]
    assert {normalise(spelling) for spelling in spellings} == {"ada@xn--mller-kva.de"}
    assert set(AddressReader().read_many(spellings)) == {"ada@xn--mller-kva.de"}


def test_a_refusal_says_why() -> None:
    with pytest.raises(BadAddress, match="period"):
        normalise("ada@localdomain")
    (found,) = AddressReader().read_many(["ada.example.com"])
    with pytest.raises(EmailNotValidError) as refused:
        validate_email("ada.example.com")
    assert found == Bad(str(refused.value))


def test_a_cell_of_two_lines_shifts_no_other_address() -> None:
    cells = ["ada@example.com", "bob@\nexample.com", "", "cy@example.com"]
    found = AddressReader().read_many(cells)
    assert found[0] == "ada@example.com"
    assert found[3] == "cy@example.com"
    assert isinstance(found[1], Bad)
    assert isinstance(found[2], Bad)
