"""What the tests of operations share."""

import logging

import pytest
import structlog

from campaigns import logs, metrics
from campaigns.metrics.counts import Counts


@pytest.fixture(autouse=True)
def logging_as_before():
    """Logging belongs to the process: put it back."""
    root = logging.getLogger()
    handlers, level, keys = list(root.handlers), root.level, list(logs._keys)
    yield
    root.handlers, root.level = handlers, level
    logs._keys[:] = keys
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(autouse=True)
def counts_of_ones_own(monkeypatch):
    """Each test counts from nothing."""
    counts = Counts()
    monkeypatch.setattr(metrics, "_counts", counts)
    yield counts
    counts.forget()
