"""The world: takes the mails, and lets people and machines do with them what their fate says."""

import email
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.policy import default
from heapq import heappop, heappush
from html import unescape
from itertools import count
from pathlib import Path
from random import Random
from re import compile as pattern
from string import ascii_letters, digits
from urllib.parse import urlencode, urlsplit

from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.delivery.caught import CaughtMail
from campaigns.records.reports.figures import SCORES
from campaigns.tracking.instrument import HONEYPOT
from demo import browsers
from demo.browsers import Browser
from demo.fates import LETTER, SURVEY, Fate, fate_of
from demo.postmaster import Postmaster
from demo.truth import Truth

ADDRESS = pattern(r"""(?:href|src)=["'](https?://127\.0\.0\.1:\d+/[^"']+)["']""")
CAMPAIGN = pattern(r"c(\d+):")
HIDDEN = f"/{HONEYPOT}"  #: how the link ends that nobody sees
FULL = "452 4.2.2 The mailbox is full"
GONE = "550 5.1.1 The mailbox does not exist"
#: Seconds after its arrival when something happens to a mail: people are slower than machines.
WAIT = {Fate.SCANNER: 1.5, Fate.SCANNER_THEN_READS: 1.5, Fate.PREFETCH: 3.0, Fate.PREFETCH_THEN_CLICKS: 3.0}
PEOPLES_WAIT = 12.0
READING = 0.05  #: seconds between two things that one person does; kept short, the demo is watched
LOOK_EVERY = 0.3
SHOWS_PICTURES = 0.6  #: of those who answer a survey, so many have seen the mail's pictures first
#: What those who answer tick, and how often; what they write, by whether their score is high.
HEARD = {"friends": 0.5, "press": 0.2, "search": 0.35}
INTEREST = {"JAZ-01": 0.4, "JAZ-02": 0.25, "ROC-05": 0.3}
WHY = {
    True: ("Great choice, quick delivery.", "Schön ausgesucht!", "好听！", "You know what I like", "", ""),
    False: ("Zu teuer. <b>Schade</b>", "The parcel came late.", "Nothing new for me", ""),
}
FORGED = {"o": "open", "c": "click", "v": "view", "u": "unsubscribe", "p": "preferences", "s": "survey"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A received mail, as a mail program sees it."""

    mail: CaughtMail
    address: str
    campaign: int
    links: tuple[str, ...]  #: numbered links, in the order they stand
    hidden: tuple[str, ...]  #: the link that people do not see
    pixel: str | None
    unsubscribe: str
    view: str | None
    survey: tuple[str, ...]  #: links that give a score


class World:
    """Plays until told to stop; `truths` then says what it did, by campaign."""

    def __init__(self, folder: Path, postmaster: Postmaster, surveys: set[int], public_url: str) -> None:
        self._folder, self._postmaster, self._surveys = folder, postmaster, surveys
        self._public_url = public_url
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="world")
        self._seen: set[str] = set()
        self._due: list[tuple[float, int, Letter, Fate, Random]] = []
        self._numbers = count()
        self._running: list[Future[None]] = []
        self.truths: dict[int, Truth] = {}
        self.forged: dict[str, int] = {}  #: requests with tokens that nobody signed, by page

    def play(self, is_over: Callable[[], bool]) -> None:
        """Go on until no more mail will come and everybody has done what they do.

        Raises:
            AssertionError: a page did not answer as it should.
        """
        while True:
            over = is_over()
            new = self._receive()
            self._act()
            if over and not new and not self._due and all(future.done() for future in self._running):
                break
            time.sleep(LOOK_EVERY)
        for future in self._running:
            future.result()
        self._pool.shutdown()
        self._forge()

    def _forge(self) -> None:
        """Ask for what nobody was sent: a neutral page answers, and it is counted."""
        draw = Random("forged")
        browser = browsers.gateway(draw)
        for page, what in FORGED.items():
            for _ in range(5):
                token = "".join(draw.choices(ascii_letters + digits, k=36))
                path = f"/{page}/{token}" + ("/1" if page == "c" else "")
                answer = browser.get(self._public_url + path)
                assert answer.status in (200, 404), f"a forged {what} address answered {answer.status}"
                self.forged[what] = self.forged.get(what, 0) + 1

    def _receive(self) -> int:
        names = [path.name for path in (self._folder / "new").glob("*.eml") if path.name not in self._seen]
        for name in sorted(names):
            self._seen.add(name)
            letter = _open(caught.read(self._folder, name))
            truth = self.truths.setdefault(letter.campaign, Truth())
            truth.note(truth.received, letter.address)
            odds = SURVEY if letter.campaign in self._surveys else LETTER
            fate, draw = fate_of(letter.address, str(letter.campaign), odds)
            if fate is not Fate.SILENT:
                wait = WAIT.get(fate, PEOPLES_WAIT + draw.random() * 3)
                heappush(self._due, (time.monotonic() + wait, next(self._numbers), letter, fate, draw))
        return len(names)

    def _act(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, letter, fate, draw = heappop(self._due)
            self._running.append(self._pool.submit(self._meet, letter, fate, draw))
            if fate in LATER:
                wait = PEOPLES_WAIT + draw.random() * 3
                heappush(self._due, (time.monotonic() + wait, next(self._numbers), letter, LATER[fate], draw))

    def _meet(self, letter: Letter, fate: Fate, draw: Random) -> None:
        truth = self.truths[letter.campaign]
        if fate in RETURNED:
            status, diagnostic = RETURNED[fate]
            self._postmaster.return_mail(letter.mail, status, diagnostic, now=utc_now())
            truth.note(
                truth.bounced_hard if fate is Fate.BOUNCES_HARD else truth.bounced_soft, letter.address
            )
        elif fate is Fate.COMPLAINS:
            self._postmaster.report_abuse(letter.mail, now=utc_now())
            truth.note(truth.complained, letter.address)
        else:
            ACTS[fate](letter, truth, draw)


def _open(mail: CaughtMail) -> Letter:
    message = email.message_from_bytes(mail.raw, policy=default)
    found = CAMPAIGN.match(str(message["Feedback-ID"]))
    assert found is not None, "a mail without a Feedback-ID of ours"
    urls = [unescape(url) for url in ADDRESS.findall(mail.html or "")]
    of = {page: [url for url in urls if urlsplit(url).path.startswith(f"/{page}/")] for page in "ocvs"}
    return Letter(
        mail=mail,
        address=mail.line.envelope.rcpt_to[0],
        campaign=int(found[1]),
        links=tuple(url for url in of["c"] if not url.endswith(HIDDEN)),
        hidden=tuple(url for url in of["c"] if url.endswith(HIDDEN)),
        pixel=next(iter(of["o"]), None),
        unsubscribe=str(message["List-Unsubscribe"]).partition(">")[0].lstrip("<"),
        view=next(iter(of["v"]), None),
        survey=tuple(url for url in of["s"] if "score=" in url),
    )


# ---- what people do ----


def _reads(letter: Letter, truth: Truth, draw: Random) -> None:
    _fetch_pixel(letter, truth, browsers.person(draw), "human")


def _reads_by_proxy(letter: Letter, truth: Truth, draw: Random) -> None:
    _fetch_pixel(letter, truth, browsers.image_proxy(draw), "human")


def _clicks(letter: Letter, truth: Truth, draw: Random) -> None:
    browser = browsers.person(draw)
    _fetch_pixel(letter, truth, browser, "human")
    time.sleep(READING)
    _click_one(letter, truth, browser, draw)


def _clicks_blind(letter: Letter, truth: Truth, draw: Random) -> None:
    _click_one(letter, truth, browsers.person(draw), draw)


def _views(letter: Letter, truth: Truth, draw: Random) -> None:
    if letter.view is not None:
        answer = browsers.person(draw).get(letter.view)
        assert answer.status == 200, f"view in browser answered {answer.status}"
        truth.note(truth.viewed, letter.address)


def _looks_at_leaving(letter: Letter, _truth: Truth, draw: Random) -> None:
    answer = browsers.person(draw).get(letter.unsubscribe)
    assert answer.status == 200, f"the unsubscribe page answered {answer.status}"


def _leaves(letter: Letter, truth: Truth, draw: Random) -> None:
    browser = browsers.person(draw)
    assert browser.get(letter.unsubscribe).status == 200
    time.sleep(READING)
    assert browser.post(letter.unsubscribe, "").status == 200
    truth.note(truth.left, letter.address)


def _leaves_by_button(letter: Letter, truth: Truth, draw: Random) -> None:
    """RFC 8058: the mail program posts, with no page, no cookie and no person's headers."""
    answer = browsers.gateway(draw).post(letter.unsubscribe, "List-Unsubscribe=One-Click")
    assert answer.status == 200, f"one-click unsubscribe answered {answer.status}"
    truth.note(truth.left, letter.address)


def _answers(letter: Letter, truth: Truth, draw: Random) -> None:
    browser, score = browsers.person(draw), _score(draw)
    if draw.random() < SHOWS_PICTURES:
        _fetch_pixel(letter, truth, browser, "human")
        time.sleep(READING)
    page = _click_score(letter, truth, browser, score)
    time.sleep(READING)
    chosen = [("genre", draw.choices(("classical", "jazz", "rock"), (2, 3, 4))[0])]
    chosen += [("heard", one) for one, odds in HEARD.items() if draw.random() < odds]
    chosen += [("interest", one) for one, odds in INTEREST.items() if draw.random() < odds]
    why = draw.choice(WHY[score > 6])
    fields = [("recommend", str(score)), *chosen, ("why", why)]
    answer = browser.post(page.split("?", 1)[0], urlencode(fields))
    assert answer.status in (200, 303), f"the survey answered {answer.status}: {answer.body[:300]}"
    with truth.lock:
        truth.answered[letter.address] = score
        truth.chosen.update(chosen)
        truth.wrote += bool(why)


def _scores_only(letter: Letter, truth: Truth, draw: Random) -> None:
    _click_score(letter, truth, browsers.person(draw), _score(draw))
    truth.note(truth.scored_only, letter.address)


def _score(draw: Random) -> int:
    return draw.choices(range(11), (1, 1, 1, 2, 2, 4, 6, 12, 20, 25, 26))[0]


def _click_score(letter: Letter, truth: Truth, browser: Browser, score: int) -> str:
    """Follow the link of a score, which is a click and no answer yet; gives its address."""
    url = next(url for url in letter.survey if url.endswith(f"score={score}"))
    answer = browser.get(url)
    assert answer.status == 200, f"the survey page answered {answer.status}"
    truth.note_click("human", letter.address, str(SCORES))
    return url


# ---- what machines do ----


def _prefetch(letter: Letter, truth: Truth, draw: Random) -> None:
    _fetch_pixel(letter, truth, browsers.privacy_proxy(draw), "privacy")


def _scanner(letter: Letter, truth: Truth, draw: Random) -> None:
    """Fetch everything in a mail at once, the pages of survey and unsubscribe too: nothing may come of it."""
    browser = browsers.gateway(draw)
    for url in (*letter.links, *letter.hidden):
        browser.get(url, "HEAD" if draw.random() < 0.3 else "GET")
        truth.note_click("machine", letter.address, url.rsplit("/", 1)[1])
    for url in (letter.unsubscribe, *letter.survey):
        assert browser.get(url).status == 200
    if letter.survey:
        truth.note_click("machine", letter.address, str(SCORES))
    if letter.links:
        _fetch_pixel(letter, truth, browser, "machine")


# ---- what both do ----


def _fetch_pixel(letter: Letter, truth: Truth, browser: Browser, who: str) -> None:
    if letter.pixel is not None:
        answer = browser.get(letter.pixel)
        assert answer.status == 200, f"the pixel answered {answer.status}"
        truth.note(truth.opened[who], letter.address)


def _click_one(letter: Letter, truth: Truth, browser: Browser, draw: Random) -> None:
    if letter.links:
        url = draw.choice(letter.links)
        answer = browser.get(url)
        assert answer.status == 302, f"a link answered {answer.status}"
        assert "://shop.nightingale.example" in answer.location or "://" in answer.location
        truth.note_click("human", letter.address, url.rsplit("/", 1)[1])


LATER = {Fate.PREFETCH_THEN_CLICKS: Fate.CLICKS, Fate.SCANNER_THEN_READS: Fate.READS}
RETURNED = {Fate.BOUNCES_HARD: ("5.1.1", GONE), Fate.BOUNCES_SOFT: ("4.2.2", FULL)}
ACTS: dict[Fate, Callable[[Letter, Truth, Random], None]] = {
    Fate.READS: _reads,
    Fate.READS_BY_PROXY: _reads_by_proxy,
    Fate.CLICKS: _clicks,
    Fate.CLICKS_BLIND: _clicks_blind,
    Fate.VIEWS: _views,
    Fate.PREFETCH: _prefetch,
    Fate.PREFETCH_THEN_CLICKS: _prefetch,
    Fate.SCANNER: _scanner,
    Fate.SCANNER_THEN_READS: _scanner,
    Fate.LEAVES: _leaves,
    Fate.LEAVES_BY_BUTTON: _leaves_by_button,
    Fate.LOOKS_AT_LEAVING: _looks_at_leaving,
    Fate.ANSWERS: _answers,
    Fate.SCORES_ONLY: _scores_only,
}
