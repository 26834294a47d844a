"""What a rule means, told a second time in plain Python over a World; shares no code with the compiler."""

# ruff: noqa: PLR0911, C901 - a table of cases, each on its own line

import re
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from campaigns.segments.fields import Field, FieldType
from campaigns.segments.rules import (
    AllOf,
    Answered,
    AnyOf,
    Between,
    Bought,
    Comparison,
    Condition,
    ConsentIs,
    Did,
    Everyone,
    HasRole,
    InSegment,
    Last,
    Not,
    Operator,
    Rule,
    Span,
    Who,
)
from tests.rooms.segments.world import World

NEGATIONS = {"!=": "=", "does not contain": "contains", "not in": "in", "empty": "set"}
NEGATIONS |= {"not in the last": "in the last", "none of": "any of"}


def lower(text: str) -> str:
    return re.sub("[A-Z]", lambda match: match[0].lower(), text)


class Oracle:
    """Answers for one World at one moment."""

    def __init__(self, world: World, now: datetime, segments: dict[str, Rule] | None = None) -> None:
        self.world, self.now, self.segments = world, now, segments or {}
        self.customers = {row["id"]: row for row in world.customers}
        self.activity = {row["contact_id"]: row for row in world.activity}
        self.owners = {row["id"]: row["email"] for row in world.staff}
        self.campaign = {row["id"]: row["campaign_id"] for row in world.runs}
        self.urls = {(row["run_id"], row["number"]): row["url"] for row in world.links}
        self.arrivals: list[dict[str, Any]] = [  # told by the contacts alone
            {
                "kind": "imported", "at": row["created_at"], "verdict": "unknown", "run_id": None,
                "contact_id": row["id"], "customer_id": row["customer_id"], "detail": {},
            }
            for row in world.contacts
            if row["import_id"] is not None
        ]  # fmt: skip
        at = {row["id"]: row["customer_id"] for row in world.contacts}
        self.arrivals += [  # an import's words stand in the ledger alone
            {
                "kind": f"consent {row['state']}", "at": row["at"], "verdict": "unknown", "run_id": None,
                "contact_id": row["contact_id"], "customer_id": at[row["contact_id"]], "detail": {},
            }
            for row in world.consents
            if row["source"] == "import"
        ]  # fmt: skip
        self.lines = defaultdict(list)
        for line in world.order_lines:
            self.lines[line["order_id"]].append(line)
        self.products = {row["id"]: row for row in world.products}

    def members(self, rule: Rule) -> set[int]:
        alive = [person for person in self.world.contacts if person["erased_at"] is None]
        return {
            person["id"]
            for person in alive
            if self.holds(rule, person, self.customers[person["customer_id"]])
        }

    def holds(self, rule: Rule, person: dict[str, Any], customer: dict[str, Any]) -> bool:
        match rule:
            case AllOf(rules):
                return all(self.holds(part, person, customer) for part in rules)
            case AnyOf(rules):
                return any(self.holds(part, person, customer) for part in rules)
            case Not(inner):
                return not self.holds(inner, person, customer)
            case Everyone():
                return True
            case InSegment(key):
                return self.holds(self.segments[key], person, customer)
            case Condition():
                return self.condition(rule, person, customer)
            case Did():
                return self.did(rule, person)
            case Bought():
                return self.bought(rule, person)
            case Answered():
                return self.answered(rule, person)
            case ConsentIs():
                return self.consent(rule, person)
            case HasRole():
                mine = [
                    row
                    for row in self.world.roles
                    if row["contact_id"] == person["id"] and lower(row["role"]) == lower(rule.role)
                ]
                return any(
                    rule.at is None or self.holds(rule.at, person, self.customers[row["customer_id"]])
                    for row in mine
                )

    def value(self, field: Field, person: dict[str, Any], customer: dict[str, Any]) -> Any:
        entity, _dot, name = field.name.partition(".")
        if field.name == "contact.domain":
            return person["email"].split("@", 1)[1] if person["email"] else None
        if field.name == "contact.language":
            return person["locale"].split("-")[0] if person["locale"] else None
        if field.name == "customer.owner":
            return self.owners.get(customer["owner_id"])
        row = {"contact": person, "customer": customer, "activity": self.activity.get(person["id"], {})}[
            entity
        ]
        if name.startswith("attributes."):
            return typed(row["attributes"].get(name.removeprefix("attributes.")), field.type)
        return row.get(name)

    def condition(self, rule: Condition, person: dict[str, Any], customer: dict[str, Any]) -> bool:
        word = rule.operator.value
        if word in NEGATIONS:
            positive = Condition(rule.field, Operator(NEGATIONS[word]), rule.value)
            return not self.condition(positive, person, customer)
        value = self.value(rule.field, person, customer)
        if value is None:
            return False
        match rule.field.type:
            case FieldType.TEXT:
                return asks_text(value, word, rule.value)
            case FieldType.LIST:
                mine = {lower(item) for item in value}
                wanted = {lower(item) for item in rule.value or ()}
                return {"set": bool(mine), "any of": bool(mine & wanted), "all of": wanted <= mine}[word]
            case FieldType.NUMBER:
                return asks_number(value, word, rule.value)
            case FieldType.BOOLEAN:
                return word == "set" or value is rule.value
            case _:
                return self.asks_time(value, rule)

    def asks_time(self, value: Any, rule: Condition) -> bool:
        word, wanted, is_day = rule.operator.value, rule.value, rule.field.type is FieldType.DATE
        in_json = ".attributes." in rule.field.name
        if word == "set":
            return True
        if word == "anniversary":
            return self.anniversary(value, wanted)
        if in_json:
            return self.asks_json_time(value, word, wanted, is_day=is_day)
        return time_fits(value, word, wanted, self.now, is_day=is_day)

    def asks_json_time(self, value: str, word: str, wanted: Any, *, is_day: bool) -> bool:
        """Compare as text: days that do not exist stand where their digits put them."""
        if is_day:
            written = lambda day: day.isoformat()  # noqa: E731
            bounds = (self.now.date(), self.now.date())
        else:
            written = lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}"  # noqa: E731
            bounds = (self.now, self.now)
        if isinstance(wanted, Span):
            length = timedelta(**{wanted.unit: wanted.amount})
            low, high = (
                (bounds[0] - length, bounds[1]) if word == "in the last" else (bounds[0], bounds[1] + length)
            )
            return written(low) <= value <= written(high)
        pair = (wanted.low, wanted.high) if isinstance(wanted, Between) else (wanted, wanted)
        if is_day:
            return text_fits(value, word, written(pair[0]), written(pair[1]))
        low_start, low_end = ends(pair[0])
        _high_start, high_end = ends(pair[1])
        low, low_last, high_last = written(low_start), low_end, high_end
        if word == "=":
            return low <= value and under(value, low_last, written)
        if word in ("<", "before"):
            return value < low
        if word == "<=":
            return under(value, low_last, written)
        if word in (">", "after"):
            return not under(value, low_last, written)
        if word == ">=":
            return value >= low
        return low <= value and under(value, high_last, written)

    def anniversary(self, value: Any, span: Span) -> bool:
        text = (
            value
            if isinstance(value, str)
            else f"{value.astimezone(UTC) if isinstance(value, datetime) else value:%Y-%m-%d}"
        )
        month_day = text[5:10]
        for ahead in range(timedelta(**{span.unit: span.amount}).days + 1):
            day = self.now.date() + timedelta(days=ahead)
            leap = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
            if f"{day:%m-%d}" == month_day or (
                month_day == "02-29" and not leap and f"{day:%m-%d}" == "02-28"
            ):
                return True
        return False

    def in_window(self, at: datetime, window: Any) -> bool:
        if window is None:
            return True
        if isinstance(window, Last):
            return at >= self.now - timedelta(**{window.span.unit: window.span.amount})
        return time_fits(at, "between", window, self.now, is_day=False)

    def did(self, rule: Did, person: dict[str, Any]) -> bool:
        name = "contact_id" if rule.who is Who.CONTACT else "customer_id"
        mine = person["id"] if rule.who is Who.CONTACT else person["customer_id"]
        number = 0
        for event in [*self.world.events, *self.arrivals]:
            if (
                event[name] != mine
                or event["kind"] != rule.kind.value
                or not self.in_window(event["at"], rule.within)
            ):
                continue
            if rule.human and event["verdict"] != "human":
                continue
            if rule.campaign is not None and self.campaign.get(event["run_id"]) != rule.campaign:
                continue
            if rule.link is not None and not self.went_to(event, rule.link):
                continue
            number += 1
        return compares(number, rule.times.comparison, rule.times.count)

    def went_to(self, event: dict[str, Any], link: str) -> bool:
        number = event["detail"].get("link")
        url = self.urls.get((event["run_id"], number)) if isinstance(number, int) else None
        if url is None:
            return False
        return url.startswith(link[:-1]) if link.endswith("*") else url == link

    def bought(self, rule: Bought, person: dict[str, Any]) -> bool:
        count = total = 0
        for order in self.world.orders:
            mine = (
                order["contact_id"] == person["id"]
                if rule.who is Who.CONTACT
                else order["customer_id"] == person["customer_id"]
            )
            if (
                not mine
                or order["status"] in ("cancelled", "returned")
                or not self.in_window(order["placed_at"], rule.within)
            ):
                continue
            if rule.spent and order["currency"] != rule.spent.currency:
                continue
            if rule.sku is None and rule.category is None:
                count, total = count + 1, total + order["total_minor"]
                continue
            goods = [self.products[line["product_id"]] for line in self.lines[order["id"]]]
            fitting = [
                line["amount_minor"]
                for line, product in zip(self.lines[order["id"]], goods, strict=True)
                if (rule.sku is not None and product["sku"] == rule.sku)
                or (rule.sku is None and product["category"] == rule.category)
            ]
            if fitting:
                count, total = count + 1, total + sum(fitting)
        enough = rule.times is None or compares(count, rule.times.comparison, rule.times.count)
        return enough and (rule.spent is None or compares(total, rule.spent.comparison, rule.spent.amount))

    def answered(self, rule: Answered, person: dict[str, Any]) -> bool:
        survey = next(row["id"] for row in self.world.surveys if row["key"] == rule.survey)
        if rule.question is None:
            return any(
                row["contact_id"] == person["id"]
                and row["survey_id"] == survey
                and row["posted"]
                and self.in_window(row["posted_at"], rule.within)
                for row in self.world.responses
            )
        return any(
            row["contact_id"] == person["id"]
            and row["survey_id"] == survey
            and row["question"] == rule.question
            and self.in_window(row["at"], rule.within)
            and answer_fits(row, rule)
            for row in self.world.answers
        )

    def consent(self, rule: ConsentIs, person: dict[str, Any]) -> bool:
        topic = next(row["id"] for row in self.world.topics if row["key"] == rule.topic)
        words = [
            (row["at"], place, row["state"])
            for place, row in enumerate(self.world.consents)
            if row["contact_id"] == person["id"] and row["topic_id"] == topic
        ]
        return (max(words)[2] if words else "none") == rule.standing.value


