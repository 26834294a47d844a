"""What a mailing asks of the store: orders are fetched for those templates alone that name them."""

import pytest

from tests.mailing.people import letter, mailing


@pytest.mark.parametrize(
    ("html", "asks"),
    [
        ("<p>{{ order.number }}</p>", True),
        ("{% for one in orders %}<p>{{ one.number }}</p>{% endfor %}", True),
        ("{% if order %}<p>Thanks</p>{% endif %}", True),
        ("{% set last = orders[0] %}<p>{{ last.total }}</p>", True),
        ('<p style="border: 0">In order of age</p>', False),
        ("<p>{{ contact.attributes.order }} {{ contact.reorder }}</p>", False),
    ],
)
def test_orders_are_asked_for_where_a_template_names_them(html, asks):
    assert mailing(letter(html)).uses_orders is asks
    assert mailing(letter(html), letter(language="de")).uses_orders is asks
    assert mailing(letter(), letter(html, language="de")).uses_orders is asks
