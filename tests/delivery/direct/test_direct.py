"""Mail to the recipients' own servers: which of them is asked, and that nobody waits for another's."""

import random
import threading
import time
from collections import Counter

import dns.resolver
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.direct import backend as backends
from campaigns.delivery.direct import delivery, exchangers, group
from campaigns.delivery.direct.backend import DirectBackend, Share
from campaigns.delivery.direct.exchangers import Manners, Tls
from campaigns.errors import BackendError
from campaigns.values import OutcomeKind
from tests.delivery.certificates import Authority
from tests.delivery.direct.street import Street, to
from tests.delivery.peers import HASTY, Account, Peer, Say, mail
from tests.delivery.test_smtp_tls_and_auth import Box, running
from tests.timed import until

SENT, DEFERRED, FAILED, UNKNOWN = (
    OutcomeKind.SENT,
    OutcomeKind.DEFERRED,
    OutcomeKind.FAILED,
    OutcomeKind.UNKNOWN,
)


@pytest.fixture
def street():
    with Street() as made:
        yield made


def outcome(account, seq):
    return account.outcomes[mail(seq).key]


def at(stage, say):
    return lambda now, seen: say if now == stage else None


# ---- which server


def test_each_domain_gets_its_mail_at_its_own_server(street):
    one, two = street.server(1), street.server(2)
    street.domain("a.example", (10, 1))
    street.domain("b.example", (10, 2))
    account = street.send(to("a.example", 1, 2) + to("B.Example", 3))
    assert account.kinds == {SENT: 3}
    assert set(one.recipients) == {"u1@a.example", "u2@a.example"}
    assert set(two.recipients) == {"u3@B.Example"}


def test_the_preferred_server_is_asked_and_no_other(street):
    best, spare = street.server(2), street.server(1)
    street.domain("a.example", (20, 1), (10, 2))
    street.send(to("a.example", *range(1, 20)))
    assert (len(best.taken), spare.connections) == (19, 0)


def test_servers_of_equal_preference_share_the_mail(street):
    peers = [street.server(number) for number in (1, 2, 3)]
    street.domain("a.example", (10, 1), (10, 2), (10, 3))
    for seq in range(1, 25):
        street.send(to("a.example", seq))
    assert sum(len(peer.taken) for peer in peers) == 24
    assert sum(bool(peer.taken) for peer in peers) > 1


@pytest.mark.timed
@pytest.mark.parametrize(
    "say",
    [
        Say(b"421 4.3.2 busy\r\n", cut=True),
        Say(b"451 later\r\n"),
        Say(b"554 5.7.1 no mail here\r\n", cut=True),
        Say(b"", cut=True),
        Say(delay=1.0),
        None,
    ],
    ids=["421", "451", "554", "cut", "silent", "nobody"],
)
def test_the_next_server_is_asked_where_one_will_not_have_us(street, say):
    if say is None:
        street.host(1)
    else:
        street.server(1, at("greeting", say))
    spare = street.server(2)
    street.domain("a.example", (10, 1), (20, 2))
    account = street.send(to("a.example", *range(1, 9)), timeouts=HASTY)
    assert account.kinds == {SENT: 8}
    assert len(spare.taken) == 8


def test_a_domain_without_mx_takes_its_own_mail(street):
    peer = street.server(1)
    street.names.table["host.example", "A"] = ["127.0.0.1"]
    assert street.send(to("host.example", 1)).kinds == {SENT: 1}
    assert set(peer.recipients) == {"u1@host.example"}


def test_a_refused_recipient_is_not_tried_at_the_next_server(street):
    street.server(1, at("rcpt", Say(b"550 5.1.1 no such person\r\n")))
    spare = street.server(2)
    street.domain("a.example", (10, 1), (20, 2))
    account = street.send(to("a.example", 1))
    assert (outcome(account, 1).kind, outcome(account, 1).enhanced) == (FAILED, "5.1.1")
    assert spare.connections == 0


# ---- domains without one


