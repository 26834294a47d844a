"""Caught mails: what the local catcher took in place of the world, for development and the demo."""

from urllib.parse import urlsplit

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from campaigns.delivery import caught
from campaigns.errors import NotFound
from web.marketing.campaigns.preview import framed
from web.marketing.desk import desk
from web.session import routing, settings

catcher = desk("catcher", "/caught")

PAGE = 100
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
PARTS = ("mail", "headers", "source")


def is_caught() -> bool:
    """Tell whether mail goes to the catcher on this machine."""
    urls = [urlsplit(one.options.get("url", "")) for one in routing().accounts.values()]
    port = caught.listens_on(settings().data / "caught")
    return any(url.hostname in LOOPBACK and url.port == port for url in urls)


@catcher.get("/")
def index() -> ResponseReturnValue:
    """List what was caught, newest first."""
    search = request.args.get("q", "").strip()[:200]
    mails = caught.mails(settings().data / "caught", PAGE, search) if is_caught() else []
    return render_template(
        "marketing/catcher/index.html",
        mails=mails,
        search=search,
        caught=is_caught(),
        host=", ".join(routing().places()),
        most=PAGE,
    )


@catcher.get("/<name>")
def show(name: str) -> ResponseReturnValue:
    """Show one mail: as read, its headers, or its source."""
    part = request.args.get("part", "mail")
    return render_template(
        "marketing/catcher/show.html", mail=_mail(name), part=part if part in PARTS else "mail"
    )


@catcher.get("/<name>/html")
def html(name: str) -> ResponseReturnValue:
    """Give a mail's HTML for its frame."""
    return framed(_mail(name).html or "")


@catcher.get("/<name>/raw")
def raw(name: str) -> ResponseReturnValue:
    """Give a mail as it came, to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(_mail(name).raw, mimetype="message/rfc822", headers=headers)


def _mail(name: str) -> caught.CaughtMail:
    if not is_caught():
        raise NotFound("Mail does not go to the catcher.")
    return caught.read(settings().data / "caught", name)
