"""Preflight: each fault is found, in words, with its cure; a sound mail has none."""

import pytest

from campaigns.templates.preflight import Level, check, shown_without_fallback
from campaigns.templates.render import compile_source
from campaigns.values import BodyKind, Source

FOOT = '<p><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ sender.postal_address }}</p>'


def _findings(
    body="<p>Hello</p>", subject="A subject", preheader="More of it", kind=BodyKind.HTML, text="", foot=FOOT
):
    source = Source(kind, subject, body + foot, preheader=preheader, text=text)
    return check(compile_source(source), source)


def test_a_sound_mail_has_no_findings():
    assert _findings() == []


@pytest.mark.parametrize(
    ("fault", "level", "words"),
    [
        ({"subject": " "}, Level.BLOCKER, "no subject"),
        ({"foot": "<p>{{ sender.postal_address }}</p>"}, Level.BLOCKER, "no link to unsubscribe"),
        ({"foot": '<a href="{{ links.unsubscribe }}">x</a>'}, Level.BLOCKER, "postal address"),
        ({"text": "Hello"}, Level.BLOCKER, "text part has no link to unsubscribe"),
        ({"body": '<a href="#">x</a>'}, Level.BLOCKER, "leads nowhere"),
        ({"body": '<a href="">x</a>'}, Level.BLOCKER, "leads nowhere"),
        ({"body": '<a href="https://example.com/x">x</a>'}, Level.BLOCKER, "leads nowhere"),
        ({"body": '<a href="shop.html">x</a>'}, Level.BLOCKER, "no host"),
        ({"body": "<p>" + "x" * 103_000 + "</p>"}, Level.BLOCKER, "102,400"),
        ({"body": "{% for o in orders %}<p>" + "x" * 60_000 + "</p>{% endfor %}"}, Level.BLOCKER, "102,400"),
        ({"body": "<p>" + "x" * 99_000 + "</p>"}, Level.WARNING, "102,400"),
        ({"preheader": ""}, Level.WARNING, "no preheader"),
        ({"body": '<img src="https://a.test/x.png">'}, Level.WARNING, "no alternative text"),
        ({"body": '<img src="http://a.test/x.png" alt="x">'}, Level.WARNING, "without encryption"),
        ({"body": '<a href="http://a.test/">x</a>'}, Level.WARNING, "not encrypted"),
        (
            {"body": "<style>@import url('https://fonts.test/a.css');</style>"},
            Level.WARNING,
            "fetched from fonts.test",
        ),
        ({"subject": "x " * 40}, Level.WARNING, "79 characters"),
        ({"subject": "BUY THIS NOW {{ contact.email }}"}, Level.WARNING, "capitals"),
        ({"subject": "Now!!!"}, Level.WARNING, "many !"),
        ({"body": "<p>{{ contact.city }}</p>"}, Level.WARNING, "contact.city is shown without a fallback"),
    ],
)
def test_a_fault_is_found_with_its_cure(fault, level, words):
    found = [finding for finding in _findings(**fault) if words in finding.words]
    assert [finding.level for finding in found] == [level]
    assert found[0].cure


def test_an_empty_text_part_is_found():
    source = Source(BodyKind.TEXT, "s", " ")
    assert any("text part is empty" in finding.words for finding in check(compile_source(source), source))


def test_a_font_that_mjml_fetches_by_itself_is_found():
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert any(
        "fonts.googleapis.com" in finding.words for finding in _findings(body, kind=BodyKind.MJML, foot="")
    )


def test_blockers_come_first():
    levels = [
        finding.level for finding in _findings(subject="", preheader="", body='<img src="http://a.test/x">')
    ]
    assert levels == sorted(levels)
    assert set(levels) == set(Level)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("{{ contact.given_name }}", ["contact.given_name"]),
        ("{{ contact.given_name|upper }}", ["contact.given_name"]),
        ("{{ contact.given_name|upper|default('x') }}", []),
        ("{{ contact.given_name|default('x')|upper }}", []),
        ("{% if contact.given_name %}{{ contact.given_name }}{% endif %}", []),
        ("{% if contact.given_name and contact.city %}{{ contact.city }}{% endif %}", []),
        ("{% if contact.given_name or contact.city %}{{ contact.city }}{% endif %}", ["contact.city"]),
        ("{% if not contact.city %}x{% else %}{{ contact.city }}{% endif %}", []),
        ("{% if contact.city %}x{% else %}{{ contact.city }}{% endif %}", ["contact.city"]),
        ("{{ contact.city if contact.city else 'x' }}", []),
        ("{% if order %}{{ order.number }}{% endif %}", []),
        ("{{ order.number }}", ["order.number"]),
        ("{% for o in orders %}{{ o.number }}{% endfor %}", []),
        ("{% for p in products %}{{ p.price|money }}{% endfor %}", ["products[].price"]),
        ("{% for p in products %}{% if p.price %}{{ p.price|money }}{% endif %}{% endfor %}", []),
        ("{{ contact.email }} {{ today|date }}", []),
        ("{{ contact.attributes.plan }}", ["contact.attributes.plan"]),
    ],
)
def test_names_without_a_fallback_are_listed(body, paths):
    assert [shown.path for shown in shown_without_fallback(Source(BodyKind.TEXT, "s", body))] == paths
