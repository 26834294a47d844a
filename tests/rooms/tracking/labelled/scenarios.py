"""Made-up visits to mails, each labelled by who made it: `python scenarios.py` writes the two files beside it.

Each scenario is a model of one maker, after what is documented of it, and knows nothing of our rules. The
two halves share the models and nothing else: other programs, networks, delays, habits and seeds. Rules may
be tuned on labelled.jsonl; heldout.jsonl is only measured.
"""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
HUMAN, MACHINE, PRIVACY = "human", "machine", "privacy"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
MODERN = [
    "accept",
    "accept-encoding",
    "accept-language",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
]
OLDER = ["accept", "accept-encoding", "accept-language"]
BARE = ["accept", "accept-encoding"]


@dataclass(frozen=True)
class Half:
    """What sets the two halves apart."""

    name: str
    seed: int
    weight: float  #: how many of each scenario
    chrome: tuple[int, ...]
    firefox: tuple[int, ...]
    ios: tuple[str, ...]
    homes: tuple[str, ...]  #: first two bytes of people's networks
    clouds: tuple[str, ...]  #: of rented machines; some are on no list
    microsoft: tuple[str, ...]
    proofpoint: tuple[str, ...]
    mimecast: tuple[str, ...]
    barracuda: tuple[str, ...]
    links: tuple[int, int]  #: of a mail
    reading: tuple[float, float]  #: of people's delays: log of the median's seconds, and its spread
    delivery: tuple[float, float]  #: seconds from sending to a scan at delivery
    gap: tuple[float, float]  #: between a burst's requests
    traps: float  #: the share of gateways that follow the hidden link too
    heads: float  #: the share of gateways that ask with HEAD first
    polite: float  #: the share of gateways that send a browser's headers
    robots: tuple[str, ...]
    unfurlers: tuple[str, ...]
    companies: tuple[str, ...] = field(default=("firm", "works", "haus"))


TUNED = Half(
    "labelled", 1, 1.0, (140, 141, 142), (143, 144), ("18_6", "26_1"), ("198.51", "81.2", "84.160"),
    ("3.210", "34.70", "159.65"), ("40.94", "52.102", "20.190"), ("67.231", "148.163", "185.183"),
    ("207.82", "205.139", "91.220"), ("209.222", "64.235", "18.208"), (4, 12), (8.6, 1.6), (2, 45), (0.05, 1.2),
    0.55, 0.4, 0.5,
    ("python-requests/2.32.3", "curl/8.5.0", "Go-http-client/2.0", "Mozilla/5.0 (compatible; AhrefsBot/7.0)"),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "WhatsApp/2.23.20.0",
     "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com"),
)  # fmt: skip
HELD_OUT = Half(
    "heldout", 20261122, 1.0, (128, 133, 137), (115, 128, 140), ("16_7", "17_5", "18_1"),
    ("203.0", "91.64", "2.200"), ("3.221", "34.90", "138.201"), ("40.94", "52.97", "104.47"),
    ("67.231", "148.163", "208.84"), ("205.139", "207.82", "146.101"), ("209.222", "35.176", "69.25"),
    (2, 20), (7.9, 2.0), (1, 120), (0.2, 1.9), 0.4, 0.25, 0.65,
    ("python-urllib3/2.2.1", "Wget/1.21.4", "Java/17.0.10", "Mozilla/5.0 (compatible; SemrushBot/7~bl)",
     "okhttp-scanner/1.0", "HeadlessChrome/126.0.0.0"),
    ("Slackbot-LinkExpanding 1.0", "facebookexternalhit/1.1 Facebot Twitterbot/1.0", "TelegramBot (like TwitterBot)",
     "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)"),
    ("kontor", "labor", "amt"),
)  # fmt: skip


