"""What a template may name, in one table; any other name is an error before the first mail."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum


class NameKind(StrEnum):
    """What a name holds."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"  #: shown with the currency beside it
    DATE = "date"
    ADDRESS = "web address"  #: may stand as a link or an image
    GROUP = "group"  #: has parts: contact.name
    LIST = "list"  #: is gone through with {% for %}
    OPEN = "attributes"  #: has whatever parts the installation defines


@dataclass(frozen=True, slots=True)
class Name:
    """One line of the table; "[]" in a path stands for each entry of a list."""

    path: str
    kind: NameKind
    meaning: str
    may_be_missing: bool = False


_T, _N, _M, _D, _A = NameKind.TEXT, NameKind.NUMBER, NameKind.MONEY, NameKind.DATE, NameKind.ADDRESS
_GROUP, _LIST = NameKind.GROUP, NameKind.LIST
MISSING = True

_ORDER = (
    ("number", _T, "the order's number", False),
    ("placed_at", _D, "when it was placed", False),
    ("total", _M, "what it cost", False),
    ("currency", _T, "its currency, EUR", False),
    ("lines", _LIST, "what was bought", False),
    ("lines[].product", _T, "the product's name", False),
    ("lines[].quantity", _N, "how many", False),
    ("lines[].amount", _M, "what they cost together", False),
    ("lines[].currency", _T, "the currency of the amount", False),
)

NAMES: tuple[Name, ...] = (
    Name("contact", _GROUP, "the person the mail is for"),
    Name("contact.given_name", _T, "first name", MISSING),
    Name("contact.family_name", _T, "last name", MISSING),
    Name("contact.name", _T, "full name, as it is best shown", MISSING),
    Name("contact.salutation", _T, "Ms, Mr, Dr. …, as the contact wants it", MISSING),
    Name("contact.email", _T, "the address the mail goes to"),
    Name("contact.locale", _T, "language and region, de-AT", MISSING),
    Name("contact.country", _T, "country code, AT", MISSING),
    Name("contact.region", _T, "state or province", MISSING),
    Name("contact.city", _T, "city", MISSING),
    Name(
        "contact.attributes",
        NameKind.OPEN,
        "the installation's own attributes: contact.attributes.KEY",
        MISSING,
    ),
    Name("customer", _GROUP, "whom we do business with: the contact's company or household"),
    Name("customer.name", _T, "the customer's name", MISSING),
    Name("customer.stage", _T, "lifecycle stage", MISSING),
    Name("customer.owner", _T, "the rep who looks after the customer", MISSING),
    Name("sender", _GROUP, "who the mail is from"),
    Name("sender.name", _T, "the sender's name"),
    Name("sender.address", _T, "the sender's mail address"),
    Name("sender.postal_address", _T, "the sender's postal address"),
    Name("campaign", _GROUP, "the campaign the mail belongs to"),
    Name("campaign.name", _T, "the campaign's name"),
    Name("links", _GROUP, "the addresses of this very message"),
    Name("links.unsubscribe", _A, "leave this topic"),
    Name("links.preferences", _A, "choose what to hear about"),
    Name("links.view", _A, "the mail in a browser"),
    Name("links.survey", _A, "the survey's page", MISSING),
    Name("links.confirm", _A, "confirm a sign-up; in the mails of a sign-up form"),
    Name("order", _GROUP, "the order the mail is about; the last one", MISSING),
    *(Name(f"order.{path}", kind, meaning, missing) for path, kind, meaning, missing in _ORDER),
    Name("orders", _LIST, "the last orders, newest first; may be empty"),
    *(Name(f"orders[].{path}", kind, meaning, missing) for path, kind, meaning, missing in _ORDER),
    Name("products", _LIST, "the products offered; may be empty"),
    Name("products[].name", _T, "the product's name"),
    Name("products[].price", _M, "its price", MISSING),
    Name("products[].currency", _T, "the currency of the price", MISSING),
    Name("products[].url", _A, "the product's page", MISSING),
    Name("products[].image", _A, "the address of its picture", MISSING),
    Name("products[].description", _T, "a sentence about it", MISSING),
    Name("survey", _GROUP, "the survey the mail invites to", MISSING),
    Name("survey.title", _T, "its title"),
    Name("survey.question", _T, "the question asked in the mail", MISSING),
    Name("survey.scores", _LIST, "the answers 0 to 10, each a link"),
    Name("survey.scores[].value", _N, "the score"),
    Name("survey.scores[].url", _A, "the link that gives this score"),
    Name("today", _D, "the day the mail is sent"),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A name with its parts, as the checks walk it."""

    name: Name
    parts: dict[str, "Shape"] = field(default_factory=dict)
    entry: "Shape | None" = None  #: what each entry of a list is

    def part(self, key: str) -> "Shape | None":
        """Find a part; attributes have every part."""
        if self.name.kind is NameKind.OPEN:
            return Shape(Name(f"{self.name.path}.{key}", _T, "an attribute", MISSING))
        return self.parts.get(key)


def _shapes() -> dict[str, Shape]:
    root: dict[str, Shape] = {}
    for name in NAMES:
        *above, last = name.path.split(".")
        shape = Shape(
            name, entry=Shape(Name(f"{name.path}[]", _GROUP, "an entry")) if name.kind is _LIST else None
        )
        _within(root, above)[last] = shape
    return root


def _within(root: dict[str, Shape], above: list[str]) -> dict[str, Shape]:
    level = root
    for word in above:
        shape = level[word.removesuffix("[]")]
        level = shape.entry.parts if word.endswith("[]") and shape.entry else shape.parts
    return level


SHAPES = _shapes()
TOP_NAMES = frozenset(SHAPES)


#: What other systems call the same things.
_ELSEWHERE = {
    "first_name": "contact.given_name",
    "firstname": "contact.given_name",
    "fname": "contact.given_name",
    "vorname": "contact.given_name",
    "last_name": "contact.family_name",
    "lastname": "contact.family_name",
    "lname": "contact.family_name",
    "nachname": "contact.family_name",
    "email": "contact.email",
    "company": "customer.name",
    "unsubscribe_url": "links.unsubscribe",
    "unsubscribe_link": "links.unsubscribe",
    "date": "today",
}


def nearest(path: str, among: Collection[str] | None = None) -> str:
    """Ask "Did you mean …?" for a name that is not known."""
    known = list(among) if among is not None else [name.path for name in NAMES if "[]" not in name.path]
    last = path.rpartition(".")[2].lower()
    found = get_close_matches(path, known, n=1, cutoff=0.6)
    if not found and among is None:
        found = [name for name in known if name.rpartition(".")[2] == last]
        found = found or [_ELSEWHERE[last]] if last in _ELSEWHERE else found
    return f"Did you mean {found[0]}?" if found else "The guide to templates lists the names that are known."


def documented() -> Iterator[tuple[str, str, str, str]]:
    """Give the table for the guide: name, what it is, what it means, whether it may be missing."""
    for name in NAMES:
        yield name.path, name.kind.value, name.meaning, "yes" if name.may_be_missing else ""
