"""What every answer carries: a strict policy for browsers, a request id, no caching of people's data."""

import re
import secrets

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect

#: Nothing inline runs and nothing comes from elsewhere; `style=` attributes do nothing either.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: For a mail shown in <iframe sandbox>: it looks as in a mailbox, but runs and fetches nothing.
PREVIEW_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cache-Control": "no-store",
}
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

csrf = CSRFProtect()


class Cookies(SecureCookieSessionInterface):
    """The session cookie is marked Secure whenever the request came by TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        return request.is_secure


def install(app: Flask) -> None:
    """Put the headers, the request id, CSRF protection and the cookie's rules into an app."""
    app.config.update(
        SESSION_COOKIE_NAME="postroom",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # as long as the login; a page left open over lunch still works
    )
    app.session_interface = Cookies()
    csrf.init_app(app)
    app.before_request(_name_request)
    app.after_request(_finish)


def request_id_of(given: Request) -> str:
    """Take the id that a proxy gave, if it is a plain one, or make one."""
    named = given.headers.get("X-Request-ID", "")
    return named if REQUEST_ID.fullmatch(named) else secrets.token_hex(8)


def _name_request() -> None:
    g.request_id = request_id_of(request)


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-ID"] = g.get("request_id") or request_id_of(request)
    return response
