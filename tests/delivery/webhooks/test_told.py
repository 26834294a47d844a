"""JSON of strangers, asked by name: what is of another kind is as good as absent."""

from datetime import UTC, datetime

import pytest

from campaigns.delivery.webhooks.told import Told, load, same_address

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ("a\0b\x1b[31m\u202ec\u2028d", "a b [31m c d"),
        ("\ud800x", "?x"),
        ("  x  ", "x"),
        ("x" * 1000, "x" * 80),
        (5, "5"),
        (2.5, "2.5"),
        (True, ""),
        (None, ""),
        ([], ""),
        ({"a": 1}, ""),
        (10**30, ""),
    ],
)
def test_a_text_is_one_plain_line_and_cut(held, text):
    assert Told({"a": held}).text("a") == text


@pytest.mark.parametrize("held", [None, [], "x", 5, [{"a": 1}]])
def test_what_is_no_object_has_nothing_in_it(held):
    told = Told(held)
    assert not told
    assert told.text("a") == ""
    assert told.part("a").text("b") == ""
    assert list(told.parts("a")) == []
    assert told.texts("a") == []
    assert told.moment("a") is None


@pytest.mark.parametrize(
    ("held", "at"),
    [
        (NOON.timestamp(), NOON),
        (str(int(NOON.timestamp())), NOON),
        (int(NOON.timestamp() * 1000), NOON),
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22T12:00:00.1234567Z", NOON.replace(microsecond=123456)),
        ("2026-11-22 13:00:00+01", NOON),
        ("2026-11-22T12:00:00", NOON),
        ("1969-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-23:59", None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**300, None),
        ("9" * 400, None),
        ("yesterday", None),
        (True, None),
        ([], None),
    ],
)
def test_a_moment_is_read_in_all_its_forms_and_only_where_it_is_one(held, at):
    assert Told({"a": held}).moment("a") == at


@pytest.mark.parametrize(
    ("held", "address"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada <ada@example.com>", "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("ada", ""),
        ("ada @example.com x", ""),
        (["ada@example.com"], ""),
        ("<" * 500, ""),
    ],
)
def test_an_address_is_found_within_its_name(held, address):
    assert Told({"a": held}).mailbox("a") == address


@pytest.mark.parametrize(
    ("held", "ip"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("x", ""),
        (5, ""),
    ],
)
def test_an_ip_address_is_one_or_nothing(held, ip):
    assert Told({"a": held}).ip("a") == ip


@pytest.mark.parametrize(
    ("held", "status", "reply"),
    [("5.1.1", "5.1.1", None), ("550", None, "550"), (550, None, "550"), ("5.1.1.1", None, None), ("x", None, None),
     ("٥.١.١", None, None),
        ("5.١.١", None, None), ("1.1.1", None, None), ("99", None, None)],
)  # fmt: skip
def test_codes_are_codes_or_nothing(held, status, reply):
    told = Told({"a": held})
    assert (told.status("a"), told.reply("a")) == (status, reply)


@pytest.mark.parametrize(("held", "true"), [(True, True), (1, True), ("true", True), ("false", False), (0, False),
                                            (None, False), ([], False), ("yes", True), ({"a": 1}, False)])  # fmt: skip
def test_false_in_letters_is_false(held, true):
    assert Told({"a": held}).true("a") is true


@pytest.mark.parametrize("text", ["[" * 200_000, "1" * 5000, "", "nonsense", b"\xff"])
def test_what_is_no_json_or_none_that_is_honest_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        load(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@Example.com", "ada@example.com ", True),
        ("ada@bücher.example", "ada@xn--bcher-kva.example", True),
        ("ada@example.com", "eve@example.com", False),
        ("ada@example.com", "ada@example.org", False),
        ("ada@" + "ü" * 300, "ada@example.com", False),
    ],
)
def test_an_address_is_the_same_in_whatever_letters(one, other, same):
    assert same_address(one, other) is same
