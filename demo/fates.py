"""What each recipient, or a machine before them, does with a mail: drawn by address, alike at every run."""

from enum import StrEnum
from random import Random


class Fate(StrEnum):
    """What happens to one mail."""

    SILENT = "silent"  #: lies unread
    READS = "reads"  #: a person opens it, images on
    READS_BY_PROXY = "reads by proxy"  #: a person opens it, images through the mailbox's image proxy
    CLICKS = "clicks"  #: a person opens it and follows links
    CLICKS_BLIND = "clicks blind"  #: a person follows a link, images off
    VIEWS = "views"  #: a person opens it in a browser
    PREFETCH = "prefetch"  #: a privacy proxy fetches the images; nobody reads
    PREFETCH_THEN_CLICKS = "prefetch, then clicks"  #: the proxy first, the person later
    SCANNER = "scanner"  #: a gateway follows every link at once; nobody reads
    SCANNER_THEN_READS = "scanner, then reads"  #: the gateway first, the person later
    LEAVES = "leaves"  #: opens the unsubscribe page and posts it
    LEAVES_BY_BUTTON = "leaves by button"  #: the mail program posts List-Unsubscribe-Post
    LOOKS_AT_LEAVING = "looks at leaving"  #: opens the unsubscribe page and stays
    COMPLAINS = "complains"  #: reports it as spam: a feedback report comes back
    BOUNCES_HARD = "bounces hard"  #: taken, then returned: no such mailbox
    BOUNCES_SOFT = "bounces soft"  #: taken, then returned: mailbox full
    ANSWERS = "answers"  #: follows a score and posts the survey
    SCORES_ONLY = "scores only"  #: follows a score and closes the page


LETTER = {
    Fate.SILENT: 420,
    Fate.READS: 150,
    Fate.READS_BY_PROXY: 90,
    Fate.CLICKS: 80,
    Fate.CLICKS_BLIND: 20,
    Fate.VIEWS: 10,
    Fate.PREFETCH: 110,
    Fate.PREFETCH_THEN_CLICKS: 20,
    Fate.SCANNER: 50,
    Fate.SCANNER_THEN_READS: 10,
    Fate.LEAVES: 12,
    Fate.LEAVES_BY_BUTTON: 6,
    Fate.LOOKS_AT_LEAVING: 4,
    Fate.COMPLAINS: 2,
    Fate.BOUNCES_HARD: 10,
    Fate.BOUNCES_SOFT: 6,
}
SURVEY = {
    Fate.SILENT: 450,
    Fate.READS: 80,
    Fate.PREFETCH: 110,
    Fate.SCANNER: 60,
    Fate.ANSWERS: 230,
    Fate.SCORES_ONLY: 50,
    Fate.LEAVES: 10,
    Fate.BOUNCES_HARD: 10,
}


def fate_of(address: str, campaign: str, odds: dict[Fate, int]) -> tuple[Fate, Random]:
    """Draw what happens to this address's mail, and the source of its further choices."""
    draw = Random(f"{campaign}:{address}")
    return draw.choices(list(odds), list(odds.values()))[0], draw


def is_refused(address: str) -> bool:
    """Tell whether the world's mail server refuses this recipient at once: no such person."""
    return Random(f"refused:{address}").random() < 0.008
