"""A crowd is counted as its words say: other recipients of a domain, one address, a minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.tracking.crowds import NEAR, Sighting, counts, others

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SIGHTINGS = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(["a.example", "b.example"]), st.sampled_from("xy"), st.integers(0, 300)
    ),
    max_size=25,
)  # fmt: skip


@given(SIGHTINGS)
@settings(max_examples=200, deadline=None)
def test_others_are_counted_once_each(seen) -> None:
    sightings = [
        Sighting(number, (1, seq), domain, address, START + timedelta(seconds=at))
        for number, (seq, domain, address, at) in enumerate(seen)
    ]
    found = others(sightings)
    for one in sightings:
        near = {
            other.message
            for other in sightings
            if (other.domain, other.address) == (one.domain, one.address) and abs(other.at - one.at) <= NEAR
        }
        assert found[one.hit] == len(near - {one.message})


def test_mail_proxies_and_looks_are_no_crowd() -> None:
    browser = "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
    assert counts("click", browser, "198.51.100.1")
    assert not counts("open", browser, "198.51.100.1")
    assert not counts("click", "Mozilla/5.0", "198.51.100.1")
    assert not counts("click", browser, "")
