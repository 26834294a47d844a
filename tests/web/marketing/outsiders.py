"""A campaign whose mail leads to sites, pictures and a spam filter on loopback, for tests of what others say."""

import contextlib
import json
from collections.abc import Iterator

import sqlalchemy as sa

from campaigns.delivery.fetching import Fetcher, Limits
from campaigns.model.mail import template_bodies
from tests.delivery.fetching.web_server import OTHER, PUBLIC, WebServer, leading_to, said
from tests.factories import a_template, template_of
from tests.name_server import NameServer

BODY = """<html lang="en"><head><meta name="color-scheme" content="light dark"></head><body>
<p>Hello {{ contact.given_name|default('friend') }}, we made three new things for you this month.</p>
<p><a href="http://shop.example/alive">Alive</a> <a href="http://shop.example/gone">Our summer catalogue</a></p>
<p><a href="http://nobody.example/">Nobody</a> <a href="http://inner.example/">Staging</a>
<a href="http://shop.example/moved">Moved</a> <a href="http://shut.example/">Shut</a></p>
<img src="http://shop.example/large.png" width="20" alt="A mug"> <img src="http://shop.example/page.png" width="20" alt="B">
<p>{{ sender.postal_address }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></p></body></html>"""
TABLE = {
    ("shop.example", "A"): [PUBLIC],
    ("other-shop.example", "A"): [PUBLIC],
    ("inner.example", "A"): ["10.0.0.7"],
    ("shut.example", "A"): [OTHER],
}
CLEAR = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x20\x08\x06\x00\x00\x00"
SPAM = {
    "score": 7.5,
    "required_score": 15.0,
    "action": "add header",
    "symbols": {
        "SUBJ_ALL_CAPS": {"score": 3.0, "description": "All capital letters in subject"},
        "GOOD": {"score": -0.5, "description": "<script>alert(1)</script>"},
        "NOTHING": {"score": 0.0, "description": "No points"},
    },
}


def sites(head: str, _wire) -> bytes:
    match head.split()[1]:
        case "/gone":
            return said("404 Not Found", body=b"secret body")
        case "/moved":
            return said("302 Found", "Location: http://other-shop.example/")
        case "/large.png":
            return said("200 OK", "Content-Type: image/png", "Content-Length: 2500000", body=CLEAR)
        case "/page.png":
            return said("200 OK", "Content-Type: text/html", body=b"<html>")
    return said("200 OK", "Content-Type: text/html")


def rspamd(_head: str, _wire) -> bytes:
    return said("200 OK", body=json.dumps(SPAM).encode())


@contextlib.contextmanager
def outsiders(app) -> Iterator[WebServer]:
    """Sites behind public addresses that an app's fetcher reaches on this machine; other names have no DNS."""
    with WebServer(sites) as server, NameServer(TABLE) as names:
        app.extensions["fetcher"] = Fetcher(
            names.resolver(), Limits(seconds=3.0), dial=leading_to({(PUBLIC, 80): server.port})
        )
        app.extensions["resolver"] = names.resolver()
        yield server


def leading_outside(desktop, html: str = BODY) -> int:
    """A filled campaign whose mail leads there."""
    with desktop.stores.sessions.begin() as session:
        template = template_of(session, a_template(session, html=html))
        assert session.scalar(sa.select(sa.func.count()).select_from(template_bodies))
    number = desktop.create()
    desktop.fill(number, template_id=template)
    return number
