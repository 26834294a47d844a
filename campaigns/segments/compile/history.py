"""Questions about history: events, orders, answers, consents, each as a set of ids."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    and_,
    cast,
    distinct,
    func,
    literal,
    literal_column,
    not_,
    null,
    select,
    true,
    union_all,
)

from campaigns.model.base import Moment
from campaigns.model.commerce import order_lines, orders, products
from campaigns.model.consent import consent_states, consents, topics
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import links, runs
from campaigns.model.surveys import answers, responses, surveys
from campaigns.segments.compile.dialect import Expression
from campaigns.segments.compile.frame import Frame, Ids
from campaigns.segments.compile.intervals import window_of, within
from campaigns.segments.compile.rows import number_asked, text_asked
from campaigns.segments.rules import (
    Answered,
    Bought,
    Comparison,
    ConsentIs,
    Did,
    Last,
    Operator,
    Spent,
    Standing,
    Times,
    Who,
    Window,
)
from campaigns.values import WORDS, EventKind, Verdict

#: Orders in these states never count as bought.
UNDONE = ("cancelled", "returned")
#: One a mail. Counted over such a span, SQLite took 2 to 5 s by contact and 4 to 23 s by kind (20 M events).
COMMON = {EventKind.SENT, EventKind.DELIVERED}
COMMON_SPAN = timedelta(days=14)
IMPORT = "import"


def did(rule: Did, frame: Frame) -> Ids:
    """Find who did something so often; rules that nothing done would meet become a complement."""
    told = _told(rule, frame).c
    key, column = _key(rule.who, told)
    ids = select(column).where(*_counting(rule, told, column, frame))
    if rule.times.accepts(0):
        outside = _beyond(rule.times)
        return Ids(key, _often(ids, column, outside), outside=True)
    return Ids(key, _often(ids, column, rule.times))


def did_evidence(rule: Did, frame: Frame) -> Select[*tuple[Any, ...]]:
    """Count the events of the one contact that is asked about, and find the last."""
    told = _told(rule, frame).c
    _key_column, column = _key(rule.who, told)
    return select(func.count(), func.max(told.at)).where(*_counting(rule, told, column, frame))


def _told(rule: Did, frame: Frame) -> FromClause:
    """Give the events to read; what an import brought only rows of its own tell: contacts, and their words.

    A million events that nobody asks for would cost a million-row import its speed.
    """
    kind = rule.kind
    if kind is EventKind.IMPORTED:
        came = contacts.alias("arrived")
        columns = {"at": came.c.created_at, "contact_id": came.c.id, "customer_id": came.c.customer_id}
        return _with(kind, columns, came, [came.c.import_id.is_not(None)])
    state = WORDS.get(kind)
    if state is None or rule.campaign is not None:  # no campaign brought what an import did
        return events
    said, whose = consents.alias("said"), contacts.alias("whose")
    columns = {"at": said.c.at, "contact_id": said.c.contact_id}
    where = [said.c.source == IMPORT, said.c.state == state.value]
    if rule.who is Who.CONTACT:
        return _with(kind, columns, said, where)
    few = _only(rule.who, whose.c.customer_id, frame)  # neither database would look for them behind a join
    both = said.join(whose, whose.c.id == said.c.contact_id)
    return _with(kind, {**columns, "customer_id": whose.c.customer_id}, both, [*where, *few])


def _with(
    kind: EventKind, columns: dict[str, Any], source: FromClause, where: list[ColumnElement[bool]]
) -> FromClause:
    """Give the events of a kind, and event-like what other rows tell."""
    named = ("kind", "at", "contact_id", "customer_id", "run_id", "verdict", "detail")
    constant = {"kind": kind.value, "verdict": Verdict.UNKNOWN.value}
    like = columns | {name: literal_column(f"'{word}'") for name, word in constant.items()}
    shown = [like.get(name, cast(null(), events.c[name].type)).label(name) for name in named]
    others = select(*shown).select_from(source).where(*where)
    own = select(*(events.c[name] for name in named)).where(events.c.kind == kind.value)
    return union_all(own, others).subquery("told")


def _counting(rule: Did, told: Any, column: Expression, frame: Frame) -> list[ColumnElement[bool]]:
    """List what an event must be to count."""
    # counting what nearly everybody has, it is quicker to read the events by contact than to sort them
    kind = frame.speech.aside(told.kind) if _common(rule) else told.kind
    where = [
        kind == rule.kind.value,
        *([] if frame.speech.null_in_set else [column.is_not(None)]),
        _in_window(told.at, rule.within, frame),
    ]
    where += _only(rule.who, column, frame)
    if rule.human:
        where.append(told.verdict == Verdict.HUMAN.value)
    if rule.campaign is not None:
        where.append(told.run_id.in_(select(runs.c.id).where(runs.c.campaign_id == rule.campaign)))
    if rule.link is not None:
        where.append(_to(rule.link, told, frame))
    return where


def _common(rule: Did) -> bool:
    """Say whether events are to be counted of which most contacts have many in the window."""
    short = isinstance(rule.within, Last) and rule.within.span.length < COMMON_SPAN
    counted = rule.times.count > 1 or rule.times.comparison is Comparison.AT_MOST
    return counted and not short and rule.kind in COMMON and rule.campaign is None and rule.who is Who.CONTACT


def _to(link: str, told: Any, frame: Frame) -> ColumnElement[bool]:
    """Say that a click went to a destination, or to one that starts so."""
    number = frame.speech.link_number(told.detail)
    start = link.removesuffix("*")
    fits = func.substr(links.c.url, 1, len(start)) == start if link.endswith("*") else links.c.url == link
    there = select(1).where(links.c.run_id == told.run_id, links.c.number == number, fits)
    return there.correlate(told.run_id.table).exists()


def _key(who: Who, columns: Any) -> tuple[Column[Any], Column[Any]]:
    """Give the contact's column to look up, and the column of history that holds its value."""
    if who is Who.CONTACT:
        return contacts.c.id, columns.contact_id
    return contacts.c.customer_id, columns.customer_id


