"""Accounts of the kind `direct`: what they say, how they are tried, and a whole run through the store."""

import pytest

from campaigns.clock import utc_now
from campaigns.delivery import trying
from campaigns.delivery.backend import open_account
from campaigns.delivery.direct.exchangers import Tls
from campaigns.delivery.lanes import starts_with_caps
from campaigns.errors import BackendError, BadSettings
from campaigns.flows.sending import drain
from campaigns.records import lanes
from campaigns.values import Account
from tests.delivery.direct.street import Street
from tests.delivery.peers import HASTY, Peer
from tests.factories import a_postbox
from tests.flows.test_lanes import a_scheduled_run, states
from tests.timed import until


def test_an_account_needs_to_say_nothing_and_may_say_more():
    plain = open_account(Account("out", "direct"), connections=9, per_connection=50)
    assert plain.name == "out"
    assert (plain._share.groups, plain._share.limits.connections, plain._share.limits.per_connection) == (
        20,
        2,
        50,
    )
    assert (plain._manners.port, plain._manners.tls, plain._manners.inner) == (25, Tls.OFFERED, False)
    plain.close()
    options = {
        "hello": "out.shop.example",
        "tls": "required",
        "servers": "5",
        "connections": "1",
        "inner": "yes",
    }
    told = open_account(Account("out", "direct", options | {"port": "2525", "per_connection": "20"}))
    assert (told._share.groups, told._share.limits.connections, told._share.limits.per_connection) == (
        5,
        1,
        20,
    )
    manners = told._manners
    assert (manners.hello, manners.port, manners.tls, manners.inner) == (
        "out.shop.example",
        2525,
        "required",
        True,
    )
    told.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("hello", "localhost"),
        ("hello", "a.example\r\nMAIL"),
        ("hello", "[192.0.2.1]"),
        ("tls", "none"),
        ("tls", "yes"),
        ("servers", "0"),
        ("servers", "201"),
        ("port", "70000"),
        ("inner", "maybe"),
        ("connections", "65"),
        ("url", "smtp://relay.example"),
    ],
)
def test_what_does_not_hold_is_named(option, value):
    with pytest.raises(BadSettings, match=rf"accounts\.out\.{option}"):
        open_account(Account("out", "direct", {option: value}))


def test_its_lanes_start_with_caps():
    assert starts_with_caps(Account("out", "direct"))


# ---- tried without a mail


def test_an_account_is_tried_at_a_large_providers_server_and_no_mail_is_sent():
    with Street() as street:
        peer = street.server(1)
        street.names.table["mx.world.example", "A"] = ["127.0.0.1"]
        way = street.backend()
        assert way.probe() == "127.0.0.1"
        way.close()
        until(lambda: len(peer.lines) > 1)
        assert [line.partition(" ")[0] for line in peer.lines] == ["EHLO", "QUIT"]


def test_a_closed_port_is_told():
    with Street() as street:
        street.names.table["mx.world.example", "A"] = ["127.0.0.1"]
        way = street.backend(timeouts=HASTY)
        with pytest.raises(BackendError, match="Is port 25 closed"):
            way.probe()
        way.close()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({("10.113.0.203.in-addr.arpa", "PTR"): ["out.shop.example."]}, "that name leads elsewhere"),
        ({("other.example", "A"): ["192.0.2.1"]}, r"has no name \(PTR\)"),
    ],
)
def test_an_address_without_a_name_that_leads_back_is_told(monkeypatch, table, said):
    with Street() as street:
        street.names.table.update(table)
        monkeypatch.setattr(trying, "open_resolver", street.names.resolver)
        monkeypatch.setattr(trying, "why_inner", lambda _: None)
        with pytest.raises(BackendError, match=said):
            trying._reached("203.0.113.10")


def test_an_address_with_a_name_is_well(monkeypatch):
    with Street() as street:
        street.names.table["10.113.0.203.in-addr.arpa", "PTR"] = ["out.shop.example."]
        street.names.table["out.shop.example", "A"] = ["203.0.113.10"]
        monkeypatch.setattr(trying, "open_resolver", street.names.resolver)
        monkeypatch.setattr(trying, "why_inner", lambda _: None)
        assert trying._reached("203.0.113.10") == "port 25 is open; 203.0.113.10 is out.shop.example"


def test_a_broken_account_is_open_again_when_a_name_server_answers(monkeypatch):
    """Whatever a large provider thinks of us: before, mail went."""
    account = Account("out", "direct")
    with Street() as street:  # whose known domains have no server that can be reached
        resolver = street.names.resolver()
        monkeypatch.setattr(trying, "open_resolver", lambda: resolver)
        assert trying.try_again(account) == "name servers answer"
        resolver.port, resolver.lifetime = 9, 0.2
        with pytest.raises(BackendError, match="no name server tells"):
            trying.try_again(account)


def test_another_account_is_tried_again_as_the_first_time():
    with Peer() as peer:
        assert "answers" in trying.try_again(
            Account("main", "smtp", {"url": f"smtp://127.0.0.1:{peer.port}"})
        )


# ---- a whole run


def test_a_run_goes_to_each_domains_own_server_and_one_domains_trouble_is_its_own(stores, tmp_path):
    domains = ("a.net", "b.net", "dead.net", "null.net")
    people = [f"p{n}@{domains[n % 4]}" for n in range(80)]
    run = a_scheduled_run(stores, people)
    with Street() as street:
        street.server(1)
        street.server(2)
        street.host(3)
        for number, name in enumerate(domains[:3], start=1):
            street.domain(name, (10, number))
        street.names.table["null.net", "MX"] = ["0 ."]
        post = a_postbox(stores, street.backend(), tmp_path)
        drain(post)
        post.backend.close()
        assert {peer.recipients.total() for peer in street.peers.values()} == {20}
        assert max(max(peer.recipients.values()) for peer in street.peers.values()) == 1
    found = states(stores, run)
    assert (found["a.net", "sent"], found["b.net", "sent"]) == (20, 20)
    assert found["null.net", "failed"] == 20
    assert found["dead.net", "sent"] == found["dead.net", "failed"] == 0
    with stores.readers() as session:
        assert lanes.held(session, "main", utc_now()) == set()