class Mail:
    """One message and the visits to it."""

    def __init__(self, world: "World", scenario: str, *, links: int | None = None, to: str = "") -> None:
        self.world, self.r, self.half = world, world.r, world.half
        world.count += 1
        self.links = links or self.r.randint(*self.half.links)
        self.common = {
            "message": f"{world.half.name}-{world.count}",
            "scenario": scenario,
            "links": self.links,
        }
        if to:
            self.common["to"] = to

    def hit(self, t, kind, truth, agent, address, headers=(), *, link=None, method="GET"):
        line = {"t": round(t, 2), "kind": kind, "link": link, "method": method, "agent": agent,
                "address": address, "headers": list(headers), "truth": truth}  # fmt: skip
        self.world.lines.append({**self.common, **line})

    def any_link(self):
        return self.r.randint(1, self.links)

    def read_at(self, least=15.0):
        return least + self.r.lognormvariate(*self.half.reading)


class World:
    """A half on its way."""

    def __init__(self, half: Half) -> None:
        self.half, self.r, self.count, self.lines = half, random.Random(half.seed), 0, []

    def of(self, networks):
        start = self.r.choice(networks)
        return f"{start}.{self.r.randint(80, 95)}.{self.r.randint(1, 250)}"

    def home(self):
        return f"{self.r.choice(self.half.homes)}.{self.r.randint(0, 250)}.{self.r.randint(1, 250)}"

    def chrome(self, platform="Windows NT 10.0; Win64; x64", edge=False):
        version = self.r.choice(self.half.chrome)
        tail = f" Edg/{version}.0.0.0" if edge else ""
        return f"Mozilla/5.0 ({platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36{tail}"

    def firefox(self):
        version = self.r.choice(self.half.firefox)
        return f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"

    def iphone(self):
        ios = self.r.choice(self.half.ios)
        return (f"Mozilla/5.0 (iPhone; CPU iPhone OS {ios} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
                f" Version/{ios.partition('_')[0]}.0 Mobile/15E148 Safari/604.1")  # fmt: skip

    def browser(self):
        """A person's browser with the headers that it sends."""
        agent = self.r.choice([self.chrome, self.firefox, self.iphone, lambda: self.chrome(edge=True),
                               lambda: self.chrome("Linux; Android 10; K")])()  # fmt: skip
        return agent, OLDER if "iPhone" in agent and self.r.random() < 0.3 else MODERN

    def gateway(self):
        """A scanner that looks like Chrome."""
        return self.chrome(), (
            MODERN if self.r.random() < 0.5 else OLDER
        ) if self.r.random() < self.half.polite else BARE


# ---- people


def in_gmail(w):
    mail, at, home = Mail(w, "Gmail: a person"), 0.0, w.home()
    at, (agent, headers) = mail.read_at(), w.browser()
    mail.hit(at, "open", HUMAN, GMAIL, f"66.249.8{w.r.randint(0, 9)}.{w.r.randint(1, 250)}")
    for _ in range(w.r.choice([0, 1, 1, 2])):
        at += w.r.uniform(4, 90)
        mail.hit(at, "click", HUMAN, agent, home, headers, link=mail.any_link())


def gmail_prefetch(w):
    mail = Mail(w, "Gmail: fetched ahead")
    mail.hit(
        w.r.uniform(1, 30), "open", PRIVACY, PREFETCH, f"74.125.21{w.r.randint(0, 9)}.{w.r.randint(1, 250)}"
    )
    if w.r.random() < 0.4:
        mail.hit(mail.read_at(60), "open", HUMAN, GMAIL, f"66.249.8{w.r.randint(0, 9)}.{w.r.randint(1, 250)}")


def apple_mail(w):
    mail, relay = (
        Mail(w, "Apple Mail Privacy Protection"),
        f"172.224.2{w.r.randint(24, 39)}.{w.r.randint(1, 250)}",
    )
    for _ in range(w.r.choice([1, 1, 2])):
        mail.hit(w.r.uniform(30, 20_000), "open", PRIVACY, "Mozilla/5.0", relay)
    if w.r.random() < 0.5:
        at, home = mail.read_at(120), relay if w.r.random() < 0.3 else w.home()
        mail.hit(
            at,
            "click",
            HUMAN,
            w.iphone(),
            home,
            MODERN if w.r.random() < 0.7 else OLDER,
            link=mail.any_link(),
        )