def _only(who: Who, column: Expression, frame: Frame) -> list[ColumnElement[bool]]:
    if frame.only is None:
        return []
    if who is Who.CONTACT:
        return [column.in_(frame.only)]
    return [column.in_(select(contacts.c.customer_id).where(contacts.c.id.in_(frame.only)))]


def _in_window(column: Expression, window: Window, frame: Frame) -> ColumnElement[bool]:
    return within(column, window_of(window, frame.now), lambda end: literal(end, Moment()))


def _beyond(times: Times) -> Times:
    """Give the numbers from 1 on that a number of times, which nothing done would meet, leaves out."""
    count = times.count + 1 if times.comparison is Comparison.AT_MOST else 1
    return Times(Comparison.AT_LEAST, count)


def _often(ids: Select[Any], column: Expression, times: Times) -> Select[Any]:
    if times == Times(Comparison.AT_LEAST, 1):
        return ids
    return ids.group_by(column).having(_compared(func.count(), times.comparison, times.count))


def _compared(number: Expression, comparison: Comparison, bound: int) -> ColumnElement[bool]:
    match comparison:
        case Comparison.AT_LEAST:
            return number >= bound
        case Comparison.AT_MOST:
            return number <= bound
        case Comparison.EXACTLY:
            return number == bound


def bought(rule: Bought, frame: Frame) -> Ids:
    """Find whose orders hold the goods; rules that nothing bought would meet become a complement."""
    key, column = _key(rule.who, orders.c)
    ids = _orders(rule, [column], column, frame)
    wanted = _wanted(rule)
    if rule.times == Times(Comparison.AT_LEAST, 1) and rule.spent is None:
        return Ids(key, ids)
    # in the order of the index by customer, SQLite would fetch each order from another place (3.3 s, not 0.8)
    ids = ids.group_by(frame.speech.aside(column))
    nothing = (rule.times is None or rule.times.accepts(0)) and (rule.spent is None or meets(rule.spent, 0))
    return Ids(key, ids.having(not_(wanted) if nothing else wanted), outside=nothing)


