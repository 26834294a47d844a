"""Mails leave signed, or not at all where they should be."""

import re
from datetime import timedelta
from itertools import count

import dkim
import pytest

from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.delivery.dkim import Algorithm, Signer, SigningKey
from campaigns.delivery.dkim_keys import Vault, make_key, record_name, record_text
from campaigns.delivery.journal import Page
from campaigns.flows import keying
from campaigns.flows.sending import drain
from campaigns.flows.sending.flight import Batch
from campaigns.flows.sending.signatory import AHEAD, Signatory
from campaigns.mailing import Identities
from campaigns.model.mail import messages
from campaigns.records import dkim_keys
from campaigns.settling import Result
from campaigns.values import MessageKey, Outgoing
from tests.factories import SECRET, a_postbox
from tests.flows.test_sending import a_frozen_run

RSA, ED = Algorithm.RSA, Algorithm.ED25519
PEOPLE = [
    {"email": f"p{number}@example.com", "given_name": name} for number, name in enumerate("Ädaé春xyz" * 3)
]


@pytest.fixture
def catcher(tmp_path):
    made = Catcher(tmp_path / "caught", "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def post(stores, catcher, tmp_path):
    backend = open_backend(f"smtp://127.0.0.1:{catcher.port}", connections=2)
    yield a_postbox(stores, backend, tmp_path, identities=Identities(Vault(SECRET)))
    backend.close()


def make(stores, algorithm=RSA, *, active=True, secret=SECRET, domain="shop.example"):
    with stores.sessions.begin() as session:
        key = keying.make(session, Vault(secret), domain, algorithm, now=utc_now())
        if active:
            keying.activate(session, [key], now=utc_now())
    return key


def raw_mails(catcher):
    return [caught.read(catcher.folder, line.name).raw for line in caught.mails(catcher.folder, limit=1000)]


def verify(stores, raw):
    """Whether each signature of a mail holds."""
    with stores.readers() as session:
        keys = dkim_keys.listing(session)
    records = {
        f"{record_name(key.selector, key.domain)}.": record_text(key.algorithm, key.public) for key in keys
    }
    signatures = re.findall(rb"^DKIM-Signature:", raw, re.MULTILINE)
    ask = lambda name, timeout=5: records.get(name.decode())  # noqa: E731
    return [dkim.DKIM(raw).verify(at, dnsfunc=ask) for at in range(len(signatures))]


def test_every_mail_of_a_run_carries_both_signatures_and_they_hold(stores, post, catcher):
    make(stores)
    make(stores, ED)
    a_frozen_run(stores, *PEOPLE)
    assert drain(post) == len(PEOPLE)
    caught_ones = raw_mails(catcher)
    assert len(caught_ones) == len(PEOPLE)
    assert all(verify(stores, raw) == [True, True] for raw in caught_ones)


def test_mails_of_a_domain_without_a_key_that_signs_leave_unsigned(stores, post, catcher):
    make(stores, active=False)
    make(stores, domain="other.example")
    a_frozen_run(stores, *PEOPLE[:2])
    assert drain(post) == 2
    assert [verify(stores, raw) for raw in raw_mails(catcher)] == [[], []]


def test_a_sender_that_lives_on_signs_by_the_new_key_after_a_rotation(stores, post, catcher):
    make(stores)
    a_frozen_run(stores, *PEOPLE[:1])
    drain(post)
    with stores.sessions.begin() as session:
        new = keying.rotate(session, Vault(SECRET), "shop.example", now=utc_now())
    a_frozen_run(stores, *PEOPLE[1:2])
    drain(post)
    with stores.sessions.begin() as session:
        keying.activate(session, new, now=utc_now() + timedelta(seconds=1))
    a_frozen_run(stores, *PEOPLE[2:3])
    drain(post)
    raw = raw_mails(catcher)
    assert [verify(stores, one) for one in raw] == [[True]] * 3
    selectors = sorted(re.search(rb" s=([\w-]+);", one)[1] for one in raw)
    assert selectors[0] == selectors[1]
    assert selectors[2].decode() == new[0].selector


def test_a_key_that_does_not_open_keeps_the_mails_here(stores, post, catcher):
    make(stores, secret=b"the secret of another installation")
    run = a_frozen_run(stores, *PEOPLE[:2])
    assert drain(post) == 0
    assert raw_mails(catcher) == []
    with stores.readers() as session:
        states = {row.state for row in session.execute(messages.select()) if row.run_id == run}
    assert states == {"queued"}


# ---- the order of mails, and what is skipped


@pytest.fixture
def a_batch(tmp_path):
    numbers = count()

    def make(signer):
        page = Page(tmp_path / f"page{next(numbers)}", 1)
        return Batch(None, page, None, Result(), 0.0, signer)

    return make


def outgoing(seq, data=b"From: a@shop.example\r\n\r\nx\r\n"):
    return Outgoing(MessageKey(1, seq), "b@shop.example", "c@example.com", data)


@pytest.fixture
def signatory():
    made = Signatory(utc_now)
    yield made
    made.close()


def test_mails_keep_their_order_and_none_is_lost(signatory, a_batch):
    signer = Signer("shop.example", [SigningKey("a", make_key(ED))])
    made = list(signatory.sign(a_batch(signer), (outgoing(seq) for seq in range(100))))
    assert [mail.key.seq for mail in made] == list(range(100))
    assert all(mail.data.startswith(b"DKIM-Signature:") for mail in made)


def test_a_pause_holds_back_no_mail_and_only_a_few_are_made_ahead(signatory, a_batch):
    signer = Signer("shop.example", [SigningKey("a", make_key(ED))])
    pulled = count()

    def mails():
        for seq in range(50):
            next(pulled)
            yield outgoing(seq)
        while True:
            yield None

    signed = signatory.sign(a_batch(signer), mails())
    assert next(signed).key.seq == 0
    assert next(pulled) == AHEAD + 1
    assert [next(signed).key.seq for _ in range(49)] == list(range(1, 50))
    assert next(signed) is None


def test_a_mail_that_cannot_be_signed_is_no_ones_mail_and_the_others_go(signatory, a_batch):
    batch = a_batch(Signer("shop.example", [SigningKey("a", make_key(ED))]))
    batch.on_wire = 3
    given = [outgoing(1), outgoing(2, b"From: a@shop.example\r\n\r\nbare\nend\r\n"), outgoing(3)]
    assert [mail and mail.key.seq for mail in signatory.sign(batch, iter(given))] == [1, None, 3]
    assert batch.on_wire == 2
    [(seq, why)] = batch.mistakes.items()
    assert seq == 2
    assert "cannot be signed" in why
