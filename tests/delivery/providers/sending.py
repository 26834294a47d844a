"""Mails as the composer makes them, and a way to send them to a stand."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from campaigns.delivery.backend import open_account
from campaigns.delivery.compose import Letter, compose
from campaigns.values import Account, Content, MessageKey, Outgoing, Sender
from tests.delivery.peers import Account as Watching
from tests.delivery.peers import address

LETTER = Letter(
    key=MessageKey(1, 1),
    sender=Sender("Blumen Müller", "post@blumen.example", "bounce.blumen.example", "hallo@blumen.example"),
    to_name="Zoë O'Neil, Dr.",
    to_address="u1@people.example",
    content=Content(
        "Frühling im Garten!", "<p>Grüße &amp; <b>Küsse</b></p>\n", "Grüße\n.mit Punkt\nund Küsse\n"
    ),
    at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    message_id="tok",
    return_path="b+tok@bounce.blumen.example",
    language="de",
    list_id=("Neues von Blumen", "news.blumen.example"),
    unsubscribe_url="https://t.blumen.example/u/TOKEN",
    unsubscribe_mailto="unsub+TOKEN@bounce.blumen.example?subject=unsubscribe",
    feedback_id=("c3", "r14", "marketing", "blumen"),
    extra={"X-Engine-Ref": "abc"},
)


def token(seq: int) -> str:
    """As long as a real one, and of its letters."""
    return f"{seq:0>44}".replace("0", "a").replace("1", "b").replace("8", "c").replace("9", "d")


def letter(seq: int, **changes) -> Letter:
    values = {
        "key": MessageKey(1, seq),
        "to_address": address(seq),
        "message_id": token(seq),
        "return_path": f"b+{token(seq)}@bounce.blumen.example",
        "unsubscribe_url": f"https://t.blumen.example/u/{token(seq)[:36]}",
    }
    return replace(LETTER, **(values | changes))


def mail(seq: int, **changes) -> Outgoing:
    return compose(letter(seq, **changes))


def mails(count: int, first: int = 1) -> list[Outgoing]:
    return [mail(seq) for seq in range(first, first + count)]


def account(desk, url: str, **options: str) -> Account:
    usual = {"connections": "3"} | ({} if desk.kind == "smtp" else {"timeout": "60"})
    usual |= {"batch": str(desk.most)} if desk.most > 1 else {}
    return Account("shop", desk.kind, desk.options(url) | usual | options)


def send(
    stand, batch: Iterable[Outgoing | None], watching: Watching | None = None, /, **options: str
) -> Watching:
    """Send a batch, and check that nothing started is left without an answer, and that answers are true."""
    watching = watching or Watching()
    backend = open_account(account(stand.desk, stand.url, **options))
    try:
        backend.send(batch, watching)
    finally:
        backend.close()
        require_truth(stand, watching)
    return watching


def require_truth(stand, watching: Watching) -> None:
    """Nobody is mailed twice, and what is called sent, failed or put off is just that."""
    from campaigns.values import OutcomeKind

    assert set(watching.started_keys) == set(watching.outcomes), "started, and never answered"
    taken = stand.recipients
    assert all(count == 1 for count in taken.values()), "somebody was mailed twice"
    assert watching.of(OutcomeKind.SENT) <= set(taken), "called sent, and never taken"
    for kind in (OutcomeKind.FAILED, OutcomeKind.DEFERRED):
        assert not watching.of(kind) & set(taken), f"called {kind}, and taken"
    known = {address(key.seq) for key in watching.started_keys}
    assert set(taken) <= known, "taken, and never said to be started"
