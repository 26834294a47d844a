"""What providers' webhooks bring to the customer's page: hostile texts stay texts, cut, and the page stands."""

import json

import pytest
import sqlalchemy as sa

from campaigns.flows import hooking
from campaigns.model.events import events
from campaigns.records import webhooks
from campaigns.records.staff import Desk
from campaigns.records.webhooks import NewCall
from campaigns.tracking.tokens import Keyring, Purpose
from tests.factories import NOW
from tests.flows.test_hooking import act_on
from tests.web.sales.conftest import HOSTILE, Shop, text_of

TEXTS = {
    "script": HOSTILE,
    "nul": "5\0005\u2028\u202e0 \x1b[31m 550 5.1.1 unknown",
    "surrogate": "550 5.1.1 \ud800 unknown",
    "long": "x" * 1_000_000,
    "number": 10**4000,
    "huge": 1e308,
    "deep": [[[[[["550"]]]]]],
    "object": {"<script>alert(1)</script>": "x"},
    "bool": True,
    "none": None,
    "jinja": "{{ config }}{% raw %}",
}
KINDS = (
    "bounced",
    "delayed",
    "complained",
    "auto-replied",
    "delivered",
    "opened",
    "clicked",
    "unsubscribed",
    HOSTILE,
)
NAMES = ("id", "text", "class", "url", "agent", "ip", "at", "enhanced", "code", "by", "recipient")


def tell(shop: Shop, told: list[dict[str, object]], kind: str = "http") -> None:
    secret = shop.app.extensions["settings"].secret
    keys = hooking.Keys(Keyring(secret), secret, "https://t.shop.example")
    body = json.dumps({"events": told}).encode()
    with shop.stores.sessions.begin() as session:
        webhooks.keep(session, NewCall("main", kind, NOW, "1", body))
        (call,) = webhooks.waiting(session, now=NOW)
        act_on(session, call, NOW, keys)


def about(shop: Shop) -> str:
    secret = shop.app.extensions["settings"].secret
    return Keyring(secret).sign(Purpose.RETURN, shop.lived.run, 1, shop.lived.contact)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_hostile_texts_of_a_provider_stay_texts_on_the_customers_page(shop: Shop, text: object) -> None:
    reference = about(shop)
    told = [{"kind": kind, "postroom": reference, **dict.fromkeys(NAMES, text), "recipient": "", "id": f"{n}"}
            for n, kind in enumerate(KINDS)]  # fmt: skip
    told += [{"kind": "bounced", "postroom": reference, "id": f"{name}.", name: text} for name in NAMES]
    tell(shop, told)
    page = text_of(shop.at(Desk.ADMIN).get(f"/customers/{shop.lived.customer}", follow_redirects=True))
    assert "<script>alert" not in page
    assert "<img" not in page.replace('<img src="/static/', "")
    assert "\0" not in page
    assert "\u202e" not in page
    assert "x" * 600 not in page
    with shop.stores.readers() as session:
        query = sa.select(events.c.detail).where(events.c.source == "webhook")
        details = session.scalars(query).all()
    assert details
    assert all(len(json.dumps(one)) < 2000 for one in details)


def test_a_list_of_the_providers_own_is_told_as_what_it_is(shop: Shop) -> None:
    tell(shop, [{"kind": "bounced", "postroom": about(shop), "id": "1", "class": "listed"}])
    page = text_of(shop.at(Desk.SALES).get(f"/customers/{shop.lived.customer}"))
    assert "our provider has the address on a list of its own" in page
