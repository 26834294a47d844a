"""A third set of visits, written after what others report of scanners and people, before the rules it tests.

It shares no model with scenarios.py. Gateways have a few networks each, as they publish them, or many rented
machines; those that look like browsers name the versions that people saw in their logs. What is reported:

* Safe Links asks from a few networks (opencollective #3656: 40.94.16.*, 40.107.235.*), as browsers years out
  of date (gophish #2446: Chrome 79, 80, 96), before the mail is in the mailbox or at the click.
* Outlook.com's preview follows links within minutes (phplist3 #415: BingPreview).
* Gmail samples contents as Chrome 42 with Edge 12.246 (mssola/user_agent #71).
* Barracuda follows the first link of each of a company's mails at the same time (Act-On, 360023757754).
* A check may come seconds after the person's click, from another network and system (resend-node #901).
* Proofpoint follows all links, by machines rented at Amazon; Mimecast from its published networks.

`python third.py` writes third.jsonl beside it.
"""

import json
import random
from pathlib import Path

HUMAN, MACHINE, PRIVACY = "human", "machine", "privacy"
FULL = ["accept", "accept-encoding", "accept-language", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
        "sec-fetch-user", "upgrade-insecure-requests"]  # fmt: skip
IN_APP = ["accept", "accept-encoding", "accept-language", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
          "x-requested-with"]  # fmt: skip
POLITE = ["accept", "accept-encoding", "accept-language", "upgrade-insecure-requests"]
PLAIN = ["accept", "accept-encoding"]
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0{} Safari/537.36{}"
WINDOWS = "Windows NT 10.0; Win64; x64"
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
SAMPLING = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Gmail-content-sampling"
)
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft Outlook 16.0; ms-office; MSOffice 16)"
BING = "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b"
HOMES = ("79.204", "88.130", "91.64", "176.198", "2.244", "217.85")
MICROSOFT = ("40.94.16", "40.94.31", "40.107.235", "52.147.211", "104.47.2")
MIMECAST = ("146.101.78", "195.130.217", "207.82.80", "185.58.85")
BARRACUDA = ("209.222.81", "209.222.82", "209.222.84")
CISCO = ("68.232.128", "216.71.150")


class World:
    """The set on its way."""

    def __init__(self) -> None:
        self.r, self.lines, self.count = random.Random(20261203), list[dict[str, object]](), 0

    def mail(self, scenario, *, links=None, **more):
        self.count += 1
        return Mail(self, {"message": f"third-{self.count}", "scenario": scenario,
                           "links": links or self.r.choice([2, 3, 4, 5, 6, 7, 9, 12, 15]), **more})  # fmt: skip

    def home(self):
        return f"{self.r.choice(HOMES)}.{self.r.randint(0, 255)}.{self.r.randint(2, 250)}"

    def at(self, networks):
        return f"{self.r.choice(networks)}.{self.r.randint(2, 250)}"

    def amazon(self):
        start = self.r.choice(["3.214", "18.207", "34.229", "44.201", "52.3", "54.84"])
        return f"{start}.{self.r.randint(0, 255)}.{self.r.randint(2, 250)}"

    def chrome(self, versions, system=WINDOWS, *, mobile="", tail=""):
        return CHROME.format(system, self.r.choice(versions), mobile, tail)

    def person(self):  # noqa: PLR0911 - a row a kind of program
        """A person's program and what it sends; most browsers renew themselves."""
        now = (150, 151, 152, 152, 153, 153)
        kind = self.r.random()
        if kind < 0.3:
            return self.chrome(now), FULL
        if kind < 0.45:
            return self.chrome(now, tail=f" Edg/{self.r.choice(now)}.0.0.0"), FULL
        if kind < 0.6:
            return self.chrome(now, "Linux; Android 14; SM-A546B", mobile=" Mobile"), FULL
        if kind < 0.65:
            return self.chrome((138, 145, 152), "Linux; Android 13; 2201117TY; wv", mobile=" Mobile"), IN_APP
        if kind < 0.68:
            return self.chrome((109,), "Windows NT 6.1; Win64; x64"), FULL
        if kind < 0.8:
            version = self.r.choice([140, 147, 148])
            return f"Mozilla/5.0 ({WINDOWS}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0", FULL
        if kind < 0.85:
            return ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
                    " CriOS/152.0.7000.41 Mobile/15E148 Safari/604.1"), FULL  # fmt: skip
        return ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
                " Version/26.0 Mobile/15E148 Safari/604.1"), self.r.choice([FULL, FULL, POLITE])  # fmt: skip

    def disguise(self):
        """A gateway that looks like a browser; the versions are those that people saw in their logs."""
        versions = self.r.choice([(64, 72, 79, 80), (96, 103, 109), (120, 126), (148, 151, 152)])
        return self.chrome(versions), self.r.choice([PLAIN, PLAIN, POLITE, POLITE, FULL])