def test_domains_without_a_server_fail_and_others_go_on(street):
    peer = street.server(1)
    street.domain("a.example", (10, 1))
    street.names.table["null.example", "MX"] = ["0 ."]
    street.names.table["empty.example", "TXT"] = ['"nothing here"']
    batch = to("null.example", 1) + to("gone.example", 2) + to("empty.example", 3) + to("a.example", 4)
    account = street.send([*batch, mail(5, rcpt_to="u5@[127.0.0.1]"), mail(6, rcpt_to="nobody")])
    told = {key.seq: (one.kind, one.enhanced) for key, one in account.outcomes.items()}
    assert told == {
        1: (FAILED, "5.1.10"),
        2: (FAILED, "5.1.2"),
        3: (FAILED, "5.1.2"),
        4: (SENT, None),
        5: (FAILED, "5.1.2"),
        6: (FAILED, "5.1.2"),
    } | {4: (SENT, outcome(account, 4).enhanced)}
    assert set(peer.recipients) == {"u4@a.example"}


def test_that_a_domain_is_missing_is_not_believed_of_who_denies_all(street):
    street.names.table.clear()
    account = street.send(to("gone.example", 1))
    assert (outcome(account, 1).kind, outcome(account, 1).enhanced) == (DEFERRED, "4.4.3")


def test_what_a_name_server_said_an_hour_ago_is_no_sign_of_how_it_is_now(street):
    resolver, account = street.names.resolver(), Account()
    resolver.cache = dns.resolver.LRUCache(100)
    way = DirectBackend(Manners(street.port, inner=True), Share(), resolver)
    way.send(to("gone.example", 1), account)  # so it is asked about those that are never missing
    street.names.table.clear()
    way.send(to("a.example", 2), account)
    resolver.port, resolver.lifetime = 9, 0.2
    with pytest.raises(BackendError, match="no name server"):
        way.send([one for number in range(3, 60) for one in to(f"d{number}.example", number)], account)
    way.close()
    told = {seq: (outcome(account, seq).kind, outcome(account, seq).enhanced) for seq in (1, 2)}
    assert told == {1: (FAILED, "5.1.2"), 2: (DEFERRED, "4.4.3")}


def test_where_no_name_server_answers_a_few_are_put_off_and_the_backend_has_failed(street):
    resolver = street.names.resolver()
    resolver.port, resolver.lifetime = 9, 0.2
    way, account = DirectBackend(Manners(), Share(), resolver), Account()
    batch = [one for number in range(1, 60) for one in to(f"d{number}.example", number)]
    with pytest.raises(BackendError, match="no name server"):
        way.send(batch, account)
    way.close()
    assert len(account.outcomes) < 30
    assert {(one.kind, one.enhanced) for one in account.outcomes.values()} <= {(DEFERRED, "4.4.3")}


def test_a_domain_whose_servers_are_all_dead_is_put_off_and_the_others_go_on(street):
    peer = street.server(3)
    street.host(1)
    street.host(2)
    street.domain("dead.example", (10, 1), (20, 2))
    street.domain("nameless.example", (10, 77))
    street.domain("a.example", (10, 3))
    batch = [one for n in range(0, 60, 3) for one in (*to("dead.example", n), *to("a.example", n + 1))]
    account = street.send(batch + to("nameless.example", 2))
    assert account.kinds == {SENT: 20, DEFERRED: 21}
    dead = [one for one in account.outcomes.values() if one.kind is DEFERRED]
    assert {(one.enhanced, one.code) for one in dead} == {("4.4.1", None)}
    [told] = [one.text for one in dead if "mx1.example [127.0.0.1]" in one.text]
    assert "mx2.example [127.0.0.2]" in told
    assert "has no address" in outcome(account, 2).text
    assert len(peer.taken) == 20


def test_servers_in_private_networks_are_never_asked_unless_allowed(street):
    peer = street.server(1)
    street.domain("inner.example", (10, 1), (20, 9))
    street.names.table["mx9.example", "A"] = ["10.0.0.1", "169.254.169.254"]
    street.names.table["mx9.example", "AAAA"] = ["::1", "::ffff:127.0.0.1"]
    account = street.send(to("inner.example", 1), inner=False)
    assert (outcome(account, 1).kind, outcome(account, 1).enhanced) == (DEFERRED, "4.4.1")
    assert "no address of the open internet" in outcome(account, 1).text
    assert peer.connections == 0


def test_records_that_hold_no_names_of_hosts_hurt_nobody(street):
    street.server(1)
    street.domain("a.example", (10, 1))
    street.names.table["odd.example", "MX"] = ["10 a\\000b\\032c.example.", "20 \\046\\046."]
    account = street.send(to("odd.example", 1) + to("a.example", 2))
    assert (outcome(account, 1).kind, outcome(account, 2).kind) == (DEFERRED, SENT)


