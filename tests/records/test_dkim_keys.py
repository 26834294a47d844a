"""Keys from being made to being retired: what signs, what must stay in the DNS, and what is never done."""

from datetime import timedelta

import pytest

from campaigns.delivery.dkim import Algorithm
from campaigns.delivery.dkim_keys import Vault, public_text, record_name
from campaigns.errors import BadInput, NotAllowed, NotFound
from campaigns.flows import keying
from campaigns.records import dkim_keys
from campaigns.records.dkim_keys import KeyState

VAULT = Vault(b"secret")
RSA, ED = Algorithm.RSA, Algorithm.ED25519


@pytest.fixture(autouse=True)
def _cheap_keys(monkeypatch):
    """RSA keys take long to make, and these tests never sign: one serves them all."""
    from campaigns.delivery.dkim_keys import make_key

    made = {algorithm: make_key(algorithm) for algorithm in Algorithm}
    monkeypatch.setattr(keying, "make_key", made.__getitem__)


def states(session, domain="shop.example"):
    keys = dkim_keys.listing(session, domain)
    state = dkim_keys.states(keys)
    return {key.selector: state[key.id].value for key in keys}


def selectors(session, domain):
    return [key.selector for key in dkim_keys.signing(session, domain)]


def made(session, now, domain="shop.example", algorithm=RSA, *, active=True, **more):
    key = keying.make(session, VAULT, domain, algorithm, now=now, **more)
    if active:
        keying.activate(session, [key], now=now)
    return key


def test_a_key_signs_only_once_it_is_let(session, now):
    key = made(session, now, "Shop.Example.", active=False)
    assert key.domain == "shop.example"
    assert states(session) == {"pr20261122": "waiting"}
    assert selectors(session, "shop.example") == []
    keying.activate(session, [key], now=now)
    keying.activate(session, [key], now=now + timedelta(days=1))
    [stored] = dkim_keys.signing(session, "shop.example")
    assert stored.active_from == now
    opened = VAULT.open(stored.sealed, record_name(stored.selector, stored.domain))
    assert public_text(opened) == stored.public


def test_a_key_signs_for_the_domains_below_its_own_but_for_no_others(session, now):
    made(session, now, "shop.example")
    made(session, now, "eu.shop.example", selector="eu")
    assert selectors(session, "news.shop.example") == ["pr20261122"]
    assert selectors(session, "news.eu.shop.example") == ["eu"]
    assert selectors(session, "myshop.example") == []
    assert selectors(session, "example") == []


def test_ed25519_signs_beside_rsa_and_never_alone(session, now):
    with pytest.raises(NotAllowed, match="RSA"):
        made(session, now, algorithm=ED)
    made(session, now, active=False)
    made(session, now, algorithm=ED)
    assert selectors(session, "shop.example") == []
    keying.activate(session, dkim_keys.listing(session), now=now)
    assert selectors(session, "shop.example") == ["pr20261122", "pr20261122e"]


def test_a_rotated_key_signs_until_its_follower_does_and_its_record_must_stay(session, now):
    old = made(session, now)
    made(session, now, algorithm=ED)
    later = now + timedelta(days=90)
    new = keying.rotate(session, VAULT, "shop.example", now=later)
    assert [key.selector for key in new] == ["pr20270220", "pr20270220e"]
    assert selectors(session, "shop.example") == ["pr20261122", "pr20261122e"]
    with pytest.raises(NotAllowed, match="pr20270220, pr20270220e"):
        keying.rotate(session, VAULT, "shop.example", now=later)
    keying.activate(session, new, now=later)
    assert selectors(session, "shop.example") == ["pr20270220", "pr20270220e"]
    assert states(session)["pr20261122"] == "resting"
    keys = dkim_keys.listing(session, "shop.example")
    assert dkim_keys.rested_until(old, keys) is None  # as it was when it was made
    assert dkim_keys.rested_until(keys[0], keys) == later + timedelta(days=14)
    assert dkim_keys.rested_until(keys[2], keys) is None


def test_two_keys_let_at_the_same_moment_leave_one_signing(session, now):
    made(session, now)
    made(session, now)
    assert states(session) == {"pr20261122": "resting", "pr20261122-2": "signing"}


def test_a_retired_key_forgets_its_private_half_and_its_name_is_never_used_again(session, now):
    made(session, now)
    with pytest.raises(NotAllowed, match="rotate"):
        keying.retire(session, "shop.example", "pr20261122", now=now)
    retired = keying.retire(session, "shop.example", "pr20261122", force=True, now=now)
    assert (retired.sealed, retired.retired_at) == (b"", now)
    assert dkim_keys.rested_until(retired, []) == now + timedelta(days=14)
    assert selectors(session, "shop.example") == []
    keying.activate(session, [retired], now=now)
    assert states(session) == {"pr20261122": "retired"}
    assert made(session, now).selector == "pr20261122-2"
    with pytest.raises(BadInput, match="another key"):
        made(session, now, selector="PR20261122")


def test_a_waiting_or_resting_key_is_retired_without_a_word(session, now):
    made(session, now, active=False)
    keying.retire(session, "shop.example", "pr20261122", now=now)
    assert states(session) == {"pr20261122": KeyState.RETIRED.value}


@pytest.mark.parametrize("selector", ["", "-a", "a b", "a._domainkey", "ä", "x" * 64])
def test_a_selector_that_dns_would_not_take_is_refused(session, now, selector):
    with pytest.raises(BadInput, match="selector"):
        made(session, now, selector=selector)


@pytest.mark.parametrize("domain", ["", "localhost", "a b.example", "-.example"])
def test_what_is_no_domain_is_refused(session, now, domain):
    with pytest.raises(BadInput):
        made(session, now, domain)


def test_nothing_is_rotated_or_retired_that_is_not_there(session, now):
    with pytest.raises(NotAllowed, match="dkim make"):
        keying.rotate(session, VAULT, "shop.example", now=now)
    with pytest.raises(NotFound, match="pr1"):
        keying.retire(session, "shop.example", "pr1", now=now)


def test_an_international_domain_is_kept_as_it_travels(session, now):
    assert made(session, now, "Bücher.example").domain == "xn--bcher-kva.example"
