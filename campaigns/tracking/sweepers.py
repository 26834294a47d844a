"""Networks from which all of a mail's links were followed: what else comes from there is hardly a person's.

So a gateway that is on no list gives itself away by the mails of others. Its network is heard of only where
it swept mails to other companies: one at a company's own door stands before that company's people, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from campaigns.tracking.bursts import network
from campaigns.tracking.instrument import HONEYPOT
from campaigns.values import Hit, Verdict

LINKS = 4  #: different links of a mail, which is no person's doing where it was a machine's
ENOUGH = 3  #: others; more tell no more

House = str  #: a company by its domain; else whatever tells one recipient from others


def networks_of(hits: Iterable[Hit], verdicts: Iterable[Verdict]) -> set[str]:
    """The networks from which the links of one message were followed by machines, all or the hidden one."""
    links: defaultdict[str, set[int]] = defaultdict(set)
    for hit, verdict in zip(hits, verdicts, strict=True):
        if verdict is Verdict.MACHINE and hit.kind == "click" and hit.link is not None and hit.address:
            links[network(hit.address)].add(hit.link)
    return {near for near, found in links.items() if len(found) >= LINKS or HONEYPOT in found}


def of_others(houses: Mapping[str, set[House]], own: House, hits: Sequence[Hit]) -> dict[str, int]:
    """For each network of a message's hits: how many others' mails were swept from there."""
    found = {near: len(houses.get(near, set()) - {own}) for near in {network(hit.address) for hit in hits}}
    return {near: min(count, ENOUGH) for near, count in found.items() if count}
