"""The accounts of an installation that names several: the file, each way out, and what is known of each."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.config import Settings
from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.trying import try_account
from campaigns.doctor.findings import Finding, bad, ok, warn
from campaigns.doctor.store import is_missing
from campaigns.errors import BackendError, BadSettings
from campaigns.flows.overseeing import Overview, behind, overview
from campaigns.values import Account, AccountState
from campaigns.wiring import open_stores, routing_of

OTHERS_READ = 0o044
T = TypeVar("T")


def examine_accounts(settings: Settings, env: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Read the accounts file, try each account, and look how senders found them; no mail is sent."""
    file = settings.accounts_file
    assert file is not None, "asked of an installation without an accounts file"
    try:
        routing = routing_of(settings, env)
    except BadSettings as error:
        for problem in error.problems:
            yield bad(problem.where, problem.what, problem.cure)
        return
    yield ok("accounts", f"{file}: {', '.join(routing.accounts)}")
    yield from _readable(file)
    for account in routing.accounts.values():
        yield _tried(settings, account)
    used = {name for route in routing.routes for name in route.names()}
    for name in routing.accounts.keys() - used:
        yield warn(f"account {name}", "no route leads to it: it sends nothing", "Name it in a route.")
    for one in _asked(settings, lambda session: overview(session, routing, now)):
        yield from _found_by_senders(one)


def examine_serving(settings: Settings, env: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Look whether each account that mail goes to is served, by processes that read the file as it is."""
    try:
        routing = routing_of(settings, env)
    except BadSettings:
        return
    used = {name for route in routing.routes for name in route.names()}
    for one in _asked(settings, lambda session: overview(session, routing, now)):
        if one.is_known and (one.name in used or one.queue.mails):
            yield _served(one, settings)
    if old := _asked(settings, lambda session: behind(session, routing, settings.secret)):
        doors = Counter(f"{one.door} {one.account}".strip() for one in old)
        found = f"read otherwise by {', '.join(f'{count} {door}' for door, count in doors.items())}"
        yield warn(
            "accounts: since the start", found, "Restart them: they read accounts at their start only."
        )


def _served(one: Overview, settings: Settings) -> Finding:
    check = f"account {one.name}: served"
    if one.senders:
        return ok(check, f"by {one.senders} {'sender' if one.senders == 1 else 'senders'}")
    command = "celery-worker" if settings.broker_url else "sender"
    which = "" if settings.accounts_file is None else f" --account {one.name}"
    cure = f"Start one: postroom {command}{which} (postroom run starts all)."
    if one.queue.mails:
        return bad(check, f"no sender serves it, and {one.queue.mails} mails wait", cure)
    return warn(check, "no sender serves it", cure)


def _readable(file: Path) -> Iterator[Finding]:
    """Whether keys stand in a file that others can read."""
    if file.stat().st_mode & OTHERS_READ and _holds_keys(file):
        cure = f'chmod 600 {file}, or take the keys from the environment: token = "$NAME".'
        yield warn("accounts: file", "keys stand in it, and others on this machine can read them", cure)


def _holds_keys(file: Path) -> bool:
    for told in tomllib.loads(file.read_text("utf-8"))["accounts"].values():
        secret = [one.name for one in PROVIDERS[told["kind"]].options if one.secret]
        values = [str(told.get(name, "")) for name in secret]
        if any(value and not value.startswith("$") and not _is_open(value) for value in values):
            return True
    return False


def _is_open(value: str) -> bool:
    """Whether it is an address without a password."""
    return "://" in value and "@" not in value


def _tried(settings: Settings, account: Account) -> Finding:
    try:
        return ok(f"account {account.name}", try_account(account, settings.smtp_cafile))
    except BackendError as error:
        cure = "Check its address and keys, and that this machine may reach it."
        return bad(f"account {account.name}", str(error), cure)


def _asked(settings: Settings, ask: Callable[[Session], list[T]]) -> list[T]:
    """What the store knows; nothing where it cannot tell, for which there is another finding."""
    if is_missing(settings.database_url):
        return []
    stores = open_stores(settings.database_url)
    try:
        with stores.readers() as session:
            return ask(session)
    except SQLAlchemyError:
        return []
    finally:
        stores.engine.dispose()


def _found_by_senders(one: Overview) -> Iterator[Finding]:
    check, waiting = f"account {one.name}: senders", f"{one.queue.mails} mails wait"
    if not one.is_known:
        cure = "Start postroom worker: it takes them over to others."
        yield warn(check, f"the accounts file names it no more, and {waiting}", cure)
    elif one.state is AccountState.BROKEN:
        since = one.standing.failing_since
        found = f"broken since {since:%Y-%m-%d %H:%M} UTC, {waiting}: {one.standing.sample}"
        yield bad(check, found, "It is tried again by itself; mend what it complains of.")
    elif one.state is AccountState.RESTING:
        found = f"left alone until {one.standing.closed_until:%H:%M} UTC, {waiting}: {one.standing.sample}"
        yield warn(check, found, "Send less through it, or give others a larger weight.")
