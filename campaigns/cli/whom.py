"""Which contact a command is about: where its number is found, and who that is."""

from sqlalchemy.orm import Session

from campaigns.cli.import_words import plain
from campaigns.records import names

#: Customers and contacts are numbered apart; a record's address ends in the customer's number.
NUMBER = (
    "The contact's number: on the customer's record it stands beside the person (its address ends in the "
    "customer's), in the shell in `postroom count RULE.json --list 10`."
)


def in_words(session: Session, contact: int) -> str:
    """Name a contact for who is about to do something to it; only the number where nothing else is known."""
    whom = names.recipient(session, contact)
    if whom is None:
        return f"contact {contact}"
    name = names.full_name(whom.contact)
    known = [plain(one) for one in (name, whom.address) if one]
    return f"contact {contact} ({', '.join(known) or 'without name and address'})"
