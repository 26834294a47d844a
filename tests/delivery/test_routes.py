"""Routes: the first that fits takes the mail, and its accounts share by weight; against a plain oracle."""

from collections import Counter
from fractions import Fraction
from itertools import islice, product

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.routes import ELSE, Route, Routing, deal, shares, unreachable
from campaigns.values import Account, TopicClass

CLASSES = [one.value for one in TopicClass]
ADDRESSES = ["news@example.org", "help@example.org", "shop@example.net", "any@example.com"]
LANES = ["google", "yahoo", "other"]
NAMES = ["a", "b", "c", "d"]


def sets(words):
    return st.frozensets(st.sampled_from(words), max_size=len(words))


WEIGHTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0.5, 1.0, 2.0, 3.0, 10.0]), min_size=1)
ROUTES = st.lists(
    st.builds(
        Route,
        WEIGHTS,
        classes=sets(CLASSES),
        senders=sets([*ADDRESSES[:3], "example.org"]),
        lanes=sets(LANES),
    ),
    max_size=5,
).map(lambda some: (*some, Route({"a": 1.0})))


def fits(route, topic_class, sender, lane):
    """The same question, asked word by word."""
    of_sender = [sender, sender.split("@")[1]]
    return all(
        not wanted or any(one in wanted for one in given)
        for wanted, given in (
            (route.classes, [topic_class]),
            (route.senders, of_sender),
            (route.lanes, [lane]),
        )
    )


@settings(max_examples=60, deadline=None)
@given(ROUTES, st.sampled_from(CLASSES), st.sampled_from(ADDRESSES), st.sampled_from(LANES))
def test_a_mail_goes_by_the_first_route_that_fits_it(routes, topic_class, sender, lane):
    routing = Routing({name: Account(name, "smtp") for name in NAMES}, routes)
    expected = next(one for one in routes if fits(one, topic_class, sender, lane))
    assert routing.route_of(topic_class, sender.title(), lane) is expected


@settings(max_examples=60, deadline=None)
@given(ROUTES)
def test_a_route_is_unreachable_when_no_mail_whatever_comes_to_it(routes):
    reached = {
        next(n for n, one in enumerate(routes) if fits(one, *mail))
        for mail in product(CLASSES, [*ADDRESSES, "someone@example.org"], [*LANES, "seznam"])
    }
    assert unreachable(routes) == [n for n in range(len(routes)) if n not in reached]


@settings(max_examples=60, deadline=None)
@given(WEIGHTS, st.text(max_size=8), st.integers(1, 400))
def test_accounts_are_dealt_by_weight_to_within_a_few_chunks_however_many_there_are(weights, seed, count):
    dealt = Counter(islice(deal(weights, seed), count))
    total = sum(Fraction(weight) for weight in weights.values())
    for name, weight in weights.items():
        assert abs(dealt[name] - count * Fraction(weight) / total) <= 4
    assert list(islice(deal(weights, seed), count)) == list(islice(deal(weights, seed), count))


def test_single_chunks_of_many_runs_are_shared_by_weight_too():
    firsts = Counter(next(deal({"main": 3.0, "spare": 1.0}, f"{run}:google")) for run in range(4000))
    assert 2850 < firsts["main"] < 3150


@settings(max_examples=60, deadline=None)
@given(WEIGHTS, st.lists(st.sampled_from(NAMES), unique=True), st.frozensets(st.sampled_from(NAMES)))
def test_what_is_lost_leaves_its_share_to_the_others_and_then_to_the_failover(weights, failover, gone):
    failover = tuple(name for name in failover if name not in weights)
    left = shares(Route(weights, failover), lambda name: name in gone)
    alive = {name: weight for name, weight in weights.items() if name not in gone}
    spare = [name for name in failover if name not in gone]
    if alive:
        assert left == alive
    else:
        assert list(left) == spare[:1]


def test_no_address_can_be_mistaken_for_the_one_that_stands_for_all_others():
    assert not Route({"a": 1.0}, senders=frozenset({"news@example.org"})).fits("service", ELSE, "other")


@settings(max_examples=60, deadline=None)
@given(ROUTES, st.sampled_from(CLASSES), st.sampled_from(ADDRESSES))
def test_the_routes_of_a_mail_are_those_that_take_it_to_some_lane(routes, topic_class, sender):
    routing = Routing({name: Account(name, "smtp") for name in NAMES}, routes)
    firsts = [next(one for one in routes if fits(one, topic_class, sender, lane)) for lane in [*LANES, ELSE]]
    expected = [number for number, one in enumerate(routes) if any(one is first for first in firsts)]
    found = routing.routes_of(topic_class, sender)
    assert [next(n for n, one in enumerate(routes) if one is each) for each in found] == expected