def test_a_domain_that_names_very_many_servers_is_not_asked_about_for_long(street):
    street.domain("many.example", *((10, number) for number in range(100, 140)))
    way, account = street.backend(connections=1), Account()
    asked, resolve = [], way._resolver.resolve

    def counting(name, *more, **settings):
        asked.append(name)
        return resolve(name, *more, **settings)

    way._resolver.resolve = counting
    way.send(to("many.example", 1), account)
    way.close()
    assert account.kinds == {DEFERRED: 1}
    assert len({name for name in asked if name.startswith("mx1")}) == exchangers.MOST_ASKED


# ---- many domains


def test_domains_with_the_same_servers_share_their_connections(street):
    peer = street.server(1)
    for name in ("a.example", "b.example", "c.example"):
        street.domain(name, (10, 1))
    batch = [one for n in range(1, 31, 3) for one in (*to("a.example", n), *to("b.example", n + 1))]
    account = street.send(batch + to("c.example", 3), connections=1)
    assert account.kinds == {SENT: 21}
    assert peer.connections == 1


def test_one_silent_server_keeps_nobody_waiting(street):
    ready = threading.Event()

    def silent(now, seen):
        if now == "greeting":
            ready.wait(100)

    street.server(1, silent)
    other = street.server(2)
    street.domain("silent.example", (10, 1))
    street.domain("a.example", (10, 2))

    class Watching(Account):
        last = 0.0

        def answered(self, key, outcome):
            super().answered(key, outcome)
            if key.seq > 40:
                self.last = time.monotonic()
                if len(other.taken) >= 50:
                    ready.set()

    account, began = Watching(), time.monotonic()
    street.send(to("silent.example", *range(1, 41)) + to("a.example", *range(41, 91)), account)
    assert account.last - began < 60
    assert account.kinds == {SENT: 90}


@pytest.mark.timed
def test_where_all_hands_are_full_of_a_silent_servers_mail_it_is_put_off(street, monkeypatch):
    monkeypatch.setattr(delivery, "IN_HAND", 20)
    monkeypatch.setattr(delivery, "BRISK", 0.1)
    monkeypatch.setattr(group, "SILENT", 0.3)
    over = threading.Event()
    street.server(1, lambda now, seen: over.wait(100) and None if now == "greeting" else None)
    street.server(2)
    street.domain("silent.example", (10, 1))
    street.domain("a.example", (10, 2))
    pulled, most = [], []

    class Watching(Account):
        def answered(self, key, outcome):
            super().answered(key, outcome)
            most.append(len(pulled) - len(self.outcomes))
            if key.seq == 120:
                over.set()

    def batch():
        for one in to("silent.example", *range(1, 101)) + to("a.example", *range(101, 121)):
            pulled.append(one)
            yield one

    account = street.send(batch(), Watching())
    assert {outcome(account, seq).kind for seq in range(101, 121)} == {SENT}
    assert Counter(outcome(account, seq).enhanced for seq in range(1, 101))["4.4.1"] > 50
    assert max(most) <= 20


def test_no_more_groups_than_allowed_are_at_work_at_once(street):
    now, most = set(), []

    def script(number):
        def say(stage, seen):
            if stage == "greeting":
                now.add(number)
                most.append(len(now))
            if stage == "body":
                now.discard(number)
            return Say(b"250 ok\r\n", delay=0.02) if stage == "body" else None

        return say

    for number in range(1, 9):
        street.server(number, script(number))
        street.domain(f"d{number}.example", (10, number))
    batch = [one for number in range(1, 9) for one in to(f"d{number}.example", number)]
    assert street.send(batch, servers=2, connections=1).kinds == {SENT: 8}
    assert max(most) <= 2


def test_no_more_connections_than_allowed_lead_to_one_server(street):
    open_now, most, lock = set(), [], threading.Lock()

    def script(stage, seen):
        with lock:
            if stage == "greeting":
                open_now.add(seen.connection)
                most.append(len(open_now))
            if (
                stage == "body" and seen.mail == 30
            ):  # its goodbye may be heard later than the next one's greeting
                open_now.discard(seen.connection)

    street.server(1, script)
    street.domain("a.example", (10, 1))
    street.send(to("a.example", *range(1, 120)), connections=2, per_connection=30)
    assert max(most) <= 2


