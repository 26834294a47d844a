"""A message in the browser, shut in a sandbox: it looks as in the mailbox, but runs nothing."""

from flask import Response, make_response
from flask.typing import ResponseReturnValue

from campaigns.clock import utc_now
from campaigns.errors import BadTemplate, NotFound
from campaigns.flows import viewing
from campaigns.tracking.tokens import Purpose
from campaigns.values import Content
from web.public.visitor import Visitor, by_token, note_hit, parts, show
from web.session import read

#: The mail is a page by itself; links may leave the sandbox, since they are ours or the marketer's.
POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
    "default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@by_token(Purpose.VIEW)
def page(visitor: Visitor) -> ResponseReturnValue:
    """Show the message as it was sent to the contact."""
    note_hit(visitor, "view")
    content = _content(visitor)
    if content is None:
        return show("public/unreadable.html", visitor, 410)
    if content.html is None:
        return show("public/letter.html", visitor, content=content)
    response: Response = make_response(content.html)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _content(visitor: Visitor) -> Content | None:
    try:
        with read() as session:
            return viewing.view(session, visitor.whom, parts().signing, now=utc_now())
    except (BadTemplate, NotFound):
        return None
