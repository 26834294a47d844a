"""Settings and store, as most commands want them."""

from collections.abc import Iterator
from contextlib import contextmanager

from campaigns.config import Settings, from_environment
from campaigns.wiring import Stores, open_stores


@contextmanager
def opened() -> Iterator[tuple[Settings, Stores]]:
    """Open the installation's store, and close it at the end."""
    settings = from_environment()
    stores = open_stores(settings.database_url)
    try:
        yield settings, stores
    finally:
        stores.engine.dispose()