def typed(value: Any, type_: FieldType) -> Any:
    """Give an attribute's value where it has its type; a list without what is no text."""
    match type_:
        case FieldType.TEXT:
            return value if isinstance(value, str) else None
        case FieldType.NUMBER:
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case FieldType.BOOLEAN:
            return value if isinstance(value, bool) else None
        case FieldType.DATE:
            return (
                value
                if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
                else None
            )
        case FieldType.MOMENT:
            shape = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.*(Z|\+00:00)"
            return value[:19] if isinstance(value, str) and re.fullmatch(shape, value, re.DOTALL) else None
        case FieldType.LIST:
            return (
                [item for item in value if isinstance(item, str) and item]
                if isinstance(value, list)
                else None
            )


def asks_text(value: str, word: str, wanted: Any) -> bool:
    mine = lower(value)
    theirs = [lower(item) for item in wanted] if isinstance(wanted, tuple) else lower(wanted or "")
    match word:
        case "set":
            return value != ""
        case "contains":
            return theirs in mine
        case "starts with":
            return mine.startswith(theirs)
        case "ends with":
            return mine.endswith(theirs)
        case "in":
            return mine in theirs
        case _:
            return mine == theirs


def asks_number(value: float, word: str, wanted: Any) -> bool:
    if word == "set":
        return True
    if word == "between":
        return wanted.low <= value <= wanted.high
    if word == "in":
        return value in wanted
    return {
        "=": value == wanted,
        "<": value < wanted,
        "<=": value <= wanted,
        ">": value > wanted,
        ">=": value >= wanted,
    }[word]


