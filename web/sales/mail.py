"""A mail as the contact reads it: rendered again, without anything that could be counted as theirs."""

from flask import abort, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadInput
from campaigns.flows import viewing
from campaigns.mailing import PAGES, Signing
from campaigns.records import addressees, messages
from campaigns.records.addressees import Addressee
from campaigns.records.customers import people
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.values import Content
from web.guard import PREVIEW_POLICY
from web.sales.desk import customers
from web.session import read, settings


class Quiet(Signing):
    """Signs nothing: a look at a mail from the record must not read as the contact's."""

    def links(self, *_: object) -> dict[str, str]:
        """Lead every address of ours nowhere."""
        return dict.fromkeys(PAGES, "#")


@customers.get("/<int:customer>/mail/<int:run>/<int:seq>", endpoint="mail")
def mail(customer: int, run: int, seq: int) -> ResponseReturnValue:
    """Show a mail beside what is known of it."""
    with read() as session:
        whom, content = _load(session, customer, run, seq)
        who = people.get(session, customer)
        name = people.names_of(session, [whom.contact]).get(whom.contact, "")
    body = url_for("customers.mail_body", customer=customer, run=run, seq=seq)
    return render_template(
        "customers/mail.html", whom=whom, content=content, customer=who, name=name, body=body
    )


@customers.get("/<int:customer>/mail/<int:run>/<int:seq>/body", endpoint="mail_body")
def mail_body(customer: int, run: int, seq: int) -> ResponseReturnValue:
    """Give the mail's HTML for a frame in which nothing runs."""
    with read() as session:
        _whom, content = _load(session, customer, run, seq)
    if content is None or content.html is None:
        abort(404)
    response = make_response(content.html)
    response.headers["Content-Security-Policy"] = PREVIEW_POLICY
    return response


def _load(session: Session, customer: int, run: int, seq: int) -> tuple[Addressee, Content | None]:
    """The mail, if it went to a contact of this customer; no content where it cannot be made any more."""
    message = messages.find(session, run, seq)
    if message is None or message.customer != customer:
        abort(404)
    whom = addressees.find(session, Token(Purpose.VIEW, run, seq, message.contact))
    if whom is None:
        abort(404)
    quiet = Quiet(Keyring(settings().secret), settings().public_url)
    try:
        return whom, viewing.view(session, whom, quiet, now=utc_now())
    except BadInput:
        return whom, None
