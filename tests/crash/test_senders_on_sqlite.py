"""The short form of `make chaos` on SQLite: real processes, really killed."""

import pytest

from tests.crash.playing import NotHere, play
from tests.crash.scenarios import on


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scenario", on("sqlite", short=True), ids=lambda one: one.name.replace(" ", "-"))
def test_nobody_is_mailed_twice_and_nobody_is_lost(scenario, database_url, tmp_path):
    mails, kills = scenario.short
    try:
        ending = play(scenario, tmp_path, database_url, mails, kills)
    except NotHere as reason:
        pytest.skip(str(reason))
    assert ending.kills >= kills
    assert ending.account.mails == mails
    assert ending.sound(), ending
