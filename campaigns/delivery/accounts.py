"""The accounts file: which ways out there are, and which mail goes through which.

    [accounts.main]
    kind = "smtp"
    url = "$RELAY_URL"            # a value that begins with $ is taken from the environment
    rate = 50                     # mails a second, of all senders together

    [accounts.spare]
    kind = "postmark"
    token = "$POSTMARK_TOKEN"

    [[routes]]
    class = "marketing"
    accounts = { main = 3, spare = 1 }

    [[routes]]
    accounts = { main = 1 }
    failover = ["spare"]

Everything that is wrong with it is told at once, and a value from the environment never.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from campaigns.delivery.lanes import ALL_LANES
from campaigns.delivery.providers import PROVIDERS, read_options
from campaigns.delivery.routes import FAILOVER_AFTER, Route, Routing, unreachable
from campaigns.errors import BadSettings
from campaigns.values import Account, Problem, TopicClass

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
DURATION = re.compile(r"(\d{1,6})\s*(s|min|m|h)")
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours"}
OF_ACCOUNT = ("kind", "rate", "senders")  #: what is ours; everything else is an option of the backend
OF_ROUTE = ("class", "sender", "lane", "accounts", "failover", "failover_after")
MOST_SENDERS = 64
SHORTEST = 6  #: a run of so many letters of a secret is a part of it
LONGEST = timedelta(days=7)  #: that a failover may be put off
EXAMPLE = 'Write [accounts.main] with kind = "smtp" and url = "$RELAY_URL".'


def read_accounts(path: Path, env: Mapping[str, str]) -> Routing:
    """Read an accounts file.

    Raises:
        BadSettings: with all that does not hold.
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(
            [Problem(str(path), f"cannot be read: {error.strerror}.", "Correct POSTROOM_ACCOUNTS.")]
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings([Problem(str(path), f"is no TOML: {error}.", "Correct it there.")]) from None
    reader = Reader(env)
    routing = reader.routing(told)
    if reader.problems:
        raise BadSettings([reader.told(path, problem) for problem in reader.problems])
    return routing


class Reader:
    """Reads what a file says, and gathers what is wrong with it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._env = env
        self._taken: dict[str, str] = {}  #: values of the environment with the names that they were taken by

    def told(self, path: Path, problem: Problem) -> Problem:
        """A problem as it is told: with its file, and without what came from the environment."""
        what = problem.what
        for value, name in self._taken.items():
            what = _without(value, f"${name}", what)
        return Problem(f"{path.name}: {problem.where}", what, problem.cure)

    def routing(self, told: Mapping[str, Any]) -> Routing:
        """The whole file."""
        self._unknown("", told, ("accounts", "routes"))
        accounts, senders = {}, {}
        for name, one in self._table("accounts", told.get("accounts", {})).items():
            where = f"accounts.{name}"
            table = self._table(where, one)
            accounts[name] = self._account(name, where, table) if table else Account(name, "")
            if isinstance(one, dict) and not one:
                self._wrong(where, "says nothing.", EXAMPLE)
            if "senders" in table:
                senders[name] = self._senders(where, table["senders"])
        if not accounts and not self.problems:
            self._wrong("accounts", "there is none.", EXAMPLE)
        routes = self._routes(told.get("routes", []), accounts)
        return Routing(accounts, routes, senders)

    # ---- accounts

    def _account(self, name: str, where: str, table: Mapping[str, Any]) -> Account:
        if not NAME.fullmatch(name):
            self._wrong(where, "is no name of an account.", "Use a to z, 0 to 9 and -, at most 40 of them.")
        read = {key: self._option(f"{where}.{key}", table[key]) for key in table if key not in OF_ACCOUNT}
        options = {key: value or "" for key, value in read.items()}
        made = Account(name, str(table.get("kind", "")), options, self._rate(where, table))
        told = {f"{where}.{key}" for key, value in read.items() if value is None}
        self.problems += [one for one in problems_of(made) if one.where not in told]
        return made

    def _option(self, where: str, value: object) -> str | None:
        """An option's value as text; None: it is missing in the environment, which is told."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str) and value.startswith("$"):
            return self._from_environment(where, value[1:])
        if isinstance(value, str | int | float):
            return str(value)
        self._wrong(where, "is neither a text nor a number.", "Write one value.")
        return None

    def _from_environment(self, where: str, name: str) -> str | None:
        value = self._env.get(name, "")
        if not value:
            shown = name if re.fullmatch(r"\w{1,80}", name) else "of that name"
            self._wrong(
                where, f"the environment has no variable {shown}.", "Set it for every process of Postroom."
            )
            return None
        self._taken[value] = name
        return value

    def _rate(self, where: str, table: Mapping[str, Any]) -> float | None:
        rate = table.get("rate")
        if isinstance(rate, str) and rate.startswith("$"):
            rate = _number(self._from_environment(f"{where}.rate", rate[1:]))
        if rate is None:
            return None
        if not _is_number(rate) or not 0.001 <= rate <= 1_000_000:
            cure = "Write a number of mails a second from 0.001 to 1000000, or leave it out for no limit."
            self._wrong(f"{where}.rate", f"is {rate!r:.80}.", cure)
            return None
        return float(rate)

    def _senders(self, where: str, count: object) -> int:
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SENDERS:
            cure = f"Write a number of processes from 1 to {MOST_SENDERS}, or leave it out."
            self._wrong(f"{where}.senders", f"is {count!r:.80}.", cure)
            return 1
        return count

    # ---- routes

    def _routes(self, told: object, accounts: Mapping[str, Account]) -> tuple[Route, ...]:
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            self._wrong("routes", "is no list of tables.", "Write [[routes]] above each.")
            return ()
        if not told and len(accounts) == 1:
            return (Route(dict.fromkeys(accounts, 1.0)),)
        before = len(self.problems)
        routes = tuple(self._route(f"routes[{n}]", one, accounts) for n, one in enumerate(told, start=1))
        if len(self.problems) == before:
            self._judge(routes, accounts)
        return routes

    def _route(self, where: str, told: Mapping[str, Any], accounts: Collection[str]) -> Route:
        self._unknown(where, told, OF_ROUTE)
        weights = self._weights(f"{where}.accounts", told.get("accounts"), accounts)
        failover = tuple(self._names(f"{where}.failover", told.get("failover", []), accounts))
        if twice := sorted(set(failover) & weights.keys()) or sorted(
            {n for n in failover if failover.count(n) > 1}
        ):
            self._wrong(
                f"{where}.failover", f"names {', '.join(twice)} twice.", "Name an account once in a route."
            )
        return Route(
            weights,
            failover,
            self._duration(f"{where}.failover_after", told.get("failover_after")),
            self._words(f"{where}.class", told.get("class", []), tuple(TopicClass)),
            frozenset(
                one.lower().removeprefix("@")
                for one in self._texts(f"{where}.sender", told.get("sender", []))
            ),
            self._words(f"{where}.lane", told.get("lane", []), ALL_LANES),
        )

    def _judge(self, routes: tuple[Route, ...], accounts: Collection[str]) -> None:
        """What is wrong with routes that are well by themselves."""
        for number in unreachable(routes):
            cure = "Put it before the ones that take all of its mail, or remove it."
            self._wrong(f"routes[{number + 1}]", "nothing ever comes to it.", cure)
        if accounts and not any(route.is_last() for route in routes):
            cure = "End with a route that has accounts and nothing else."
            self._wrong("routes", "some mail would fit none.", cure)

    def _weights(self, where: str, told: object, accounts: Collection[str]) -> dict[str, float]:
        if not isinstance(told, dict):
            found = dict.fromkeys(self._names(where, [] if told is None else told, accounts), 1.0)
            if not found:
                self._wrong(where, "names no account.", "Write accounts = { main = 1 }.")
            return found
        self._known(where, told, accounts)
        if not told:
            self._wrong(where, "names no account.", "Write accounts = { main = 1 }.")
        for name, weight in told.items():
            if not _is_number(weight) or not 0 < weight <= 1_000_000:
                cure = "Write a weight above 0, or leave the account out."
                self._wrong(f"{where}.{name}", f"is {weight!r:.80}.", cure)
        return {name: float(weight) for name, weight in told.items() if _is_number(weight)}

    def _names(self, where: str, told: object, accounts: Collection[str]) -> list[str]:
        return self._known(where, self._texts(where, told), accounts)

    def _known(self, where: str, names: Iterable[str], accounts: Collection[str]) -> list[str]:
        found = list(names)
        for name in found:
            if name not in accounts:
                self._wrong(where, f"there is no account {name[:80]!r}.", _near(name, accounts))
        return found

    def _words(self, where: str, told: object, words: Collection[str]) -> frozenset[str]:
        found = self._texts(where, told)
        for one in found:
            if one not in words:
                self._wrong(where, f"{one[:80]!r} is none.", _near(one, words))
        return frozenset(found)

    def _texts(self, where: str, told: object) -> list[str]:
        """One text, or a list of them."""
        found = [told] if isinstance(told, str) else told
        if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
            self._wrong(
                where, "is neither a text nor a list of texts.", 'Write "one", or ["one", "another"].'
            )
            return []
        return found

    def _duration(self, where: str, told: object) -> timedelta:
        if told is None:
            return FAILOVER_AFTER
        fits = DURATION.fullmatch(told) if isinstance(told, str) else None
        length = timedelta(**{UNITS[fits[2]]: int(fits[1])}) if fits else None
        if length is None or length > LONGEST:
            self._wrong(
                where, f"is {told!r:.80}.", 'Write a time of at most 7 days, such as "30s", "5min" or "1h".'
            )
            return FAILOVER_AFTER
        return length

    # ---- all

    def _table(self, where: str, told: object) -> Mapping[str, Any]:
        if isinstance(told, dict):
            return told
        self._wrong(where, "is no table.", EXAMPLE)
        return {}

    def _unknown(self, where: str, told: Mapping[str, Any], known: Collection[str]) -> None:
        for name in told:
            if name not in known:
                self._wrong(f"{where}.{name}".strip(".")[:120], "means nothing here.", _near(name, known))

    def _wrong(self, where: str, what: str, cure: str) -> None:
        self.problems.append(Problem(where, what, cure))


def _without(value: str, name: str, text: str) -> str:
    """A text in which a value's name stands for it; nothing of the text where a part of it would be left."""
    for shown in (value, value[:80], repr(value)[1:-1], repr(value[:80])[1:-1]):
        if len(shown) >= SHORTEST:
            text = text.replace(shown, name)
    pieces = (value[at : at + SHORTEST] for at in range(len(value) - SHORTEST + 1))
    return f"{name} does not hold." if any(piece in text for piece in pieces) else text


def problems_of(account: Account) -> tuple[Problem, ...]:
    """All that is wrong with an account's kind and options."""
    provider = PROVIDERS.get(account.kind)
    if provider is None:
        what = f"{account.kind[:80]!r} is no kind of account." if account.kind else "is missing."
        return (Problem(f"accounts.{account.name}.kind", what, _near(account.kind, PROVIDERS)),)
    try:
        read_options(account, provider.options)
    except BadSettings as error:
        return error.problems
    return ()


def _number(text: str | None) -> float | None:
    """A number written as text; what is none is no rate either."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(known)) or 'none'}."