def in_outlook(w):
    mail, at, home = Mail(w, "Outlook and Edge"), 0.0, w.home()
    at = mail.read_at()
    if w.r.random() < 0.5:  # else its pictures are blocked
        mail.hit(at, "open", HUMAN, "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", home)
    mail.hit(at + w.r.uniform(3, 60), "click", HUMAN, w.chrome(edge=True), home, MODERN, link=mail.any_link())


def link_check_of_office(w):
    mail, at, home = Mail(w, "Office checks a link before it opens a browser"), 0.0, w.home()
    at, link = mail.read_at(), mail.any_link()
    for method, agent in (
        ("HEAD", "Microsoft Office Existence Discovery"),
        ("OPTIONS", "Microsoft Office Protocol Discovery"),
    ):
        mail.hit(at, "click", MACHINE, agent, home, link=link, method=method)
        at += w.r.uniform(0.1, 0.8)
    mail.hit(at + 0.4, "click", HUMAN, w.chrome(edge=True), home, MODERN, link=link)


def in_yahoo_or_thunderbird(w):
    mail, at, home = Mail(w, "Yahoo, Thunderbird"), 0.0, w.home()
    at = mail.read_at()
    program = w.r.choice(
        [YAHOO, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.3.0"]
    )
    mail.hit(at, "open", HUMAN, program, "98.136.10.2" if program is YAHOO else home)
    if w.r.random() < 0.6:
        mail.hit(at + w.r.uniform(5, 200), "click", HUMAN, w.firefox(), home, MODERN, link=mail.any_link())


def double_click(w):
    mail, home, (agent, headers) = Mail(w, "A person clicks twice, fast"), w.home(), w.browser()
    at, link = mail.read_at(), mail.any_link()
    for _ in range(w.r.choice([2, 2, 3])):
        mail.hit(at, "click", HUMAN, agent, home, headers, link=link)
        at += w.r.uniform(0.15, 1.5)


def tabs(w):
    mail, home, (agent, headers) = (
        Mail(w, "A person opens links in tabs", links=w.r.randint(6, 14)),
        w.home(),
        w.browser(),
    )
    at = mail.read_at()
    for link in w.r.sample(range(1, mail.links + 1), w.r.choice([2, 2, 3, 4])):
        mail.hit(at, "click", HUMAN, agent, home, headers, link=link)
        at += w.r.uniform(2.2, 30)


def quick_reader(w):
    mail, home, (agent, headers) = Mail(w, "A person who waited for the mail"), w.home(), w.browser()
    mail.hit(w.r.uniform(12, 70), "click", HUMAN, agent, home, headers, link=mail.any_link())


def bare_browser(w):
    mail = Mail(w, "A browser that hides its headers")
    at, home = mail.read_at(), w.home()
    if w.r.random() < 0.6:
        mail.hit(at - w.r.uniform(4, 40), "open", HUMAN, w.firefox(), home, ["accept"])
    mail.hit(at, "click", HUMAN, w.firefox(), home, BARE, link=mail.any_link())


def behind_vpn(w):
    mail, (agent, headers) = Mail(w, "A person behind a rented machine"), w.browser()
    at = mail.read_at()
    mail.hit(at, "open", HUMAN, GMAIL, "66.249.84.7")
    mail.hit(
        at + w.r.uniform(5, 60), "click", HUMAN, agent, w.of(w.half.clouds), headers, link=mail.any_link()
    )


def office(w):
    """People of one company behind one address, on a working morning."""
    domain, door = f"{w.r.choice(w.half.companies)}{w.r.randint(1, 99)}.example", w.home()
    agent = w.chrome(edge=True)
    for _ in range(w.r.randint(6, 14)):
        mail = Mail(w, "People behind one company's address", to=domain)
        at = w.r.uniform(60, 7200) if w.r.random() < 0.7 else w.r.uniform(120, 300)
        mail.hit(at, "open", HUMAN, "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", door)
        if w.r.random() < 0.5:
            mail.hit(at + w.r.uniform(5, 40), "click", HUMAN, agent, door, MODERN, link=mail.any_link())


def forwarded(w):
    mail, at = Mail(w, "A mail that was forwarded"), 0.0
    at = mail.read_at()
    for _ in range(w.r.randint(2, 6)):
        home, (agent, headers) = w.home(), w.browser()
        mail.hit(at, "open", HUMAN, agent, home, ["accept", "accept-language"])
        if w.r.random() < 0.6:
            mail.hit(at + w.r.uniform(4, 40), "click", HUMAN, agent, home, headers, link=mail.any_link())
        at += w.r.lognormvariate(6, 1.5)


def unfurled(w):
    mail, home, (agent, headers) = Mail(w, "A link pasted into a chat"), w.home(), w.browser()
    at, link = mail.read_at(), mail.any_link()
    mail.hit(at, "click", HUMAN, agent, home, headers, link=link)
    mail.hit(
        at + w.r.uniform(10, 300),
        "click",
        MACHINE,
        w.r.choice(w.half.unfurlers),
        w.of(w.half.clouds),
        BARE,
        link=link,
    )


def survey(w):
    mail, home, (agent, headers) = Mail(w, "A score is clicked and the page posted"), w.home(), w.browser()
    mail.common["confirmed"] = True
    at = mail.read_at()
    for _ in range(w.r.choice([1, 1, 2])):
        mail.hit(
            at, "score", HUMAN, agent, home, BARE if w.r.random() < 0.3 else headers, link=w.r.randint(0, 10)
        )
        at += w.r.uniform(6, 30)


# ---- machines


def scan(mail, at, links, addresses, agent, headers, *, gap):
    """A gateway follows links, perhaps each with HEAD first, perhaps the hidden one too."""
    r, half = mail.r, mail.half
    heads = r.random() < half.heads
    order = [*links, 0] if len(links) > 1 and r.random() < half.traps else list(links)
    r.shuffle(order)
    for link in order:
        address = r.choice(addresses)
        if heads:
            mail.hit(at, "click", MACHINE, agent, address, headers, link=link, method="HEAD")
            at += r.uniform(0.02, 0.3)
        mail.hit(at, "click", MACHINE, agent, address, headers, link=link)
        at += r.uniform(*gap)


def at_delivery(w, name, networks, *, few=False, agent=None):
    mail, (chrome, headers) = Mail(w, name), w.gateway()
    addresses = [w.of(networks) for _ in range(w.r.choice([1, 1, 2, 4]))]
    every = range(1, mail.links + 1)
    links = w.r.sample(every, min(mail.links, w.r.randint(1, 3))) if few else list(every)
    agent, headers = (agent, BARE) if agent else (chrome, headers)
    if w.r.random() < 0.25:
        mail.hit(w.half.delivery[0], "open", MACHINE, agent, addresses[0], headers)
    scan(mail, w.r.uniform(*w.half.delivery), links, addresses, agent, headers, gap=w.half.gap)
    return mail


def safe_links(w):
    at_delivery(w, "Safe Links at delivery", w.half.microsoft, few=w.r.random() < 0.5)


def safe_links_at_click(w):
    mail, home, (agent, headers) = Mail(w, "Safe Links at the click"), w.home(), w.browser()
    at, link = mail.read_at(), mail.any_link()
    if w.r.random() < 0.5:
        mail.hit(
            at - w.r.uniform(4, 60), "open", HUMAN, "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", home
        )
    mail.hit(at, "click", MACHINE, *_like_chrome(w, w.half.microsoft), link=link)
    mail.hit(at + w.r.uniform(0.3, 4), "click", HUMAN, agent, home, headers, link=link)


def _like_chrome(w, networks):
    agent, headers = w.gateway()
    return agent, w.of(networks), headers


def proofpoint(w):
    at_delivery(w, "Proofpoint", w.half.proofpoint)


def mimecast(w):
    mail = at_delivery(w, "Mimecast", w.half.mimecast)
    if w.r.random() < 0.4:
        scan(
            mail,
            w.r.uniform(3600, 20_000),
            [mail.any_link()],
            [w.of(w.half.mimecast)],
            w.chrome(),
            BARE,
            gap=(1, 2),
        )


def barracuda(w):
    at_delivery(
        w, "Barracuda", w.half.barracuda, agent="BarracudaSentinel (EE)" if w.r.random() < 0.4 else None
    )


def cloud_burst(w):
    at_delivery(w, "A burst from rented machines", w.half.clouds, agent=w.r.choice([None, *w.half.robots]))


def slow_scanner(w):
    mail, (agent, headers) = Mail(w, "A slow scanner that visits one link"), w.gateway()
    mail.hit(
        w.r.uniform(600, 40_000), "click", MACHINE, agent, w.of(w.half.clouds), headers, link=mail.any_link()
    )


def slow_sweep(w):
    mail, (agent, headers) = (
        Mail(w, "A slow scanner that visits all links", links=w.r.randint(5, 9)),
        w.gateway(),
    )
    scan(
        mail,
        w.r.uniform(200, 9000),
        range(1, mail.links + 1),
        [w.of(w.half.clouds)],
        agent,
        headers,
        gap=(8, 50),
    )


def scan_then_person(w):
    mail = at_delivery(w, "A company's scan, then its person", w.half.proofpoint, few=w.r.random() < 0.3)
    home = w.home()
    at = mail.read_at(300)
    mail.hit(at, "open", HUMAN, "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", home)
    mail.hit(at + w.r.uniform(4, 60), "click", HUMAN, w.chrome(edge=True), home, MODERN, link=mail.any_link())


def gateway_crowd(w):
    """A company's gateway looks at one link of each of its people's mails."""
    domain, door = (
        f"{w.r.choice(w.half.companies)}{w.r.randint(100, 199)}.example",
        w.of(w.half.clouds + w.half.homes),
    )
    agent, headers = w.gateway()
    for _ in range(w.r.randint(5, 10)):
        mail = Mail(w, "A company's gateway looks at everybody's mail", to=domain)
        mail.hit(w.r.uniform(*w.half.delivery), "click", MACHINE, agent, door, headers, link=1)


def robots(w):
    mail = Mail(w, "Scripts and robots")
    mail.hit(
        mail.read_at(), "click", MACHINE, w.r.choice(w.half.robots), w.home(), BARE, link=mail.any_link()
    )


def nameless(w):
    mail = Mail(w, "Scanners that name no agent, or Office's")
    agent = w.r.choice(["", "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"])
    mail.hit(w.r.uniform(1, 600), "click", MACHINE, agent, w.of(w.half.microsoft), link=mail.any_link())


#: How often each is played; a mail's maker in life is mostly a person, a proxy or a gateway at delivery.
OFTEN = {
    in_gmail: 40, gmail_prefetch: 15, apple_mail: 40, in_outlook: 25, link_check_of_office: 6,
    in_yahoo_or_thunderbird: 15, double_click: 12, tabs: 10, quick_reader: 8, bare_browser: 3, behind_vpn: 2,
    office: 4, forwarded: 8, unfurled: 8, survey: 8,
    safe_links: 16, safe_links_at_click: 12, proofpoint: 10, mimecast: 8, barracuda: 8, cloud_burst: 8,
    slow_scanner: 4, slow_sweep: 4, scan_then_person: 12, gateway_crowd: 2, robots: 8, nameless: 5,
}  # fmt: skip


def lines_of(half: Half):
    world = World(half)
    for scenario, times in OFTEN.items():
        for _ in range(round(times * half.weight)):
            scenario(world)
    return world.lines


def text_of(half: Half) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines_of(half))


if __name__ == "__main__":
    for one in (TUNED, HELD_OUT):
        (HERE / f"{one.name}.jsonl").write_text(text_of(one), encoding="utf-8")
