"""The lane of a domain, known offline."""

import pytest

from campaigns.delivery.lanes import LANES, lane_of
from campaigns.imports.addresses import normalise


@pytest.mark.parametrize(
    ("domain", "lane"),
    [
        ("gmail.com", "google"),
        ("googlemail.com", "google"),
        ("hotmail.co.uk", "microsoft"),
        ("aol.com", "yahoo"),
        ("yahoo.co.jp", "yahoo japan"),
        ("me.com", "apple"),
        ("web.de", "gmx"),
        ("firm.example", "other"),
        ("mail.gmail.com", "other"),
        ("", "other"),
    ],
)
def test_a_domain_belongs_to_the_provider_of_its_mailboxes(domain, lane):
    assert lane_of(domain) == lane


@pytest.mark.parametrize("domain", LANES)
def test_a_known_domain_is_written_as_addresses_are_stored(domain):
    assert normalise(f"someone@{domain}") == f"someone@{domain}"
