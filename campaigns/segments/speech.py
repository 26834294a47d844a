"""How the parts of a rule are joined to one sentence, whatever the language of its leaves."""

from collections.abc import Callable
from dataclasses import dataclass

from babel.numbers import get_currency_precision

from campaigns.segments.rules import AllOf, AnyOf, Everyone, Leaf, Not, Rule
from campaigns.segments.walking import simplify


@dataclass(frozen=True, slots=True)
class Speech:
    """What a language needs to say a rule: the words between the leaves, and a way to say a leaf."""

    everyone: str  #: the whole sentence about all contacts
    contacts: str  #: the whole sentence about some, with {phrase}
    both: str  #: between parts that hold together
    either: str  #: between parts of which one holds
    outside: str  #: the complement, with {phrase}
    leaf: Callable[[Leaf], str]  #: a relative clause


def sentence(rule: Rule, speech: Speech) -> str:
    """Say whom a rule means."""
    plain = simplify(rule)
    if isinstance(plain, Everyone):
        return speech.everyone
    return speech.contacts.replace("{phrase}", phrase(plain, speech))


def phrase(rule: Rule, speech: Speech) -> str:
    """Say a rule as what follows the word for contacts."""
    match rule:
        case AllOf(rules):
            return speech.both.join(_part(part, rule, speech) for part in rules)
        case AnyOf(rules):
            return speech.either.join(_part(part, rule, speech) for part in rules)
        case Not(inner):
            return speech.outside.replace("{phrase}", _part(inner, rule, speech))
        case _:
            return speech.leaf(rule)


def _part(part: Rule, group: Rule, speech: Speech) -> str:
    """Put a group inside of another in brackets; so too a negation whose end would not be seen."""
    alone = isinstance(group, AllOf | AnyOf) and len(group.rules) == 1
    bracketed = isinstance(part, AllOf | AnyOf) and len(part.rules) > 1 and not alone
    return f"({phrase(part, speech)})" if bracketed else phrase(part, speech)


def money(amount: int, currency: str, mark: str = ".") -> str:
    """Write minor units with the decimals of their currency, and without the currency itself."""
    places = get_currency_precision(currency)
    whole, rest = divmod(abs(amount), 10**places)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}{mark}{rest:0{places}}" if places else f"{sign}{whole}"


def listed(words: list[str], joint: str) -> str:
    """Put words in a row, the last one behind the joint."""
    return joint.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
