"""Domains in their own letters, unless they could pass for another's."""

import idna
import pytest
from flask import Flask, render_template_string
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.idn import told_address, told_domain

PLAIN = [
    "münchen.de",
    "straße.example",
    "παράδειγμα.gr",
    "пример.рф",
    "日本語.jp",
    "한국.kr",
    "ايران.ir",
    "việt.com.vn",
    "中国.中国",
    "日本.tokyo.jp",
    "ею.ею",
    "שלום.co.il",
    "łódź.pl",
    "þór.is",
    "türkçe.com",
]
DECEIVING = {
    "аррӏе.com": "all of its letters look like Latin ones",
    "pаypal.com": "one Cyrillic letter among Latin ones",
    "日本語abc.jp": "two scripts",
    "ορα.gr": "all of its letters look like Latin ones",
    "ıstanbul.example": "a dotless i",
    "ɑpple.com": "a phonetic a",
    "þaypal.com": "an Icelandic letter that looks like a p",
    "ạpple.com": "a dot below that is easily overlooked",
    "ģoogle.com": "a comma that is easily overlooked",
    "ဝဝ.com": "Burmese letters away from home",
    "סס.com": "Hebrew letters away from home",
    "ოო.com": "Georgian letters away from home",
    "ഠഠ.com": "Malayalam letters away from home",
    "ଠଠ.com": "Odia letters away from home",
    "ყ.com": "a Georgian y",
    "ү.com": "a Mongolian y",
    "ү.mn": "a Mongolian y at home",
    "χαν.gr": "a Greek xav",
    "ϳαν.gr": "a Greek jav",
    "סס.il": "two Hebrew circles at home",
    "пример.example": "Cyrillic letters away from home",
    "пример.gr": "Cyrillic letters under a domain of Greeks",
}  # fmt: skip


@pytest.mark.parametrize("domain", PLAIN)
def test_a_domain_of_one_script_is_told_in_its_own_letters(domain: str) -> None:
    stored = idna.encode(domain).decode()
    assert stored.startswith("xn--")
    assert told_domain(stored) == domain
    assert told_address(f"a.b@{stored}") == f"a.b@{domain}"


@pytest.mark.parametrize("domain", DECEIVING, ids=DECEIVING.values())
def test_a_domain_that_could_pass_for_another_stays_as_the_dns_has_it(domain: str) -> None:
    stored = idna.encode(domain).decode()
    assert told_domain(stored) == stored


def test_a_label_is_told_under_a_domain_of_its_own_letters_alone() -> None:
    for label, told in [("пример", "xn--e1afmkfd.ελ"), ("παράδειγμα", "παράδειγμα.ελ")]:
        assert told_domain(idna.encode(f"{label}.ελ").decode()) == told


@pytest.mark.parametrize(
    "text", ["", "plain.example", "xn--", "xn--a", "xn--9.com", "xn--\u200d.com", "@", "no address", "<b>xn--x</b>"]
)  # fmt: skip
def test_what_is_no_such_domain_stays_as_it_is(text: str) -> None:
    assert told_address(text) == text


@settings(deadline=None, max_examples=150)
@given(st.text(st.characters(codec="utf-8", categories=("L", "M", "N")), min_size=1, max_size=12))
def test_what_is_told_always_leads_back_to_what_is_stored(label: str) -> None:
    try:
        stored = idna.encode(label + ".example").decode()
    except (idna.IDNAError, UnicodeError):
        return
    told = told_domain(stored)
    assert idna.encode(told).decode() == stored


def test_pointing_at_a_told_address_shows_the_stored_one(app: Flask) -> None:
    with app.test_request_context():
        page = render_template_string("{{ it|address }}", it="jo@xn--mnchen-3ya.example")
        plain = render_template_string("{{ it|address }}", it='"<b>"@plain.example')
    assert page == '<bdi dir="ltr" title="jo@xn--mnchen-3ya.example">jo@münchen.example</bdi>'
    assert "<b>" not in plain
    assert "title" not in plain
