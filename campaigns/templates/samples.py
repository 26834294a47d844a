"""Full examples of what a template may name, for previews and checks where no real contact is at hand."""

from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_EN: dict[str, Any] = {
    "contact": {
        "given_name": "Eleanor",
        "family_name": "O’Brien",
        "name": "Eleanor O’Brien",
        "salutation": "Ms",
        "email": "eleanor.obrien@example.com",
        "locale": "en-GB",
        "country": "GB",
        "region": "England",
        "city": "Bristol",
        "attributes": {},
    },
    "customer": {"name": "O’Brien & Daughters", "stage": "active", "owner": "Samuel Reed"},
    "sender": {
        "name": "Harbour & Vine",
        "address": "hello@harbourandvine.example",
        "postal_address": "Harbour & Vine Ltd, 14 Quay Street, Bristol BS1 4DJ, United Kingdom",
    },
    "campaign": {"name": "November letter"},
    "survey": {
        "title": "How are we doing?",
        "question": "How likely are you to recommend us to a friend or colleague?",
    },
    "products": ("Stoneware mug, sea green", "Linen tea towels, set of three", "Oak serving board"),
    "descriptions": (
        "Thrown by hand and glazed twice, so no two are alike.",
        "Washed soft, and they dry a glass without a trace.",
        "Oiled oak with a good handle, made to be passed around.",
    ),
    "currency": "GBP",
}
_DE: dict[str, Any] = {
    "contact": {
        "given_name": "Jürgen",
        "family_name": "Weiß",
        "name": "Jürgen Weiß",
        "salutation": "Herr",
        "email": "juergen.weiss@example.com",
        "locale": "de-DE",
        "country": "DE",
        "region": "Nordrhein-Westfalen",
        "city": "Köln",
        "attributes": {},
    },
    "customer": {"name": "Weiß & Söhne GmbH", "stage": "active", "owner": "Miriam Özdemir"},
    "sender": {
        "name": "Hafen & Rebe",
        "address": "hallo@hafenundrebe.example",
        "postal_address": "Hafen & Rebe GmbH, Am Kai 14, 50667 Köln, Deutschland",
    },
    "campaign": {"name": "Novemberbrief"},
    "survey": {
        "title": "Sind Sie zufrieden mit uns?",
        "question": "Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?",
    },
    "products": (
        "Steinzeugbecher, meergrün",
        "Geschirrtücher aus Leinen, drei Stück",
        "Servierbrett aus Eiche",
    ),
    "descriptions": (
        "Von Hand gedreht und zweimal glasiert, darum gleicht keiner dem anderen.",
        "Weich gewaschen, und sie trocknen ein Glas ohne Schlieren.",
        "Geölte Eiche mit gutem Griff, gemacht zum Herumreichen.",
    ),
    "currency": "EUR",
}
_PRICES = (Decimal("18.50"), Decimal("24.00"), Decimal("42.00"))
_BASE = "https://mail.example.com"


def sample_names(language: str = "en", today: date = date(2026, 11, 20)) -> dict[str, Any]:
    """Give a full example in German or English; every name of the table is there, and nothing is missing."""
    words = deepcopy(_DE if language.lower().startswith("de") else _EN)
    orders = [
        _order(words, "A-20471", datetime(2026, 11, 9, 14, 30, tzinfo=UTC), (0, 1)),
        _order(words, "A-19836", datetime(2026, 8, 21, 9, 5, tzinfo=UTC), (2,)),
    ]
    return {
        **{key: words[key] for key in ("contact", "customer", "sender", "campaign")},
        "links": {
            name: f"{_BASE}/{name}/sample"
            for name in ("unsubscribe", "preferences", "view", "survey", "confirm")
        },
        "order": orders[0],
        "orders": orders,
        "products": [_product(words, index) for index in range(len(_PRICES))],
        "survey": {
            **words["survey"],
            "scores": [{"value": value, "url": f"{_BASE}/answer/sample/{value}"} for value in range(11)],
        },
        "today": today,
    }


def _order(
    words: dict[str, Any], number: str, placed_at: datetime, products: tuple[int, ...]
) -> dict[str, Any]:
    lines = [
        {
            "product": words["products"][index],
            "quantity": 2,
            "amount": 2 * _PRICES[index],
            "currency": words["currency"],
        }
        for index in products
    ]
    total = sum((line["amount"] for line in lines), Decimal())
    return {
        "number": number,
        "placed_at": placed_at,
        "total": total,
        "currency": words["currency"],
        "lines": lines,
    }


def _product(words: dict[str, Any], index: int) -> dict[str, Any]:
    return {
        "name": words["products"][index],
        "description": words["descriptions"][index],
        "price": _PRICES[index],
        "currency": words["currency"],
        "url": f"https://shop.example.com/p/{index + 1}",
        "image": f"https://shop.example.com/p/{index + 1}.jpg",
    }
