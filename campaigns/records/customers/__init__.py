"""Customers and the contacts at them: found, read, summed up, and what people of ours do for them."""

from campaigns.records.customers.acting import (
    add_role,
    assign,
    grant_consent,
    hold,
    lift_suppression,
    note,
    withdraw_consent,
)
from campaigns.records.customers.finding import Found, Wanted, browse, search
from campaigns.records.customers.people import Contact, Customer, Role, get
from campaigns.records.customers.stream import Cursor, Entry, Page, stream
from campaigns.records.customers.summary import Summary, summary

__all__ = [
    "Contact",
    "Cursor",
    "Customer",
    "Entry",
    "Found",
    "Page",
    "Role",
    "Summary",
    "Wanted",
    "add_role",
    "assign",
    "browse",
    "get",
    "grant_consent",
    "hold",
    "lift_suppression",
    "note",
    "search",
    "stream",
    "summary",
    "withdraw_consent",
]
