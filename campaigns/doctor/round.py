"""The round: everything is looked at, in the order in which it would be mended."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from campaigns.config import Settings, from_environment
from campaigns.doctor.accounts import examine_accounts, examine_serving
from campaigns.doctor.addresses import examine_addresses
from campaigns.doctor.broker import examine_broker
from campaigns.doctor.findings import Finding, bad, guarded, ok
from campaigns.doctor.folders import examine_folders
from campaigns.doctor.forms import examine_forms
from campaigns.doctor.lanes import examine_lanes
from campaigns.doctor.machine import examine_machine
from campaigns.doctor.mail import examine_server
from campaigns.doctor.senders import examine_senders
from campaigns.doctor.store import examine_store, is_missing
from campaigns.doctor.webhooks import examine_webhooks
from campaigns.errors import BadSettings
from campaigns.records import dkim_keys, senders
from campaigns.records.dkim_keys import DkimKey
from campaigns.values import Sender
from campaigns.wiring import open_stores, routing_of


def examine(env: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Look at everything; a group that cannot be looked at is a finding of its own."""
    try:
        settings = from_environment(env, make=False)
    except BadSettings as error:
        for problem in error.problems:
            yield bad(f"settings: {problem.where}", problem.what, problem.cure)
        yield from guarded("machine", examine_machine)
        return
    yield ok("settings", f"read; data in {Path(settings.data)}")
    yield from guarded("machine", examine_machine)
    yield from guarded("folders", lambda: examine_folders(settings))
    yield from guarded("database", lambda: examine_store(settings.database_url))
    if settings.accounts_file is None:
        yield from guarded("mail server", lambda: examine_server(settings, env, now))
    else:
        yield from guarded("accounts", lambda: examine_accounts(settings, env, now))
        yield from guarded("webhooks", lambda: examine_webhooks(settings, env, now))
    yield from guarded("senders at work", lambda: examine_serving(settings, env, now))
    yield from guarded("lanes", lambda: examine_lanes(settings, now))
    yield from guarded("senders", lambda: _examine_senders(settings, env, now))
    yield from guarded("sign-up forms", lambda: examine_forms(settings, now))
    yield from guarded("public address", lambda: examine_addresses(settings))
    yield from guarded("broker", lambda: examine_broker(settings.broker_url))


def _examine_senders(settings: Settings, env: Mapping[str, str], now: datetime) -> list[Finding]:
    try:
        routing = routing_of(settings, env)
    except BadSettings:
        routing = None  # it has findings of its own
    return examine_senders(*_senders(settings), now, routing=routing)


def _senders(settings: Settings) -> tuple[list[Sender], list[DkimKey]]:
    """The senders and keys, or none where the store cannot tell; the store has a finding for that."""
    if is_missing(settings.database_url):
        return [], []
    stores = open_stores(settings.database_url)
    try:
        with stores.readers() as session:
            return [sender for _, sender in senders.listing(session)], dkim_keys.listing(session)
    except SQLAlchemyError:
        return [], []
    finally:
        stores.engine.dispose()
