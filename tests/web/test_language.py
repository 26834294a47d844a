import re
from datetime import UTC, datetime, timedelta

import pytest
from babel.messages.pofile import read_po
from flask import Flask, g
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web import words
from web import language

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SAID = words.said()


def catalogue() -> dict:
    found = {}
    for file in language.catalogue_files("de"):
        with file.open("rb") as source:
            found |= {message.id: message for message in read_po(source, locale="de") if message.id}
    return found


GERMAN = catalogue()


def marks(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[sd]|%%", text))


def test_everything_that_pages_say_is_said_in_german() -> None:
    missing = [
        f"{where}: {text!r}"
        for text, where in SAID.items()
        if text not in GERMAN or not GERMAN[text].string or GERMAN[text].fuzzy
    ]
    assert not missing, "add to web/<desk>/translations/de/LC_MESSAGES/messages.po:\n" + "\n".join(missing)


def test_a_translation_keeps_the_places_for_numbers_and_names() -> None:
    for message in GERMAN.values():
        english = message.id if isinstance(message.id, tuple) else (message.id,)
        german = message.string if isinstance(message.string, tuple) else (message.string,)
        for said in german:
            assert marks(said) in [marks(text) for text in english], message.id


@pytest.mark.parametrize(
    ("locale", "number", "share", "money", "day"),
    [
        ("en_GB", "1,234,567", "2.1%", "€1,234.50", "1 Jul 2026"),
        ("de_DE", "1.234.567", "2,1 %", "1.234,50 €", "01.07.2026"),
    ],
)
def test_numbers_and_days_are_written_as_the_reader_does(
    app: Flask, locale, number, share, money, day
) -> None:
    with app.test_request_context():
        g.locale = locale
        assert language.number(1234567) == number
        assert language.share(0.021).replace("\xa0", " ") == share
        assert language.money(123450, "EUR").replace("\xa0", " ") == money
        assert day in language.day(NOON)


def test_currencies_keep_their_own_minor_units(app: Flask) -> None:
    with app.test_request_context():
        assert language.money(500, "JPY").endswith("500")
        assert language.money(5001, "KWD").endswith("5.001")


def test_nothing_is_written_as_a_dash_never_as_zero(app: Flask) -> None:
    with app.test_request_context():
        written = [
            language.number(None),
            language.share_of(1, 0),
            language.share_of(None, 5),
            language.moment(None),
        ]
        assert written == [language.NOTHING] * 4
        assert language.share_of(0, 5) == "0.0%"


def test_times_are_shown_in_the_zone_that_the_browser_named(app: Flask) -> None:
    with app.test_request_context(headers={"Cookie": "zone=Asia/Tokyo"}):
        assert "21:00" in language.moment(NOON)
        assert 'datetime="2026-07-01T12:00:00+00:00"' in language.moment(NOON)
        assert "2 Jul" in language.day(NOON + timedelta(hours=4))


@pytest.mark.parametrize(
    ("zone", "locale", "named"),
    [
        ("Europe/Berlin", "de_DE", "MESZ"),
        ("Europe/London", "en_GB", "BST"),
        ("Asia/Tokyo", "de_DE", "UTC+9"),
        ("Asia/Kolkata", "en_GB", "UTC+5:30"),
        ("America/St_Johns", "de_DE", "UTC−2:30"),
        ("UTC", "de_DE", "UTC"),
    ],
)
def test_a_moment_stands_with_its_zone(app: Flask, zone, locale, named) -> None:
    with app.test_request_context(headers={"Cookie": f"zone={zone}"}):
        g.locale = locale
        assert f'<span class="zone">{named}</span></time>' in language.moment(NOON)
        assert language.zone(NOON) == named


def test_when_a_run_was_due_is_written_as_the_reader_does(app: Flask) -> None:
    with app.test_request_context():
        g.locale = "de_DE"
        assert language.occurrence("2026-07-01T09:30", "Europe/Rome") == "01.07.2026, 09:30 (Europe/Rome)"
        assert language.occurrence("no moment") == "no moment"


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P")), max_size=30))
def test_a_hostile_zone_is_utc(name: str) -> None:
    app = Flask("empty")
    with app.test_request_context(headers={"Cookie": f"zone={name}"}):
        zone = language.chosen_timezone().key
    assert zone == "UTC" or zone == name.split(";", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("tags", "chosen"),
    [
        (["de-CH", "en"], "de_CH"),
        (["fr", "de"], "de_DE"),
        (["fr"], "en_GB"),
        (["en-US"], "en_US"),
        (["../../etc", "x" * 500, "de_de_de_de", "*"], "en_GB"),
        ([], "en_GB"),
    ],
)
def test_the_first_language_that_we_speak_is_chosen(tags: list[str], chosen: str) -> None:
    assert language.locale_for(tags) == chosen


def test_a_text_with_per_cent_signs_stays_as_it_is(app: Flask) -> None:
    with app.test_request_context():
        assert language.said("100 % (sure) %s <b>") == "100 % (sure) %s <b>"
