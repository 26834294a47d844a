"""What is stored: one file a noun. Import tables from their file; `metadata` here knows them all."""

from campaigns.model import (
    accounts,
    commerce,
    consent,
    customers,
    events,
    forms,
    identity,
    lanes,
    mail,
    operations,
    returned,
    service,
    staff,
    surveys,
    webhooks,
)
from campaigns.model.base import metadata

__all__ = [
    "accounts",
    "commerce",
    "consent",
    "customers",
    "events",
    "forms",
    "identity",
    "lanes",
    "mail",
    "metadata",
    "operations",
    "returned",
    "service",
    "staff",
    "surveys",
    "webhooks",
]
