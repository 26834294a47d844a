"""One mail per recipient: from prepared pieces, the plain way, and by the library's EmailMessage.

    python benchmarks/prepared.py [--quick]

An MJML mail of 30 KB (and of 10) with its text part, ten personal places, a loop over products, five tracked
links, the pixel, every header and signed token; each recipient differs. CPU time alone is counted, the ways
take turns, and each figure is the median of the rounds.
"""

import argparse
import gc
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from email.policy import SMTP
from statistics import median
from typing import Any

from benchmarks.stage.letter import write
from campaigns.mailing import Mailing, Signing, Topic, editions
from campaigns.records.names import Common, full_name
from campaigns.records.outbox import Recipient
from campaigns.tracking.tokens import Keyring
from campaigns.values import MessageKey, Outgoing, Sender, TopicClass
from campaigns.wiring import SELDOM

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TARGETS_US = {30: 45, 10: 40}
SENDER = Sender("Hafen & Rebe", "hallo@rebe.example", "bounce.rebe.example", None, "Am Kai 14, 50667 Köln")
PRODUCTS = ("Stoneware mug, sea green", "Linen tea towels, set of three", "Oak serving board")
GIVEN = ("Ana", "Jürgen", "Zoë", "Łucja", "Ольга", "Bob", "Eleanor", "Seán", "Mary", "Otto")
FAMILY = ("Müller", "O'Brien", "Nowak", "Иванова", "Lee", "Smith", "van den Berg", "Weiß", "Brown")
CITIES = ("Leeds", "Köln", "Łódź", "Bristol", "York")

Make = Callable[..., Outgoing | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer mails and rounds")
    quick = parser.parse_args().quick
    budgets = [measure(size, *((2_000, 5) if quick else (20_000, 9))) for size in TARGETS_US]
    print()
    print("\n".join(budgets))


def measure(kilobytes: int, count: int, rounds: int) -> str:
    mailing = mailing_of(kilobytes * 1000)
    everybody = list(people(count))
    press = mailing.press_for("en-GB")
    assert press is not None
    ways: dict[str, tuple[Make, int]] = {
        "prepared": (press.mail, count),
        "Mailing.mail": (mailing.mail, count),
        "plain": (mailing.plain, count // 10),
        "EmailMessage": (through_the_library(mailing), count // 50),
    }
    first = {name: way(everybody[0], bought=[], now=NOW) for name, (way, _) in ways.items()}
    sizes = {name: len(mail.data) for name, mail in first.items() if mail}
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)  # as a sender does
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (way, some) in ways.items():
            times[name].append(timed(way, everybody[:some]))
    print(f"{kilobytes} KB of HTML, {count:,} recipients, {rounds} rounds, CPU per mail:")
    for name, found in times.items():
        middle = median(found)
        share = median(times["EmailMessage"]) / middle
        least = f"(least {min(found):.1f})"
        print(f"  {name:14} {middle:8.1f} us {least:16} {share:6.1f}x EmailMessage  {sizes[name]:,} B")
    value, target = median(times["Mailing.mail"]), TARGETS_US[kilobytes]
    verdict = "ok" if value <= target else "short"
    return f"budget prepared_{kilobytes}kb {value:.1f} us/mail target {target} {verdict}"


def timed(way: Make, recipients: list[Recipient]) -> float:
    """Microseconds of CPU per mail; the clock goes on from mail to mail, as a sender's does."""
    now, step = NOW, timedelta(microseconds=97)
    begun = time.process_time_ns()
    for one in recipients:
        now += step
        if way(one, bought=[], now=now) is None:
            raise AssertionError(one)
    return (time.process_time_ns() - begun) / len(recipients) / 1000


def mailing_of(size: int) -> Mailing:
    _, compiled = write(size)
    offers = tuple(
        {
            **dict.fromkeys(("image", "description")),
            "name": name,
            "price": Decimal(24),
            "currency": "EUR",
            "url": f"https://shop.example.com/{name[0]}",
        }
        for name in PRODUCTS
    )
    return Mailing(
        run=7,
        campaign=3,
        topic=Topic("news", "News", TopicClass.MARKETING),
        shared=Common("November letter", SENDER, offers, {1: "Miriam Özdemir"}),
        editions=editions([compiled], tracking=True),
        signing=Signing(Keyring(b"a benchmark's secret"), "https://t.rebe.example"),
    )


def people(count: int) -> Iterator[Recipient]:
    draw = random.Random(11)
    for number in range(1, count + 1):
        address = f"person{number}@mail{number % 500}.example.com"
        yield Recipient(number, 0, address, 10_000 + number, number, *_of(draw, address))


def _of(draw: random.Random, address: str) -> tuple[dict[str, Any], dict[str, Any]]:
    attributes = {
        "plan": draw.choice(("basic", "gold", "team")),
        "points": draw.randrange(5000),
        "score": draw.choice((None, draw.randrange(100))),
    }
    contact = {
        **dict.fromkeys(("salutation", "region")),
        "email": address,
        "given_name": draw.choice(GIVEN),
        "family_name": f"{draw.choice(FAMILY)} {draw.randrange(1000)}",
        "locale": "en-GB",
        "country": draw.choice((None, "GB", "DE")),
        "city": draw.choice(CITIES),
        "attributes": attributes,
    }
    return contact, {"name": draw.choice((None, "Weiß & Söhne GmbH")), "stage": "active", "owner_id": 1}


def through_the_library(mailing: Mailing) -> Make:
    """The same mail as most programs would make it: rendered as a whole, then an EmailMessage."""

    def make(one: Recipient, *, bought: list[dict[str, Any]], now: datetime) -> Outgoing:
        content = mailing.content(one, bought=bought, now=now)
        whom = mailing.addressing(one.seq, one.contact_id, one.address)
        letter = mailing.letter(whom, full_name(one.contact) or "", content, "en", now)
        message = EmailMessage(policy=SMTP)
        message["From"] = f'"{SENDER.name}" <{SENDER.address}>'
        message["To"] = f'"{letter.to_name}" <{one.address}>'
        message["Subject"] = content.subject
        message["Date"] = now
        message["Message-ID"] = f"<{letter.message_id}@rebe.example>"
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>, <mailto:{letter.unsubscribe_mailto}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["List-Id"] = '"News" <news.rebe.example>'
        message["Feedback-ID"] = ":".join(letter.feedback_id or ())
        message["Precedence"] = "bulk"
        message.set_content(content.text, cte="quoted-printable")
        message.add_alternative(content.html or "", subtype="html", cte="quoted-printable")
        return Outgoing(MessageKey(7, one.seq), letter.return_path, one.address, message.as_bytes())

    return make


if __name__ == "__main__":
    main()