def _orders(rule: Bought, columns: list[Any], column: Expression, frame: Frame) -> Select[Any]:
    """Select from the orders that count, with their lines where the goods are named."""
    where = [
        column.is_not(None),
        orders.c.status.not_in(UNDONE),
        _in_window(orders.c.placed_at, rule.within, frame),
        *_only(rule.who, column, frame),
    ]
    if rule.spent is not None:
        where.append(orders.c.currency == rule.spent.currency)
    found = select(*columns).where(*where)
    if not _by_line(rule):
        return found
    goods = products.c.sku == rule.sku if rule.sku is not None else products.c.category == rule.category
    joined = orders.join(order_lines, order_lines.c.order_id == orders.c.id).join(
        products, products.c.id == order_lines.c.product_id
    )
    return found.select_from(joined).where(goods)


def _by_line(rule: Bought) -> bool:
    return rule.sku is not None or rule.category is not None


def order_count(rule: Bought) -> Expression:
    """Count orders, once each."""
    return func.count(distinct(orders.c.id)) if _by_line(rule) else func.count()


def order_sum(rule: Bought) -> Expression:
    """Sum what was paid for the goods."""
    return func.sum(order_lines.c.amount_minor if _by_line(rule) else orders.c.total_minor)


def order_evidence(rule: Bought, frame: Frame) -> Select[Any]:
    """Count and sum the orders of the one contact that is asked about."""
    _key_column, column = _key(rule.who, orders.c)
    columns = [order_count(rule), func.coalesce(order_sum(rule), 0), func.max(orders.c.placed_at)]
    return _orders(rule, columns, column, frame)


def _wanted(rule: Bought) -> ColumnElement[bool]:
    tests = []
    if rule.times is not None:
        tests.append(_compared(order_count(rule), rule.times.comparison, rule.times.count))
    if rule.spent is not None:
        tests.append(_compared(order_sum(rule), rule.spent.comparison, rule.spent.amount))
    return and_(*tests)


def meets(spent: Spent, amount: int) -> bool:
    """Say whether this amount is meant."""
    return Times(spent.comparison, spent.amount).accepts(amount)


def answered(rule: Answered, frame: Frame) -> Ids:
    """Find who posted a survey, or answered one of its questions so."""
    survey = select(surveys.c.id).where(surveys.c.key == rule.survey).scalar_subquery()
    if rule.question is None:
        where = [responses.c.survey_id == survey, responses.c.posted.is_(true())]
        where += [_in_window(responses.c.posted_at, rule.within, frame)]
        where += _only(Who.CONTACT, responses.c.contact_id, frame)
        return Ids(contacts.c.id, select(responses.c.contact_id).where(*where))
    ids = select(answers.c.contact_id).where(
        answers.c.survey_id == survey,
        answers.c.question == rule.question,
        _in_window(answers.c.at, rule.within, frame),
        *_only(Who.CONTACT, answers.c.contact_id, frame),
    )
    return Ids(contacts.c.id, ids if rule.operator is None else ids.where(_fits(rule, rule.operator, frame)))


def _fits(rule: Answered, operator: Operator, frame: Frame) -> ColumnElement[bool]:
    value = rule.value
    if operator is Operator.CONTAINS:
        return text_asked(frame.speech.fold(answers.c.text), operator, value, frame.speech)
    if isinstance(value, tuple):
        return answers.c.choice.in_(value)
    if isinstance(value, str):
        return answers.c.choice == value
    return number_asked(answers.c.number, operator, value, float)


def consent_is(rule: ConsentIs, frame: Frame) -> Ids:
    """Find whose last word on a topic is this; none is the complement of any word."""
    topic = select(topics.c.id).where(topics.c.key == rule.topic).scalar_subquery()
    table = consents if rule.standing is Standing.NONE else consent_states
    ids = select(table.c.contact_id).where(table.c.topic_id == topic)
    ids = ids.where(*_only(Who.CONTACT, table.c.contact_id, frame))
    if rule.standing is Standing.NONE:
        return Ids(contacts.c.id, ids, outside=True)
    return Ids(contacts.c.id, ids.where(table.c.state == rule.standing.value))
