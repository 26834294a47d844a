"""What an address tells of itself: nobody's own (info@), or made to be thrown away."""

from functools import cache
from importlib import resources

#: Local parts that several people read, or nobody (RFC 2142, and what robots sign up).
ROLES = frozenset(
    [
        "abuse",
        "accounts",
        "admin",
        "administrator",
        "all",
        "billing",
        "careers",
        "contact",
        "contacts",
        "customerservice",
        "dev",
        "devnull",
        "enquiries",
        "everyone",
        "finance",
        "ftp",
        "helpdesk",
        "help",
        "hello",
        "hostmaster",
        "hr",
        "info",
        "information",
        "inquiries",
        "inoc",
        "ispfeedback",
        "it",
        "jobs",
        "kontakt",
        "legal",
        "list",
        "list-request",
        "lists",
        "mail",
        "mailer-daemon",
        "mailerdaemon",
        "maildaemon",
        "marketing",
        "me",
        "media",
        "news",
        "newsletter",
        "no-reply",
        "noc",
        "noreply",
        "null",
        "office",
        "order",
        "orders",
        "phish",
        "phishing",
        "post",
        "postmaster",
        "press",
        "privacy",
        "purchase",
        "remove",
        "request",
        "root",
        "rezeption",
        "sales",
        "security",
        "service",
        "services",
        "spam",
        "staff",
        "support",
        "sysadmin",
        "team",
        "tech",
        "undisclosed-recipients",
        "unsubscribe",
        "usenet",
        "uucp",
        "webmaster",
        "www",
    ]
)


def is_role(address: str) -> bool:
    """Tell whether an address belongs to a task rather than a person."""
    return address.partition("@")[0].partition("+")[0] in ROLES


def is_disposable(address: str) -> bool:
    """Tell whether the address's domain is known for boxes that are thrown away."""
    domain = address.rpartition("@")[2]
    labels = domain.split(".")
    return any(".".join(labels[at:]) in _disposable() for at in range(len(labels) - 1))


@cache
def _disposable() -> frozenset[str]:
    text = resources.files(__package__).joinpath("disposable.txt").read_text("ascii")
    return frozenset(line for line in text.split("\n") if line and not line.startswith("#"))