def test_a_batch_that_has_nothing_for_a_while_is_asked_again(street):
    street.server(1)
    street.domain("a.example", (10, 1))

    def batch():
        for one in to("a.example", *range(1, 6)):
            yield one
            yield None
            yield None

    assert street.send(batch()).kinds == {SENT: 5}


def test_servers_are_left_politely_when_nothing_more_is_to_send(street):
    peer = street.server(1)
    street.domain("a.example", (10, 1))
    way, account = street.backend(connections=1), Account()
    way.send(to("a.example", 1, 2), account)
    until(lambda: peer.lines[-1] == "QUIT")
    way.send(to("a.example", 3), account)
    way.close()
    assert (account.kinds, peer.connections) == ({SENT: 3}, 2)


# ---- sessions


def test_a_421_in_the_midst_of_a_session_costs_no_mail(street):
    def script(stage, seen):
        busy = stage == "mail" and seen.mail == 3 and seen.connection < 4
        return Say(b"421 4.7.0 enough\r\n", cut=True) if busy else None

    peer = street.server(1, script)
    street.domain("a.example", (10, 1))
    account = street.send(to("a.example", *range(1, 21)), connections=1)
    assert account.kinds == {SENT: 20}
    assert max(peer.recipients.values()) == 1


def test_a_server_that_wants_a_login_is_one_domains_trouble(street):
    street.server(1, at("mail", Say(b"530 5.7.0 authentication required\r\n")))
    street.server(2)
    street.domain("closed.example", (10, 1))
    street.domain("a.example", (10, 2))
    account = street.send(to("closed.example", 1, 2) + to("a.example", 3))
    assert account.kinds == {DEFERRED: 2, SENT: 1}
    assert sum("authentication required" in one.text for one in account.outcomes.values()) == 1


@pytest.mark.parametrize("takes", [True, False])
def test_a_lost_answer_is_a_doubt_and_no_second_mail(street, takes):
    def script(stage, seen):
        if seen.recipient != "u2@a.example":
            return None
        return Say(takes=takes) if stage == "before" else Say(b"", cut=True) if stage == "body" else None

    peer, spare = street.server(1, script), street.server(2)
    street.domain("a.example", (10, 1), (20, 2))
    account = street.send(to("a.example", 1, 2, 3))
    assert {key.seq: one.kind for key, one in account.outcomes.items()} == {1: SENT, 2: UNKNOWN, 3: SENT}
    assert peer.recipients["u2@a.example"] + spare.recipients["u2@a.example"] == takes


def test_we_greet_by_the_name_that_was_told(street):
    peer = street.server(1)
    street.domain("a.example", (10, 1))
    street.send(to("a.example", 1), hello="out.shop.example")
    assert peer.lines[0] == "EHLO out.shop.example"


# ---- encryption


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def deliver(street, port, tls):
    street.port = port
    street.host(1)
    street.domain("a.example", (10, 1))
    return street.send(to("a.example", 1, 2), tls=tls)


@pytest.mark.parametrize("tls", [Tls.OFFERED, Tls.REQUIRED])
def test_where_tls_is_offered_mail_is_encrypted_whoever_signed_the_certificate(street, authority, tls):
    box, context = Box(), authority.server("somebody.else.example", signed=False, expired=True)
    with running(box, tls_context=context) as port:
        assert deliver(street, port, tls).kinds == {SENT: 2}
    assert [encrypted for _, _, encrypted in box.mails] == [True, True]


@pytest.mark.parametrize(
    ("tls", "kind"), [(Tls.OFFERED, SENT), (Tls.REQUIRED, DEFERRED)], ids=["offered", "required"]
)
@pytest.mark.parametrize(
    "offers", [("PIPELINING",), ("PIPELINING", "STARTTLS")], ids=["not offered", "offered and broken"]
)
def test_mail_goes_in_clear_only_where_it_may(street, tls, kind, offers):
    with Peer(offers=offers) as peer:  # it knows no STARTTLS, whatever it offers
        account = deliver(street, peer.port, tls)
        assert account.kinds == {kind: 2}
        assert bool(peer.taken) is (kind is SENT)


# ---- stopping


