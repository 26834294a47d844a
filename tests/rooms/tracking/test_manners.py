"""What a request tells by itself: the headers that its program sends, and how old it calls itself."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.tracking.bursts import beginnings, network
from campaigns.tracking.manners import UNTOLD, is_secure
from campaigns.tracking.sweepers import ENOUGH, networks_of, of_others
from campaigns.tracking.verdicts import judge
from campaigns.values import Hit, Verdict

SENT = datetime(2026, 11, 1, 9, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.6 Mobile/15E148 Safari/604.1"
)
NOW_CHROME = CHROME.format(152)
POLITE = ("accept", "accept-language")
WHOLE = (*POLITE, "sec-fetch-mode")


def click(seconds, *, agent=NOW_CHROME, address="198.51.100.4", headers=WHOLE, link=1, kind="click"):
    at = SENT + timedelta(seconds=seconds)
    return Hit(at, kind, 1, 1, 1, link if kind != "open" else None, "GET", agent, address, headers)


def judged(*hits, **more):
    return judge(hits, sent_at=SENT, **{"link_count": 6, **more})


@pytest.mark.parametrize("agent", [CHROME.format(80), CHROME.format(152), FIREFOX.format(140)])
def test_a_browser_that_keeps_back_what_it_always_sends_over_https_is_doubted(agent) -> None:
    with_it, without = judged(click(5000, agent=agent)), judged(click(5000, agent=agent, headers=POLITE))
    assert without[0].points - with_it[0].points == 2
    assert "and sends not what that sends" in " ".join(without[0].reasons)


@pytest.mark.parametrize(
    ("agent", "headers", "secure"),
    [
        (CHROME.format(152), POLITE, False),
        (CHROME.format(152), (UNTOLD,), True),
        (IPHONE, POLITE, True),
        (CHROME.format(152), WHOLE, True),
    ],
)
def test_nobody_is_doubted_for_what_their_program_never_sends(agent, headers, secure) -> None:
    (judgement,) = judged(click(5000, agent=agent, headers=headers), secure=secure)
    assert (judgement.verdict, judgement.points) == (Verdict.HUMAN, 0)


@pytest.mark.parametrize(("version", "points"), [(152, 0), (125, 0), (109, 1), (79, 2), (42, 2)])
def test_the_older_a_browser_calls_itself_the_less_it_is_believed(version, points) -> None:
    (judgement,) = judged(click(5000, agent=CHROME.format(version)))
    assert judgement.points == points


@given(st.text(max_size=80), st.sampled_from(["chrome/{}", "Firefox/{}"]))
def test_no_agent_is_too_strange_to_be_read(text, shape) -> None:
    judged(click(5000, agent=CHROME.format(1) + shape.format(text), headers=POLITE))


def test_two_links_at_once_in_the_first_minute_are_a_machines() -> None:
    early = judged(click(30, link=1), click(30.4, link=2))
    assert {one.verdict for one in early} == {Verdict.MACHINE}
    later = judged(click(3000, link=1), click(3000.4, link=2))
    assert {one.verdict for one in later} == {Verdict.UNKNOWN}


def test_who_was_there_too_soon_is_doubted_for_what_it_does_next() -> None:
    soon, next_ = judged(click(3, kind="open"), click(40))
    assert "same address and agent as what came 3 s after sending" in next_.reasons
    assert (soon.points, next_.points) == (2, 2)
    (alone,) = judged(click(40))
    assert alone.verdict is Verdict.HUMAN


def test_what_comes_with_a_weighed_machine_is_a_machines() -> None:
    opened, clicked = judged(click(4, kind="open"), click(40, headers=POLITE))
    assert clicked.verdict is Verdict.MACHINE
    assert opened.verdict is Verdict.MACHINE
    assert "same address and agent as a machine's request" in opened.reasons[0]


def test_a_check_after_the_persons_click_is_doubted_and_the_person_is_not() -> None:
    person, check = judged(click(5000), click(5012, address="192.0.2.9"))
    assert (person.verdict, check.verdict) == (Verdict.HUMAN, Verdict.UNKNOWN)
    reader = judged(click(4900, kind="open"), click(5000), click(5012, address="192.0.2.9"))
    assert [one.verdict for one in reader] == [Verdict.HUMAN, Verdict.HUMAN, Verdict.UNKNOWN]


@pytest.mark.parametrize(
    ("count", "verdict"), [(0, Verdict.HUMAN), (1, Verdict.UNKNOWN), (2, Verdict.UNKNOWN)]
)
def test_a_network_that_swept_others_mails_is_doubted(count, verdict) -> None:
    swept = {"198.51.100.0/24": count} if count else {}
    assert judged(click(5000), swept=swept)[0].verdict is verdict
    assert judged(click(30), swept=swept)[0].verdict is (Verdict.MACHINE if count > 1 else verdict)
    reader = judged(click(4900, kind="open"), click(5000), swept=swept)
    assert reader[1].verdict is Verdict.HUMAN  # the mail was looked at from there


def test_a_network_sweeps_by_four_links_or_the_hidden_one_and_only_as_a_machine() -> None:
    def swept(*links, verdict=Verdict.MACHINE):
        return networks_of([click(5, link=link) for link in links], [verdict] * len(links))

    assert swept(1, 2, 3, 3) == set()
    assert swept(1, 2, 3, 4) == swept(0) == {"198.51.100.0/24"}
    assert swept(1, 2, 3, 4, verdict=Verdict.HUMAN) == set()


def test_a_company_is_no_witness_against_its_own_people() -> None:
    houses = {"198.51.100.0/24": {"firm.example", "works.example"}}
    assert of_others(houses, "firm.example", [click(1)]) == {"198.51.100.0/24": 1}
    assert of_others(houses, "else.example", [click(1)]) == {"198.51.100.0/24": 2}
    assert of_others({"198.51.100.0/24": {"firm.example"}}, "firm.example", [click(1)]) == {}
    many = {"198.51.100.0/24": {str(number) for number in range(50)}}
    assert of_others(many, "x", [click(1)]) == {"198.51.100.0/24": ENOUGH}


STORED = st.ip_addresses(v=6).map(lambda address: address.ipv4_mapped or address)


@given(st.one_of(st.ip_addresses(v=4), STORED).map(str))
def test_an_address_begins_as_its_network_says(address) -> None:
    found = beginnings(network(address))
    assert any(address.startswith(start) for start in found) or network(address) == "::/48"
    assert len(found) <= 2


@given(st.ip_addresses(v=4).map(str))
def test_an_ipv4_address_is_of_its_network_however_it_was_written(address) -> None:
    assert network(str(IPv6Address(f"::ffff:{address}"))) == network(address)


def test_what_is_no_network_has_no_beginning() -> None:
    assert beginnings("") == beginnings("not an address") == []
    assert beginnings("::/48") == []  # so hits were cut whose IPv4 addresses stood within IPv6


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://t.example.org", True),
        ("http://t.example.org", False),
        ("http://127.0.0.1:8025", True),
        ("http://localhost:8025", True),
        ("http://[::1]:8025", True),
        ("http://127.example.org.", False),
        ("http://evillocalhost", False),
        ("nonsense", False),
    ],
)
def test_browsers_trust_https_and_their_own_machine(url, secure) -> None:
    assert is_secure(url) is secure
