"""The settings' pages, put together: the app takes its blueprints from here."""

from web.admin import identity, people, senders, topics
from web.admin.accounts import accounts
from web.admin.desk import settings, staff

__all__ = ["accounts", "identity", "people", "senders", "settings", "staff", "topics"]