def test_after_the_stop_nothing_is_begun_and_the_rest_is_released(street):
    for number in (1, 2):
        street.server(number)
        street.domain(f"d{number}.example", (10, number))
    batch = [one for n in range(1, 200, 2) for one in (*to("d1.example", n), *to("d2.example", n + 1))]
    account = street.send(batch, Account(stop_after=20))
    assert 20 <= len(account.outcomes) <= 26
    assert sum(len(peer.taken) for peer in street.peers.values()) == account.kinds[SENT]


@pytest.mark.parametrize("stage", ["greeting", "rcpt"])
def test_a_stop_does_not_wait_for_a_silent_server(street, stage):
    account, over = Account(), threading.Event()

    def script(now, seen):
        if now == stage:
            account.stop = True
            over.wait(100)

    street.server(1, script)
    street.domain("a.example", (10, 1))
    began = time.monotonic()
    street.send(to("a.example", *range(1, 50)), account)
    took = time.monotonic() - began
    over.set()
    assert took < 60
    assert account.started_keys == []


def test_a_stop_waits_a_while_for_the_answer_to_a_body_and_then_it_is_a_doubt(street, monkeypatch):
    monkeypatch.setattr(delivery, "GRACE", 0.5)
    account, over = Account(), threading.Event()

    def script(stage, seen):
        if stage == "body":
            account.stop = True
            over.wait(100)

    street.server(1, script)
    street.domain("a.example", (10, 1))
    street.send(to("a.example", 1, 2, 3), account, connections=1)
    over.set()
    assert account.kinds == {UNKNOWN: 1}


def test_an_error_of_the_watch_stops_all_groups_and_is_raised(street):
    class FullDisk(Account):
        def started(self, key):
            if key.seq == 7:
                raise OSError("disk full")
            super().started(key)

    for number in (1, 2):
        street.server(number)
        street.domain(f"d{number}.example", (10, number))
    account = FullDisk()
    batch = [one for n in range(1, 60, 2) for one in (*to("d1.example", n), *to("d2.example", n + 1))]
    with pytest.raises(OSError, match="disk full"):
        street.send(batch, account)
    taken = [key for peer in street.peers.values() for key in peer.recipients]
    assert "u7@d1.example" not in taken
    assert len(taken) == account.kinds[SENT]


def test_what_is_remembered_of_domains_and_groups_is_bounded(street, monkeypatch):
    monkeypatch.setattr(backends, "MOST_DOMAINS", 5)
    monkeypatch.setattr(backends, "MOST_GROUPS", 3)
    way, account = street.backend(), Account()
    for number in range(1, 13):
        street.server(number)
        street.domain(f"d{number}.example", (10, number))
        way.send(to(f"d{number}.example", number), account)
    way.close()
    assert account.kinds == {SENT: 12}
    assert len(way._known) <= 5
    assert len(way._groups) <= 3


# ---- everything at once


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whatever_servers_do_each_mail_ends_once_and_by_what_is_true(seed):
    lot, lock = random.Random(seed), threading.Lock()

    def script(stage, seen):
        with lock:
            chance = lot.random()
        if stage == "body" and chance < 0.06:
            return Say(b"", cut=True)
        if chance < 0.03:
            return Say(b"421 4.3.2 going down\r\n", cut=True)
        if stage in ("rcpt", "data", "body") and chance < 0.08:
            return Say(lot.choice([b"451 4.3.0 later\r\n", b"550 5.7.1 no\r\n"]))
        return None

    with Street() as street:
        for number in range(1, 6):
            street.server(number, script, offers=["PIPELINING"] if number % 2 else [])
        street.host(6)
        for number in range(1, 7):
            street.domain(f"d{number}.example", (10, number), (10 + lot.randrange(2), 1 + number % 5))
        wanted = [one for n in range(150) for one in to(f"d{lot.randint(1, 6)}.example", n)]
        account = street.send(wanted, servers=3)
        taken = sum((peer.recipients for peer in street.peers.values()), Counter())
    ends = {one.rcpt_to: account.outcomes[one.key].kind for one in wanted}
    assert len(ends) == len(account.outcomes) == 150
    assert max(taken.values()) == 1
    assert {who for who, kind in ends.items() if kind is SENT} <= set(taken)
    assert not {who for who, kind in ends.items() if kind in (FAILED, DEFERRED)} & set(taken)