class Mail:
    """One message and the visits to it."""

    def __init__(self, world, common) -> None:
        self.w, self.r, self.common, self.links = world, world.r, common, common["links"]

    def hit(self, t, kind, truth, agent, address, headers=(), *, link=None, method="GET"):
        line = {"t": round(t, 3), "kind": kind, "link": link, "method": method, "agent": agent,
                "address": address, "headers": list(headers), "truth": truth}  # fmt: skip
        self.w.lines.append({**self.common, **line})

    def click(self, t, who, address, *, truth=HUMAN, link=None, method="GET"):
        chosen = self.r.randint(1, self.links) if link is None else link
        self.hit(t, "click", truth, who[0], address, who[1], link=chosen, method=method)

    def read(self):
        """When a person reads it: minutes to days after."""
        return (
            20 + self.r.expovariate(1 / 90)
            if self.r.random() < 0.12
            else self.r.lognormvariate(8.9, 1.7) + 60
        )


def phone_or_desk(w):
    mail, who, home = w.mail("A person in a mail program that fetches pictures"), w.person(), w.home()
    at = mail.read()
    mail.hit(at, "open", HUMAN, w.r.choice([GOOGLE, OUTLOOK, "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"]),
             w.r.choice([home, "66.249.93.14"]))  # fmt: skip
    for _ in range(w.r.choice([0, 1, 1, 1, 2])):
        at += w.r.uniform(3.5, 120)
        mail.click(at, who, home)


def without_pictures(w):
    mail, who, home = w.mail("A person whose pictures are blocked"), w.person(), w.home()
    at = mail.read()
    for _ in range(w.r.choice([1, 1, 2])):
        mail.click(at, who, home)
        at += w.r.uniform(1.8, 200)


def apple(w):
    mail, relay = (
        w.mail("Apple's protection, then perhaps its person"),
        f"104.28.{w.r.randint(10, 60)}.{w.r.randint(2, 250)}",
    )
    mail.hit(w.r.uniform(5, 40_000), "open", PRIVACY, "Mozilla/5.0", relay, ["accept", "accept-encoding"])
    if w.r.random() < 0.5:
        who, home = w.person(), w.home()
        mail.click(mail.read(), who, home)


def gmail_samples(w):
    mail = w.mail("Gmail samples contents")
    mail.hit(w.r.uniform(0.5, 60), "open", PRIVACY, SAMPLING, f"74.125.210.{w.r.randint(2, 250)}")
    if w.r.random() < 0.5:
        mail.hit(mail.read(), "open", HUMAN, GOOGLE, f"66.249.93.{w.r.randint(2, 250)}")


def twice(w):
    mail, who, home = w.mail("A person clicks a link again"), w.person(), w.home()
    at, link = mail.read(), w.r.randint(1, mail.links)
    mail.click(at, who, home, link=link)
    mail.click(at + w.r.choice([0.2, 0.6, 3, 500]), who, home, link=link)


def passed_on(w):
    mail, at = w.mail("A mail passed on to colleagues"), 0.0
    at = mail.read()
    for _ in range(w.r.randint(2, 4)):
        mail.click(at, w.person(), w.home())
        at += w.r.uniform(60, 9000)


def hides(w):
    mail, home = w.mail("A browser that says little"), w.home()
    agent = f"Mozilla/5.0 ({WINDOWS}; rv:140.0) Gecko/20100101 Firefox/140.0"
    at = mail.read()
    if w.r.random() < 0.5:
        mail.hit(at - 20, "open", HUMAN, agent, home, ["accept"])
    mail.click(at, (agent, PLAIN), home)


def answers(w):
    mail, who, home = (
        w.mail("A person chooses an answer and posts the page", confirmed=True),
        w.person(),
        w.home(),
    )
    mail.hit(mail.read(), "score", HUMAN, who[0], home, who[1], link=w.r.randint(0, 10))


def one_door(w):
    domain, door, at = f"verband{w.count}.example", w.home(), w.r.uniform(300, 9000)
    for _ in range(w.r.randint(5, 9)):
        mail, who = w.mail("Colleagues behind one door", to=domain), (w.chrome((152, 153)), FULL)
        at += w.r.expovariate(1 / 240)
        if w.r.random() < 0.5:
            mail.hit(at - w.r.uniform(4, 60), "open", HUMAN, OUTLOOK, door)
        mail.click(at, who, door)


def through_rented(w):
    mail, who = w.mail("A person whose company goes out through rented machines"), w.person()
    at = mail.read()
    mail.hit(at, "open", HUMAN, GOOGLE, "66.249.93.14")
    mail.click(at + w.r.uniform(5, 90), who, w.amazon())


def walk(mail, at, who, addresses, links, gap, *, trap=False, head=False):
    order = [*links, 0] if trap else list(links)
    for link in order:
        place = addresses() if callable(addresses) else addresses
        if head:
            mail.click(at, who, place, truth=MACHINE, link=link, method="HEAD")
            at += 0.08
        mail.click(at, who, place, truth=MACHINE, link=link)
        at += mail.r.uniform(*gap)


