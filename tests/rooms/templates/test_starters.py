"""The starters: ready to send, in both languages, for people of whom much or little is known."""

import re

import pytest

from campaigns.errors import NotFound
from campaigns.templates import starters
from campaigns.templates.preflight import CLIPPED, Level, check
from campaigns.templates.render import compile_source, prepare
from campaigns.templates.samples import sample_names
from campaigns.templates.uses import used_names

ALL = [(name, language) for name in starters.NAMES for language in starters.LANGUAGES]
LITTLE = {
    "contact": {"given_name": None, "family_name": None, "name": None, "email": "a@b.test", "attributes": {}},
    "customer": {"name": None, "stage": None, "owner": None},
    "sender": {"name": "We", "address": "w@b.test", "postal_address": "1 Road, Town"},
    "campaign": {"name": "c"},
    "links": {
        "unsubscribe": "https://t.test/u",
        "preferences": "https://t.test/p",
        "view": "https://t.test/v",
        "confirm": "https://t.test/y",
        "survey": None,
    },
    "order": None,
    "orders": [],
    "products": [
        {"name": "Thing", "price": None, "currency": None, "url": None, "image": None, "description": None}
    ],
    "survey": None,
}


@pytest.mark.parametrize(("name", "language"), ALL)
def test_preflight_finds_nothing_to_mend(name, language):
    source = starters.load(name, language)
    hints = check(compile_source(source), source)
    assert [one.words for one in hints] == [
        "It looks plainer in Outlook for Windows, GMX and WEB.DE: rounded corners."
    ]
    assert {one.level for one in hints} == {Level.HINT}


@pytest.mark.parametrize(("name", "language"), ALL)
def test_it_renders_for_a_contact_of_whom_nothing_is_known(name, language):
    content = prepare(compile_source(starters.load(name, language))).render(LITTLE)
    for part in (content.subject, content.html, content.text):
        assert "None" not in part
        assert not re.search(r" ,|,,|\( ?\)|\bGuten Tag\s+,", part)
    assert content.subject.strip()


@pytest.mark.parametrize(("name", "language"), ALL)
def test_it_fetches_nothing_and_speaks_its_language(name, language):
    names = sample_names(language)
    for product in names["products"]:
        product["image"] = None
    html = prepare(compile_source(starters.load(name, language))).render(names).html
    assert f'<html lang="{language}"' in html
    assert not re.search(r"<img|@import|<link|url\(\s*['\"]?http", html)
    assert 'name="color-scheme"' in html
    assert "prefers-color-scheme: dark" in html
    assert len(html.encode()) < CLIPPED / 2


@pytest.mark.parametrize(("name", "language"), [pair for pair in ALL if pair[0] != "confirmation"])
def test_it_says_why_it_came_and_offers_the_ways_out(name, language):
    html = prepare(compile_source(starters.load(name, language))).render(sample_names(language)).html
    names = sample_names(language)
    for address in ("unsubscribe", "preferences", "view"):
        assert f'href="{names["links"][address]}"' in html
    assert names["contact"]["email"] in html
    assert starters.title(name, language)


@pytest.mark.parametrize("language", starters.LANGUAGES)
def test_the_confirmation_says_nothing_that_its_asker_wrote(language):
    compiled = compile_source(starters.load("confirmation", language))
    assert used_names(compiled) == {"links.confirm", "sender.name", "sender.postal_address"}


def test_both_languages_show_the_same_names():
    for name in starters.NAMES:
        links = [
            set(
                re.findall(
                    r"links\.\w+|survey\.scores|order\.lines|product\.\w+", starters.load(name, language).body
                )
            )
            for language in starters.LANGUAGES
        ]
        assert links[0] == links[1], name


def test_an_unknown_starter_is_answered_with_the_known_ones():
    with pytest.raises(NotFound, match="newsletter"):
        starters.load("../newsletter")
    with pytest.raises(NotFound, match="en, de"):
        starters.load("newsletter", "fr")
