"""Who came by a signed address, and what every page for them has in common."""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, cast

from flask import current_app, g, make_response, render_template, request
from flask.typing import ResponseReturnValue

from campaigns.clock import utc_now
from campaigns.mailing import Signing
from campaigns.records import addressees
from campaigns.records.addressees import Addressee
from campaigns.tracking.tokens import Keyring, Purpose, Token
from web.language import LANGUAGES
from web.public.book import Book, Unwritten
from web.public.destinations import Destinations
from web.public.requests import hit
from web.session import read, settings


class Parts(NamedTuple):
    """What the public app holds on to, made once."""

    signing: Signing
    book: Book
    destinations: Destinations


class Visitor(NamedTuple):
    """A genuine token and whom it names."""

    token: Token
    whom: Addressee


Page = Callable[[Visitor], ResponseReturnValue]


def parts() -> Parts:
    """Give this app's parts."""
    return cast("Parts", current_app.extensions["public"])


def keyring_of(secret: bytes) -> Keyring:
    """Make the keyring of an installation."""
    return Keyring(secret)


def by_token(purpose: Purpose) -> Callable[[Page], Callable[[str], ResponseReturnValue]]:
    """Give a page its visitor; who comes with anything but a genuine token gets the neutral page."""

    def dressed(page: Page) -> Callable[[str], ResponseReturnValue]:
        @wraps(page)
        def view(token: str) -> ResponseReturnValue:
            visitor = find(purpose, token)
            return nowhere(purpose.name.lower()) if visitor is None else page(visitor)

        return view

    return dressed


def find(purpose: Purpose, text: str) -> Visitor | None:
    """Read a token and load whom it names, and speak their language from here on."""
    token = parts().signing.keyring.read(purpose, text)
    if token is None:
        return None
    with read() as session:
        whom = addressees.find(session, token)
    if whom is None:
        return None
    greet(whom)
    return Visitor(token, whom)


def greet(whom: Addressee) -> None:
    """Choose the contact's language if we speak it; else the browser's is taken."""
    language = (whom.locale or "").replace("_", "-").partition("-")[0].lower()
    if language in LANGUAGES:
        g.locale = whom.locale


def nowhere(what: str) -> ResponseReturnValue:
    """Say kindly that an address leads nowhere, the same for all reasons, and count it."""
    try:
        parts().book.write(what)
    except Unwritten:
        current_app.logger.warning("a stray request could not be counted")
    return render_template("public/nowhere.html"), 404


def note_hit(visitor: Visitor, kind: str, link: int | None = None) -> None:
    """Store a hit of this request before it is answered, where the run counts hits at all.

    Raises:
        Unwritten: it could not be stored.
    """
    if visitor.whom.tracking:
        parts().book.write(hit(kind, visitor.token, request.environ, now=utc_now(), link=link))


def show(page: str, visitor: Visitor, status: int = 200, **names: object) -> ResponseReturnValue:
    """Render a page for a visitor."""
    links = parts().signing.links(visitor.whom.run, visitor.whom.seq, visitor.whom.contact)
    base = settings().public_url
    addresses = {name: address.removeprefix(base) for name, address in links.items()}
    brand = {"name": visitor.whom.sender, "imprint": visitor.whom.imprint}
    html = render_template(page, whom=visitor.whom, brand=brand, links=addresses, **names)
    return make_response(html, status)