def ends(point: Any) -> tuple[datetime, tuple[datetime, bool]]:
    """Give the start of a day or moment, and its end with whether the end belongs to it."""
    if isinstance(point, datetime):
        return point, (point, True)
    start = datetime.combine(point, time(), UTC)
    return start, (start + timedelta(days=1), False)


def under(value: Any, end: tuple[datetime, bool], written: Any = lambda moment: moment) -> bool:
    bound, belongs = end
    return value <= written(bound) if belongs else value < written(bound)


def text_fits(value: Any, word: str, low: Any, high: Any) -> bool:
    if word == "between":
        return low <= value <= high
    return {
        "=": value == low,
        "<": value < low,
        "before": value < low,
        "<=": value <= low,
        ">": value > low,
        "after": value > low,
        ">=": value >= low,
    }[word]


def time_fits(value: Any, word: str, wanted: Any, now: datetime, *, is_day: bool) -> bool:
    here: date = now.date() if is_day else now
    if isinstance(wanted, Span):
        length = timedelta(**{wanted.unit: wanted.amount})
        return here - length <= value <= here if word == "in the last" else here <= value <= here + length
    low, high = (wanted.low, wanted.high) if isinstance(wanted, Between) else (wanted, wanted)
    if is_day:
        return text_fits(value, word, low, high)
    start, end = ends(low)
    match word:
        case "=":
            return start <= value and under(value, end)
        case "<" | "before":
            return value < start
        case "<=":
            return under(value, end)
        case ">" | "after":
            return not under(value, end)
        case ">=":
            return value >= start
        case _:
            return start <= value and under(value, ends(high)[1])


def compares(number: int, comparison: Comparison, bound: int) -> bool:
    return {"at least": number >= bound, "at most": number <= bound, "exactly": number == bound}[
        comparison.value
    ]


def answer_fits(row: dict[str, Any], rule: Answered) -> bool:
    if rule.operator is None:
        return True
    word = rule.operator.value
    if word == "contains":
        return row["text"] is not None and asks_text(row["text"], "contains", rule.value)
    if isinstance(rule.value, tuple | str):
        return row["choice"] is not None and row["choice"] in (
            rule.value if isinstance(rule.value, tuple) else (rule.value,)
        )
    return row["number"] is not None and asks_number(row["number"], word, rule.value)
