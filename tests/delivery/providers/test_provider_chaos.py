"""Everything at once, by lot: whatever a provider does, the ledger's words are true and nobody is mailed twice."""

import random
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from campaigns.delivery.backend import open_account
from campaigns.delivery.providers import http_parcel, http_round
from campaigns.errors import BackendError
from campaigns.values import OutcomeKind
from tests.delivery.peers import Account as Watching
from tests.delivery.peers import address
from tests.delivery.providers.desks import (
    BrevoDesk,
    MailgunDesk,
    MailjetDesk,
    PostmarkDesk,
    ResendDesk,
    name_of,
)
from tests.delivery.providers.sending import account, mails, require_truth
from tests.delivery.providers.stand import Cut, Reply, Stand

MAILS = 60
ALL = mails(MAILS)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(http_parcel, "REPLAYS", (0.001, 0.002, 0.003))
    monkeypatch.setattr(http_round, "FIRST_WAIT", 0.002)
    monkeypatch.setattr(http_round, "LINGER", 0.01)
    for name in ("AFTER_CLOSED", "AFTER_DOUBTS"):
        monkeypatch.setattr(http_round, name, timedelta(0))


def moody(stand, lot):
    """A provider that does what the lot says."""

    def script(_asked, serve):
        mood = lot.choices(
            [
                "well",
                "cut before",
                "cut after",
                "500",
                "429",
                "long 429",
                "401",
                "junk",
                "slow",
                "refuse all",
            ],
            [50, 4, 6, 3, 6, 1, 1, 2, 10, 4],
        )[0]
        if mood == "slow":
            time.sleep(lot.random() * 0.02)
        if mood == "cut before":
            raise Cut
        if mood == "cut after":
            serve()
            raise Cut
        said = {
            "500": Reply(500, {"message": "oops"}),
            "429": Reply(429, {"message": "slow down"}),
            "long 429": Reply(429, {"message": "slow down"}, {"retry-after": "40"}),
            "401": Reply(401, {"message": "who are you"}),
            "junk": Reply(200, b"\x00{"),
            "refuse all": Reply(422, {"message": "something is wrong"}),
        }
        return said.get(mood)

    return script


class Fickle(Watching):
    """A watch that sometimes wants to stop."""

    def __init__(self, lot):
        super().__init__()
        self.lot = lot

    def stopping(self):
        return self.lot.random() < 0.003


def batch_of(left, lot):
    for one in left:
        if lot.random() < 0.05:
            yield None
        yield one


@pytest.mark.parametrize("desk", [PostmarkDesk, MailjetDesk, ResendDesk, BrevoDesk, MailgunDesk], ids=name_of)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_befalls_each_mail_ends_once_and_by_what_is_true(desk, seed):
    lot = random.Random(seed)
    with Stand(desk()) as stand:
        stand.desk.refuses = {address(seq) for seq in (5, 23, 44)}
        stand.script = moody(stand, lot)
        options = {"batch": "7"} if desk.most > 1 else {}
        backend = open_account(account(stand.desk, stand.url, **options))
        ends, left = {}, list(ALL)
        for _ in range(60):
            watching = Fickle(lot)
            with suppress(BackendError):
                backend.send(batch_of(left, lot), watching)
            assert set(watching.started_keys) == set(watching.outcomes)
            ends |= {
                key: one for key, one in watching.outcomes.items() if one.kind is not OutcomeKind.DEFERRED
            }
            left = [one for one in left if one.key not in ends]
            if not left:
                break
        backend.close()
        assert not left, f"{len(left)} mails never ended"
        whole = Watching(list(ends), ends)
        require_truth(stand, whole)
        taken = set(stand.recipients)
        assert taken <= whole.of(OutcomeKind.SENT) | whole.of(OutcomeKind.UNKNOWN)
