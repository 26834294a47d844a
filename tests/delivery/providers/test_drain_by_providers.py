"""The whole way: a frozen run is drained through a provider's API, and the ledger tells what befell each mail."""

from collections import Counter

import pytest
import sqlalchemy as sa

from campaigns.delivery.backend import open_account
from campaigns.delivery.providers import http_parcel
from campaigns.errors import BackendError
from campaigns.flows.sending import drain
from campaigns.model.events import events
from campaigns.model.mail import messages
from campaigns.tracking.tokens import Keyring, Purpose
from tests.delivery.providers.desks import MailgunDesk, PostmarkDesk, ResendDesk, SesDesk
from tests.delivery.providers.sending import account
from tests.delivery.providers.stand import Cut, Reply, Stand
from tests.factories import SECRET, a_postbox
from tests.flows.test_sending import a_frozen_run, the_states

PEOPLE = 40


def people(count=PEOPLE):
    return [{"email": f"p{number}@example.com", "given_name": f"Nr {number}"} for number in range(count)]


def a_post(stores, stand, folder, **options):
    return a_postbox(stores, open_account(account(stand.desk, stand.url, **options)), folder)


def told_of(stores, run):
    """How many messages are in each state, and events of each kind."""
    with stores.readers() as session:
        kinds = session.execute(
            sa.select(events.c.kind, events.c.message_seq).where(events.c.run_id == run)
        ).all()
    return Counter(the_states(stores, run).values()), Counter(kind for kind, _ in kinds)


@pytest.mark.parametrize("desk", [PostmarkDesk, MailgunDesk, SesDesk], ids=lambda desk: desk.kind)
def test_refused_are_failed_lost_answers_are_unknown_all_others_sent_and_nobody_twice(stores, tmp_path, desk):
    def script(asked, serve):
        names = {one.rcpt for one in stand.desk.mails(asked)}
        if "p30@example.com" in names and not lost:
            lost.update(names)
            serve()
            raise Cut

    lost = set()
    run = a_frozen_run(stores, *people())
    with Stand(desk(), script) as stand:
        stand.desk.refuses = {"p3@example.com", "p17@example.com"}
        stand.desk.most = min(10, desk.most)
        post = a_post(stores, stand, tmp_path)
        assert drain(post) == PEOPLE
        assert drain(post) == 0, "what is in doubt is never sent again by itself"
        post.backend.close()
        states = the_states(stores, run)
        assert all(count == 1 for count in stand.recipients.values())
        unknown = {one for one, state in states.items() if state == "unknown"}
        failed = {one for one, state in states.items() if state == "failed"}
        assert unknown == lost
        assert failed == stand.desk.refuses - lost
        assert {one for one, state in states.items() if state == "sent"} == states.keys() - unknown - failed
        keyring = Keyring(SECRET)
        for taken in stand.desk.taken:
            token = keyring.read(Purpose.RETURN, taken.reference)
            assert token.run == run
    with stores.readers() as session:
        told = dict(
            session.execute(
                sa.select(messages.c.address, messages.c.reply).where(messages.c.run_id == run)
            ).all()
        )
    assert all("no answer" in told[one] for one in unknown)
    assert all(told[one] for one in failed)


def test_with_an_idempotency_key_a_lost_answer_is_asked_for_again_and_nothing_is_in_doubt(
    stores, tmp_path, monkeypatch
):
    monkeypatch.setattr(http_parcel, "REPLAYS", (0.01, 0.02))

    def script(asked, serve):
        if asked.number == 1:
            serve()
            raise Cut

    run = a_frozen_run(stores, *people())
    with Stand(ResendDesk(), script) as stand:
        post = a_post(stores, stand, tmp_path)
        assert drain(post) == PEOPLE
        post.backend.close()
        assert set(the_states(stores, run).values()) == {"sent"}
        assert stand.recipients == {f"p{number}@example.com": 1 for number in range(PEOPLE)}
        assert stand.desk.repeats == 1


def test_a_wrong_key_leaves_the_run_waiting_and_the_right_one_sends_it_whole(stores, tmp_path):
    run = a_frozen_run(stores, *people())
    with Stand(PostmarkDesk()) as stand:
        stand.desk.locked = True
        post = a_post(stores, stand, tmp_path)
        with pytest.raises(BackendError, match="HTTP 401"):
            drain(post)
        post.backend.close()
        assert set(the_states(stores, run).values()) == {"queued"}
        stand.desk.locked = False
        _make_due(stores)
        post = a_post(stores, stand, tmp_path / "again")
        drain(post)
        post.backend.close()
        assert set(the_states(stores, run).values()) == {"sent"}
        assert max(stand.recipients.values()) == 1


def test_a_provider_that_asks_for_an_hour_keeps_the_run_queued_and_no_mail_is_risked(stores, tmp_path):
    run = a_frozen_run(stores, *people())
    reply = Reply(429, {"message": "too much"}, {"retry-after": "3600"})
    with Stand(PostmarkDesk(), lambda asked, serve: reply) as stand:
        post = a_post(stores, stand, tmp_path)
        with pytest.raises(BackendError, match="too much") as caught:
            drain(post)
        assert caught.value.retry_after.total_seconds() == 3600
        post.backend.close()
    assert set(the_states(stores, run).values()) == {"queued"}


def _make_due(stores):
    from campaigns.clock import utc_now
    from campaigns.model.mail import chunks

    with stores.sessions.begin() as session:
        session.execute(sa.update(chunks).values(not_before=utc_now()))
        session.execute(sa.update(messages).values(not_before=None))


@pytest.mark.parametrize(
    ("kind", "is_signed"), [("smtp", True), ("mailgun", True), ("postmark", False), ("ses", False)]
)
def test_mail_is_signed_here_for_those_alone_who_leave_it_as_it_is(tmp_path, monkeypatch, kind, is_signed):
    from types import SimpleNamespace

    from campaigns import wiring
    from campaigns.config import Settings
    from campaigns.values import Account

    monkeypatch.setattr(wiring, "gc", SimpleNamespace(freeze=lambda: None, set_threshold=lambda *_: None))
    url = f"sqlite:///{tmp_path / 'store.db'}"
    settings = Settings(
        data=tmp_path,
        database_url=url,
        secret=SECRET,
        public_url="https://t.shop.example",
        web_port=1,
        hits_port=2,
        smtp_url="smtp://127.0.0.1:1",
        bounce_maildir=None,
        senders=1,
        metrics_port=0,
        accounts_file=tmp_path / "accounts.toml",
    )
    desks = {"mailgun": MailgunDesk, "postmark": PostmarkDesk, "ses": SesDesk}
    options = {"url": "smtp://127.0.0.1:9"} if kind == "smtp" else desks[kind]().options("http://127.0.0.1:9")
    stores = wiring.open_stores(url)
    post = wiring.open_postbox(settings, stores, lambda: False, Account("shop", kind, options))
    assert (post.identities is not None) is is_signed
    post.backend.close()
    stores.engine.dispose()
