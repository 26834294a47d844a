"""Many addresses: politely, in bounded time, remembered; and calm without a network."""

import time
from collections import Counter

import pytest

from campaigns.delivery.fetching import Answer, Fetcher, Limits, Memory, Trouble
from campaigns.delivery.fetching.rounds import AT_ONCE, KEPT, MOST, MOST_KEPT, Wanted, ask_all, remembered
from tests.delivery.fetching.web_server import PUBLIC, fetching, said
from tests.name_server import NameServer


def slowly(*_):
    time.sleep(0.03)
    return said("200 OK")


def wanted(*urls):
    return [Wanted(url) for url in urls]


@pytest.mark.timed
def test_everything_is_asked_once_and_answered_in_its_order():
    names = [f"shop{at}.example" for at in range(12)]
    links = wanted(*[f"http://{name}/{page}" for name in names for page in "ab"], "http://shop0.example/a")
    with fetching(slowly, names=names) as (fetcher, server, _):
        found = ask_all(fetcher, links, Memory())
    assert list(found) == links[:-1]
    assert all(answer.is_alive for answer in found.values())
    assert len(server.asked) == 24
    assert 1 < server.most_at_once <= AT_ONCE


def test_answers_are_remembered_for_some_minutes_and_asked_anew_afterwards():
    now = [0.0]
    memory = Memory(clock=lambda: now[0])
    links = wanted("http://shop.example/a")
    with fetching(slowly) as (fetcher, server, _):
        for second, asked in ((0.0, 1), (59.0, 1), (61.0, 2), (62.0, 2)):
            now[0] = second
            ask_all(fetcher, links, memory)
            assert len(server.asked) == asked
    assert remembered(links, memory)[links[0]].is_alive
    now[0] = 62.0 + KEPT
    assert remembered(links, memory) == {}


def test_a_picture_and_a_page_are_remembered_apart():
    memory = Memory()
    memory.keep(Wanted("http://a.example/", picture=True), Answer("http://a.example/", 200))
    assert remembered(wanted("http://a.example/"), memory) == {}


def test_memory_does_not_grow_without_end():
    memory = Memory()
    for at in range(MOST_KEPT + 5):
        memory.keep(Wanted(f"http://a.example/{at}"), Answer("", 200))
    assert memory.get(Wanted("http://a.example/0")) is None
    assert memory.get(Wanted(f"http://a.example/{MOST_KEPT + 4}")) is not None


@pytest.mark.timed
def test_a_round_ends_in_time_and_says_who_had_no_turn():
    def dawdling(*_):
        time.sleep(0.25)
        return said("200 OK")

    links = wanted(*[f"http://shop.example/{at}" for at in range(20)])
    with fetching(dawdling, limits=Limits(seconds=60)) as (fetcher, _, _):
        began = time.monotonic()
        found = ask_all(fetcher, links, Memory(), patience=1.2)
        assert time.monotonic() - began < 2
    troubles = {answer.trouble for answer in found.values()}
    assert None in troubles
    assert Trouble.NOT_ASKED in troubles


def test_a_round_is_of_bounded_length():
    with fetching(lambda *_: said("200 OK"), table={("shop.example", "A"): ["127.0.0.1"]}) as (
        fetcher,
        server,
        _,
    ):
        found = ask_all(fetcher, wanted(*[f"http://shop.example/{at}" for at in range(500)]), Memory())
    assert len(found) == MOST
    assert server.asked == []


def test_a_dead_network_is_noticed_after_a_few_and_nothing_of_it_is_remembered():
    with NameServer({}) as gone:
        resolver = gone.resolver()
    resolver.lifetime = 0.2
    links = wanted(*[f"http://shop{at}.example/" for at in range(60)])
    memory = Memory()
    found = ask_all(Fetcher(resolver), links, memory)
    troubles = Counter(answer.trouble for answer in found.values())
    assert set(troubles) == {Trouble.NO_NAMES, Trouble.NO_NETWORK}
    assert troubles[Trouble.NO_NAMES] < 30
    assert remembered(links, memory) == {}
    assert PUBLIC not in repr(found)