def safe_links_before(w):
    mail, who = w.mail("Safe Links before the mailbox"), w.disguise()
    address, every = w.at(MICROSOFT), range(1, mail.links + 1)
    some = (
        every if w.r.random() < 0.6 else sorted(w.r.sample(every, min(mail.links, w.r.choice([1, 2, 2, 3]))))
    )
    walk(
        mail,
        w.r.uniform(1, 50),
        who,
        address,
        some,
        (0.1, 1.5),
        trap=len(some) == mail.links and w.r.random() < 0.5,
    )
    if w.r.random() < 0.4:
        person, home = w.person(), w.home()
        mail.click(mail.read() + 120, person, home)


def safe_links_then(w):
    mail, who, home, at = w.mail("Safe Links at the click"), w.person(), w.home(), 0.0
    at, link = mail.read(), w.r.randint(1, mail.links)
    mail.hit(at - w.r.uniform(4, 40), "open", HUMAN, OUTLOOK, home)
    mail.click(at, w.disguise(), w.at(MICROSOFT), truth=MACHINE, link=link)
    mail.click(at + w.r.uniform(0.4, 3), who, home, link=link)


def checked_after(w):
    mail, who, home, at = w.mail("A check seconds after the person"), w.person(), w.home(), 0.0
    at, link = mail.read(), w.r.randint(1, mail.links)
    mail.click(at, who, home, link=link)
    mail.click(at + w.r.uniform(5, 15), w.disguise(), w.amazon(), truth=MACHINE, link=link)


def proofpoint(w):
    mail, who = w.mail("Proofpoint by rented machines"), w.disguise()
    walk(
        mail,
        w.r.uniform(1, 90),
        who,
        w.amazon,
        range(1, mail.links + 1),
        (0.02, 0.9),
        trap=w.r.random() < 0.6,
    )


def mimecast(w):
    mail, who, address = w.mail("Mimecast opens and follows"), w.disguise(), w.at(MIMECAST)
    at = w.r.uniform(1, 60)
    if w.r.random() < 0.6:
        mail.hit(at, "open", MACHINE, who[0], address, who[1])
    walk(mail, at + 0.5, who, address, range(1, mail.links + 1), (0.1, 0.8), trap=w.r.random() < 0.5)
    if w.r.random() < 0.4:
        mail.click(w.r.uniform(4000, 50_000), w.disguise(), w.at(MIMECAST), truth=MACHINE)


def barracuda(w):
    domain, at, who, address = f"praxis{w.count}.example", w.r.uniform(2, 30), w.disguise(), w.at(BARRACUDA)
    for _ in range(w.r.randint(3, 7)):
        mail = w.mail("Barracuda and the first link of all of a company's mails", to=domain)
        mail.click(at + w.r.uniform(0, 8), who, address, truth=MACHINE, link=1)


def cisco(w):
    mail, who = w.mail("Cisco asks with HEAD first"), w.disguise()
    walk(mail, w.r.uniform(1, 400), who, w.at(CISCO), range(1, mail.links + 1), (0.1, 2), head=True)


def bing(w):
    mail = w.mail("Outlook.com's preview")
    mail.hit(
        w.r.uniform(30, 600), "click", MACHINE, BING, w.at(MICROSOFT), PLAIN, link=w.r.randint(1, mail.links)
    )


def later_checks(w):
    mail, who = w.mail("A check of one link, hours later"), w.disguise()
    mail.click(
        w.r.uniform(1800, 90_000),
        who,
        w.r.choice([w.amazon(), w.at(MIMECAST), w.at(MICROSOFT)]),
        truth=MACHINE,
    )


def tools(w):
    mail = w.mail("Scripts, previews and link checkers")
    agent = w.r.choice(["python-requests/2.33.0", "curl/8.14.1", "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
                        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "WhatsApp/2.24.9.78 A", "",
                        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) (CMLINKCHECK) Chrome/60.0.3112.90 Safari/537.36"])  # fmt: skip
    mail.hit(mail.read(), "click", MACHINE, agent, w.r.choice([w.amazon(), w.home()]), PLAIN, link=1)


OFTEN = {
    phone_or_desk: 60, without_pictures: 40, apple: 50, gmail_samples: 60, twice: 10, passed_on: 8, hides: 3,
    answers: 10, one_door: 3, through_rented: 2, safe_links_before: 26, safe_links_then: 12, checked_after: 4,
    proofpoint: 14, mimecast: 14, barracuda: 4, cisco: 6, bing: 6, later_checks: 6, tools: 14,
}  # fmt: skip


def text() -> str:
    """The whole set, a JSON line a hit."""
    world = World()
    for scenario, times in OFTEN.items():
        for _ in range(times):
            scenario(world)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in world.lines)


if __name__ == "__main__":
    Path(__file__).with_name("third.jsonl").write_text(text(), encoding="utf-8")
