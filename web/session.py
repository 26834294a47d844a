"""The store, as a page sees it: one transaction to write, or one to read."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app
from sqlalchemy.orm import Session

from campaigns.config import Settings
from campaigns.delivery.routes import Routing
from campaigns.wiring import Stores


def stores() -> Stores:
    """Give the store of this app."""
    held: Stores = current_app.extensions["stores"]
    return held


def settings() -> Settings:
    """Give the settings of this app."""
    held: Settings = current_app.extensions["settings"]
    return held


def routing() -> Routing:
    """Give the accounts and routes of this app, as they were when it started."""
    held: Routing = current_app.extensions["routing"]
    return held


@contextmanager
def write() -> Iterator[Session]:
    """Open a transaction that is committed at the end, or undone by an error."""
    with stores().sessions.begin() as session:
        yield session


@contextmanager
def read() -> Iterator[Session]:
    """Open a transaction that only reads; it holds up no writer."""
    with stores().readers() as session:
        yield session
