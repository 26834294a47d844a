"""A real sender process with a provider's account, really killed, cut off and told to wait: nobody twice."""

from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from campaigns.delivery.accounts import read_accounts
from campaigns.model.mail import messages
from tests.crash.peer import Manners
from tests.crash.stage import Stage, explains, kill, wait_until
from tests.delivery.providers.desks import KEY, PostmarkDesk
from tests.delivery.providers.stand import Cut, Reply, Stand, slowly

MAILS = 160
BATCH = 10
AT_ONCE = 3
FILE = """
[accounts.main]
kind = "{kind}"
url = "{url}"
token = "$THE_KEY"
connections = {at_once}
batch = {batch}

[[routes]]
accounts = {{ main = 1 }}
"""


class ByProvider(Stage):
    """A stage whose one account is at a provider."""

    def __init__(self, folder: Path, database_url: str, stand: Stand) -> None:
        super().__init__(folder, database_url, Manners())
        desk = stand.desk
        text = FILE.format(
            kind=desk.kind,
            url=stand.url,
            at_once=AT_ONCE,
            batch=BATCH,
        )
        (folder / "accounts.toml").write_text(text)
        self._env |= {"POSTROOM_ACCOUNTS": str(folder / "accounts.toml"), "THE_KEY": KEY}
        read_accounts(folder / "accounts.toml", self._env)


def ends(stage: Stage) -> dict[str, str]:
    with stage.stores.readers() as session:
        return dict(session.execute(sa.select(messages.c.address, messages.c.state)).all())


def rude(stand: Stand, cuts: list[str]):
    """Every eighth answer is lost, the fifth request is told to wait, all are slow."""
    slow = slowly(0.02)

    def script(asked, serve):
        if asked.number == 5:
            return Reply(429, {"message": "slow down"}, {"retry-after": "1"})
        reply = slow(asked, serve)
        if asked.number % 8 == 0 and len(cuts) < 5:
            cuts.append(asked.path)
            raise Cut
        return reply

    return script


def test_a_sender_that_is_killed_with_requests_on_the_wire_mails_nobody_twice(tmp_path, database_url):
    cuts: list[str] = []
    with Stand(PostmarkDesk()) as stand:
        stand.script = rude(stand, cuts)
        stage = ByProvider(tmp_path, database_url, stand)
        try:
            stage.fill(MAILS)
            stage.freeze(chunk=40)
            stand.desk.refuses = {who for who in ends(stage) if who.startswith(("dead", "spam"))}
            sender = stage.postroom("sender", "--account", "main")
            wait_until(lambda: len(stand.desk.taken) >= MAILS // 3, "a third")
            kill(sender)
            stage.postroom("sender", "--account", "main")
            stage.wait_for_end()
            took, ledger = Counter(stand.recipients), ends(stage)
        finally:
            stage.close()
    assert max(took.values()) == 1, "somebody was mailed twice"
    assert len(ledger) == MAILS
    assert all(state in explains(who) for who, state in ledger.items())
    sent = {who for who, state in ledger.items() if state == "sent"}
    doubted = {who for who, state in ledger.items() if state == "unknown"}
    assert sent <= took.keys() <= sent | doubted
    assert cuts
    assert len(doubted) <= (AT_ONCE + len(cuts)) * BATCH
