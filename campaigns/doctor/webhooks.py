"""What providers tell by webhooks: whether they can, and whether they do."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from campaigns.config import Settings
from campaigns.delivery.providers.calling import calling
from campaigns.doctor.findings import Finding, bad, ok, warn
from campaigns.doctor.store import is_missing
from campaigns.errors import BadSettings
from campaigns.records import webhooks
from campaigns.records.webhooks import Count
from campaigns.values import Account
from campaigns.wiring import open_stores, routing_of

LOOKED_AT = timedelta(days=7)
ADDRESS = "Enter the address that `postroom webhooks` shows at the provider, for all events of mail."


def examine_webhooks(settings: Settings, env: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Look at each account whose provider calls us; a file that does not hold has findings of its own."""
    try:
        accounts = [one for one in routing_of(settings, env).accounts.values() if calling(one)]
    except BadSettings:
        return
    counts = _counts(settings, now) if accounts else []
    for account in accounts:
        mine = {one.what: one.count for one in counts if one.account == account.name}
        yield _examine(account, mine)


def _counts(settings: Settings, now: datetime) -> Sequence[Count]:
    """What came of late, or nothing where the store cannot tell; the store has a finding for that."""
    if is_missing(settings.database_url):
        return []
    stores = open_stores(settings.database_url)
    try:
        with stores.readers() as session:
            return webhooks.counts(session, since=now - LOOKED_AT)
    except SQLAlchemyError:
        return []
    finally:
        stores.engine.dispose()


def _examine(account: Account, counts: dict[str, int]) -> Finding:
    check = f"webhooks of {account.name}"
    caller = calling(account)
    needs = caller.webhooks.needs if caller else ()
    missing = [name for name in needs if not account.options.get(name)]
    if missing:
        cure = "Set it in the accounts file, or no bounce and no complaint is heard of."
        return bad(check, f"no {' and no '.join(missing)}: no call is believed", cure)
    if not counts.get("call"):
        refused = f", and {counts['refused']:,} were refused" if counts.get("refused") else ""
        cure = "Check the key in the accounts file." if refused else ADDRESS
        return warn(check, f"no call came in {LOOKED_AT.days} days{refused}", cure)
    if counts.get("unreadable") or counts.get("unknown"):
        found = (
            f"{counts.get('unreadable', 0):,} calls and {counts.get('unknown', 0):,} events not understood"
        )
        return warn(check, found, "`postroom webhooks` shows them; tell whoever keeps Postroom.")
    events = sum(count for what, count in counts.items() if what not in {"call", "refused"})
    return ok(check, f"{counts['call']:,} calls and {events:,} events in {LOOKED_AT.days} days")
