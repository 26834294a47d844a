"""A small random company with everything that is awkward in real data, in Python and in a store."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from campaigns.model import commerce, consent, customers, events, mail, staff, surveys
from campaigns.segments.fields import FieldType

NOW = datetime(2027, 2, 27, 9, 30, tzinfo=UTC)  # 2027 has no 29 February: that anniversary is near
TEXTS = ["Berlin", "BERLIN", "berlin", "Köln", "KÖLN", "köln", "İzmir", "ß", "SS", "O'Brien", "100%", "a_b"]
TEXTS += ["axb", "Αθήνα", "北京", "👩‍🚀 Ada", "\\", " ", "ber", "in", "x" * 300, 'say "hi"', "a\nb"]
ODD_JSON: list[Any] = [
    None,
    "",
    "12",
    12,
    12.0,
    12.5,
    0,
    -3,
    0.1,
    True,
    False,
    [],
    {},
    ["12"],
    {"k": 1},
    10**15,
]
DAYS = ["2026-02-28", "2024-02-29", "1980-02-29", "1980-02-27", "1999-03-06", "2027-02-20", "2027-02-27"]
DAYS += ["2027-02-28", "2027-03-01", "2027-13-45", "27.02.2027", "2026-11-22", "2027-02-27T00:00:00Z"]
MOMENTS = [
    "2027-02-27T09:30:00Z",
    "2027-02-27T09:30:00.250Z",
    "2027-02-27T09:29:59+00:00",
    "2027-02-20T00:00:00Z",
]
MOMENTS += ["2027-02-27T10:30:00+01:00", "2027-02-27", "2024-02-29T12:00:00Z", "2027-03-05T23:59:59Z", "soon"]
TAGS = ["vip", "VIP", "Öko", "öko", "", "b2b", "100%"]
PAGES = ["https://shop.example/tea", "https://shop.example/tea/green", "https://shop.example/100%_sale"]
TOPICS = ["news", "offers", "service"]
ROLES = ["decider", "Decider", "champion", "Prokurist*in"]
CHOICES = ["red", "blue", "Rot"]
DEFINITIONS = {
    ("contact", "score"): FieldType.NUMBER,
    ("contact", "plan"): FieldType.TEXT,
    ("contact", "opted"): FieldType.BOOLEAN,
    ("contact", "renewal"): FieldType.DATE,
    ("contact", "seen"): FieldType.MOMENT,
    ("contact", "tags"): FieldType.LIST,
    ("contact", "shoe size 1.5"): FieldType.NUMBER,
    ("customer", "size"): FieldType.NUMBER,
    ("customer", "branch"): FieldType.TEXT,
}


@dataclass
class World:
    """Rows as they are stored, by table."""

    customers: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    staff: list[dict[str, Any]] = field(default_factory=list)
    roles: list[dict[str, Any]] = field(default_factory=list)
    activity: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    order_lines: list[dict[str, Any]] = field(default_factory=list)
    topics: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    surveys: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)


def make_world(seed: int, people: int) -> World:
    """Make a company; the same seed makes the same one."""
    chance, world = random.Random(seed), World()
    world.staff = [_staff(1, "Rep@Shop.example"), _staff(2, "other@shop.example")]
    world.customers = [_customer(chance, number) for number in range(1, people // 2 + 1)]
    world.contacts = [_contact(chance, number, len(world.customers)) for number in range(1, people + 1)]
    world.topics = [_topic(number, key) for number, key in enumerate(TOPICS, 1)]
    world.runs = [_run(number, campaign) for number, campaign in enumerate([1, 1, 2], 1)]
    world.links = [
        {"run_id": run, "number": number, "language": "en", "url": url}
        for run in (1, 2, 3)
        for number, url in enumerate(chance.sample(PAGES, 3), 1)
    ]
    world.products = [
        {"id": 1, "sku": "T-1", "name": "Tea", "category": "tea"},
        {"id": 2, "sku": "T-2", "name": "Green tea", "category": "tea"},
        {"id": 3, "sku": "C-1", "name": "Coffee", "category": "Coffee & more"},
    ]
    _fill_history(chance, world)
    _fill_orders(chance, world)
    _fill_answers(chance, world)
    return world


def moment(chance: random.Random) -> datetime:
    """Draw a moment, often one at the edge of a window."""
    edge = chance.choice([0, 1, 7, 30, 90, -1, -7])
    nudge = chance.choice([timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1)])
    if chance.random() < 0.4:
        return NOW - timedelta(days=edge) + nudge
    if chance.random() < 0.2:
        return datetime(1969, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC) + nudge
    return NOW - timedelta(seconds=chance.uniform(-10, 400) * 86_400)


def maybe(chance: random.Random, values: list[Any], missing: float = 0.25) -> Any:
    return None if chance.random() < missing else chance.choice(values)


def _staff(number: int, email: str) -> dict[str, Any]:
    return {"id": number, "email": email, "name": "", "password_hash": "", "roles": [], "created_at": NOW}


def _topic(number: int, key: str) -> dict[str, Any]:
    return {"id": number, "key": key, "name": key, "topic_class": "marketing", "created_at": NOW}


def _run(number: int, campaign: int) -> dict[str, Any]:
    return {
        "id": number,
        "campaign_id": campaign,
        "occurrence": str(number),
        "state": "running",
        "topic_id": 1,
        "sender_id": 1,
        "template_version_id": 1,
        "opened_at": NOW,
        "expires_at": NOW,
    }


def _attributes(chance: random.Random, keys: dict[str, list[Any]]) -> dict[str, Any]:
    found = {}
    for key, values in keys.items():
        if chance.random() < 0.75:
            found[key] = chance.choice(values if chance.random() < 0.75 else ODD_JSON)
    return found


def _customer(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "external_id": maybe(chance, [f"C{number}", f"c{number}"]),
        "kind": chance.choice(["person", "household", "organisation"]),
        "name": chance.choice([*TEXTS, ""]),
        "owner_id": maybe(chance, [1, 2, 99], 0.4),
        "stage": chance.choice(["prospect", "active", "Lost"]),
        "country": maybe(chance, ["DE", "AT", "GR"]),
        "region": maybe(chance, TEXTS),
        "city": maybe(chance, TEXTS),
        "attributes": _attributes(chance, {"size": [1, 12, 250.5], "branch": TEXTS}),
        "created_at": moment(chance),
        "updated_at": NOW,
    }


def _contact(chance: random.Random, number: int, customer_count: int) -> dict[str, Any]:
    names = ["Ada", "ada", "Jörg", "JÖRG", "o'hara", "Ünal", "100%"]
    keys: dict[str, list[Any]] = {
        "score": [0, 12, 12.5, 99, -3],
        "plan": TEXTS,
        "opted": [True, False],
        "renewal": DAYS,
        "seen": MOMENTS,
        "tags": [chance.sample(TAGS, k) for k in (0, 1, 2, 3)] + [["vip", 12, None, ["b2b"]]],
        "shoe size 1.5": [41, 42.5],
    }
    return {
        "id": number,
        "customer_id": chance.randint(1, customer_count),
        "external_id": maybe(chance, [f"P{number}"]),
        "email": maybe(
            chance,
            [
                f"p{number}@example.com",
                f"p{number}@mail.example",
                f"ü{number}@xn--kln-sna.example",
                "shared@example.com",
            ],
        ),
        "phone": maybe(chance, ["+4922112345", "+43123"]),
        "given_name": maybe(chance, names),
        "family_name": maybe(chance, [*TEXTS, ""]),
        "locale": maybe(chance, ["de-DE", "de", "en-GB", "EN", "el"]),
        "time_zone": maybe(chance, ["Europe/Berlin", "UTC"]),
        "country": maybe(chance, ["DE", "AT", "GR"]),
        "region": maybe(chance, TEXTS),
        "city": maybe(chance, TEXTS),
        "birthday": maybe(chance, [date.fromisoformat(day) for day in DAYS[:9]]),
        "attributes": _attributes(chance, keys),
        "source": chance.choice(["import", "form", ""]),
        "import_id": 1 if number % 3 else None,
        "erased_at": maybe(chance, [NOW], 0.95),
        "created_at": moment(chance),
        "updated_at": NOW,
    }


def _fill_history(chance: random.Random, world: World) -> None:
    for person in world.contacts:
        customer = person["customer_id"]
        if person["id"] % 5 == 0:  # changed by an import
            what = {"contact_id": person["id"], "customer_id": customer, "run_id": None, "detail": {}}
            about = {"at": person["created_at"], "kind": "imported", "verdict": "unknown"}
            world.events.append({**what, **about, "dedupe": f"e{len(world.events)}"})
        for _ in range(chance.choice([0, 1, 2, 6])):
            kind = chance.choice(["sent", "opened", "opened", "clicked", "clicked", "case opened"])
            run, number = maybe(chance, [1, 2, 3]), chance.choice([1, 2, 3, 9])
            world.events.append(
                {
                    "at": moment(chance),
                    "kind": kind,
                    "contact_id": maybe(chance, [person["id"]], 0.1),
                    "customer_id": maybe(chance, [customer], 0.2),
                    "run_id": run,
                    "verdict": chance.choice(["human", "machine", "privacy", "unknown"]),
                    "detail": chance.choice([{}, {"link": number}, {"link": number}, {"link": str(number)}]),
                    "dedupe": f"e{len(world.events)}",
                }
            )
        if chance.random() < 0.7:
            names = ["sent", "opened", "clicked", "answered", "ordered"]
            row = {f"last_{name}_at": moment(chance) if chance.random() < 0.6 else None for name in names}
            world.activity.append({"contact_id": person["id"], **row})
        for _ in range(chance.choice([0, 1, 3])):
            _say(chance, world, person)
        wanted = chance.sample(ROLES, chance.choice([0, 0, 1, 2]))
        for role in wanted:
            at = chance.choice([customer, chance.randint(1, len(world.customers))])
            world.roles.append({"contact_id": person["id"], "customer_id": at, "role": role, "since": NOW})
    chance.shuffle(world.consents)


def _say(chance: random.Random, world: World, person: dict[str, Any]) -> None:
    """Let somebody say something of a topic; all but an import write an event of a yes or a no beside it."""
    state = chance.choice(["granted", "pending", "withdrawn"])
    word = {"at": chance.choice([NOW, NOW - timedelta(days=1), moment(chance)]), "contact_id": person["id"]}
    source, topic = chance.choice(["form", "import", "import"]), chance.choice([1, 2, 3])
    world.consents.append({**word, "topic_id": topic, "state": state, "source": source, "recorded_at": NOW})
    if source == "form" and state != "pending":
        about = {"kind": f"consent {state}", "verdict": "unknown", "detail": {"topic": topic}}
        where = {"customer_id": person["customer_id"], "run_id": maybe(chance, [1, 2, 3])}
        world.events.append({**word, **about, **where, "dedupe": f"e{len(world.events)}"})


def _fill_orders(chance: random.Random, world: World) -> None:
    for customer in world.customers:
        theirs = [person["id"] for person in world.contacts if person["customer_id"] == customer["id"]]
        for _ in range(chance.choice([0, 0, 1, 2, 4])):
            number = len(world.orders) + 1
            lines = [
                {
                    "order_id": number,
                    "number": line,
                    "product_id": chance.choice([1, 2, 3]),
                    "quantity": 1,
                    "amount_minor": chance.choice([-500, 0, 500, 1000, 2500]),
                }
                for line in range(1, chance.choice([1, 2, 3, 4]))
            ]
            world.order_lines += lines
            world.orders.append(
                {
                    "id": number,
                    "external_id": f"O{number}",
                    "customer_id": customer["id"],
                    "contact_id": maybe(chance, theirs or [1], 0.4),
                    "status": chance.choice(["placed", "paid", "shipped", "cancelled", "returned"]),
                    "placed_at": moment(chance),
                    "total_minor": sum(line["amount_minor"] for line in lines),
                    "currency": chance.choice(["EUR", "EUR", "USD"]),
                    "updated_at": NOW,
                }
            )


def _fill_answers(chance: random.Random, world: World) -> None:
    world.surveys = [
        {"id": 1, "key": "spring", "name": "", "created_at": NOW},
        {"id": 2, "key": "nps", "name": "", "created_at": NOW},
    ]
    for person in world.contacts:
        for survey in chance.sample([1, 2], chance.choice([0, 1, 2])):
            number, posted, at = len(world.responses) + 1, chance.random() < 0.8, moment(chance)
            world.responses.append(
                {
                    "id": number,
                    "survey_id": survey,
                    "version_id": survey,
                    "contact_id": person["id"],
                    "run_id": 0,
                    "posted": posted,
                    "started_at": at,
                    "posted_at": at if posted else None,
                }
            )
            if not posted:
                continue
            base = {"response_id": number, "survey_id": survey, "contact_id": person["id"], "at": at}
            for choice in chance.sample(CHOICES, chance.choice([0, 1, 2])):
                world.answers.append(
                    {**base, "question": "colour", "choice": choice, "number": None, "text": None}
                )
            if chance.random() < 0.7:
                world.answers.append(
                    {
                        **base,
                        "question": "score",
                        "choice": None,
                        "number": chance.choice([0, 6, 7.5, 9, 10]),
                        "text": None,
                    }
                )
            if chance.random() < 0.5:
                world.answers.append(
                    {**base, "question": "why", "choice": None, "number": None, "text": chance.choice(TEXTS)}
                )


TABLES = {
    "staff": staff.staff,
    "customers": customers.customers,
    "contacts": customers.contacts,
    "activity": customers.activity,
    "roles": customers.roles,
    "links": mail.links,
    "events": events.events,
    "products": commerce.products,
    "orders": commerce.orders,
    "order_lines": commerce.order_lines,
    "topics": consent.topics,
    "consents": consent.consents,
    "surveys": surveys.surveys,
}


def store_world(session: Session, world: World) -> None:
    """Put a company into an empty store."""
    _store_campaigns(session)
    for name, table in TABLES.items():
        session.execute(insert(table), getattr(world, name))
    session.execute(insert(mail.runs), world.runs)
    versions = [
        {"id": number, "survey_id": number, "version": 1, "form": {}, "created_at": NOW} for number in (1, 2)
    ]
    session.execute(insert(surveys.survey_versions), versions)
    session.execute(insert(surveys.responses), world.responses)
    session.execute(insert(surveys.answers), world.answers)
    rows = [
        {"entity": entity, "key": key, "type": type_.value, "created_at": NOW}
        for (entity, key), type_ in DEFINITIONS.items()
    ]
    session.execute(insert(customers.attribute_definitions), rows)


def _store_campaigns(session: Session) -> None:
    rows = [{"id": number, "name": "", "created_at": NOW, "updated_at": NOW} for number in (1, 2)]
    session.execute(insert(mail.campaigns), rows)
