"""The settings' pages, put together: the app takes its blueprints from here."""

from web.admin import identity, people, senders, topics, warm_ups
from web.admin.accounts import accounts
from web.admin.desk import settings, staff
from web.admin.lanes import lanes

__all__ = ["accounts", "identity", "lanes", "people", "senders", "settings", "staff", "topics", "warm_ups"]
