"""docs/BACKENDS.md says what the providers' rows say."""

import re
from pathlib import Path

import pytest

from campaigns.delivery.backend import PROVIDERS, open_account
from campaigns.delivery.providers import http_parcel
from campaigns.values import Account, OutcomeKind
from tests.delivery.peers import Account as Watching
from tests.delivery.providers.desks import SECRET, RememberingDesk
from tests.delivery.providers.sending import mails
from tests.delivery.providers.stand import Cut, Reply, Stand

PAGE = (Path(__file__).parents[3] / "docs" / "BACKENDS.md").read_text("utf-8")


def yes(able):
    return "yes" if able else "–"


def mib(size):
    return "–" if size is None else f"{size / 1024 / 1024:.0f} MB"


def how_long(memory):
    if memory is None:
        return "–"
    minutes = int(memory.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"


def rows(provider):
    """The two lines of the matrix that are the provider's."""
    able = provider.capabilities
    most = "–" if able.max_batch is None else str(able.max_batch)
    yield f"| {provider.name} | {most} | {mib(able.max_mail or able.max_bytes)} | {how_long(able.idempotency)} |"
    marks = [
        able.envelope_sender,
        able.own_message_id,
        able.own_signature,
        able.pictures,
        able.smtputf8,
        able.tags,
        able.metadata,
        able.sandbox,
    ]
    yield f"| {provider.name} | {' | '.join(map(yes, marks))} |"


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_matrix_is_what_the_rows_say(name):
    for row in rows(PROVIDERS[name]):
        assert row in PAGE


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_option_of_every_provider_is_on_the_page(name):
    section = PAGE.partition(f"### {name}\n")[2].partition("\n### ")[0]
    told = set(re.findall(r"`([a-z_]+)`", section))
    common = set(
        re.findall(
            r"`([a-z_]+)`", PAGE.partition("### Options of every HTTP account\n")[2].partition("\n### ")[0]
        )
    )
    options = {option.name for option in PROVIDERS[name].options if not option.name.startswith("webhook_")}
    assert options <= told | (common if name not in ("smtp", "catcher") else set())
    required = {option.name for option in PROVIDERS[name].options if option.required}
    assert required <= told, "what is required stands with its provider"


def test_the_receiver_on_the_page_receives_and_sends_nobody_a_second_mail(monkeypatch):
    monkeypatch.setattr(http_parcel, "REPLAYS", (0.01,))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    room = {}
    exec(code, room)
    sent = []

    def serve(asked, _serve):
        def hand_over(mail_from, rcpt_to, mime):
            sent.append((mail_from, rcpt_to, mime))
            return {"status": "sent", "text": "queued"}

        status, said = room["receive"](asked.headers, asked.body, SECRET, hand_over)
        if asked.number == 2:
            raise Cut
        return Reply(status, said)

    batch = mails(12)
    with Stand(RememberingDesk(), serve) as stand:
        options = {"url": f"{stand.url}/send", "secret": SECRET, "replay": "yes", "batch": "5"}
        backend, watching = open_account(Account("own", "http", options)), Watching()
        backend.probe()
        backend.send(batch, watching)
        backend.close()
    assert watching.kinds == {OutcomeKind.SENT: 12}
    assert sorted(sent) == sorted((one.mail_from, one.rcpt_to, one.data) for one in batch)
    status, _ = room["receive"]({**stand.asked[0].headers, "webhook-signature": "v1,x"}, b"{}", SECRET, None)
    assert status == 401
