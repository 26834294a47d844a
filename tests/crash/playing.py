"""Plays one scenario on one database, and says what came of it."""

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.crash.network import NotHere
from tests.crash.scenarios import Scenario, small_disk, unmount
from tests.crash.stage import Account, staged


class Ending(NamedTuple):
    """How a play ended."""

    kills: int
    most_in_doubt: int
    account: Account

    def sound(self) -> bool:
        return self.account.sound(self.most_in_doubt)


def play(scenario: Scenario, folder: Path, database_url: str, mails: int, kills: int) -> Ending:
    """Play a scenario in an empty folder, on an empty store.

    Raises:
        NotHere: it needs a right that we do not have.
    """
    data = folder / "data"
    data.mkdir()
    if scenario.small_disk and (problem := small_disk(data, mails)):
        raise NotHere(f"a small disk needs the right to mount one: {problem}")
    try:
        if scenario.small_disk and database_url.startswith("sqlite"):
            database_url = f"sqlite:///{shutil.move(database_url.removeprefix('sqlite:///'), data)}"
        with staged(folder, database_url, scenario.manners) as stage:
            blows = scenario.play(stage, mails, kills)
            return Ending(*blows, stage.account())
    finally:
        if scenario.small_disk:
            unmount(data)
