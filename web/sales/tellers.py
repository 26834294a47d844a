"""One function a kind of event: what it tells, in the reader's language."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup, escape

from campaigns.records.customers.stream import Sheet, order_number
from campaigns.surveys.answers import Answer
from campaigns.tracking.instrument import HONEYPOT, SURVEY_PAGE
from web.language import day, money
from web.sales import words
from web.sales.telling import Line, Telling, name_of, say


def _sent(told: Telling) -> Line:
    return Line("send", say(_("Mailed: %(campaign)s"), campaign=told.campaign))


def _reply(told: Telling) -> tuple[tuple[str, str], ...]:
    known = told.page.mails.get((told.event.run or 0, told.event.seq or 0))
    said = told.text("reply", "text", "diagnostic") or (known.reply if known else None)
    code = told.text("status", "code", "enhanced")
    found = []
    if said:
        found.append((_("What the other side said"), said))
    if code:
        found.append((_("Code"), code))
    return tuple(found)


def _failed(told: Telling) -> Line:
    words_ = say(_("Refused by the other side: %(campaign)s"), campaign=told.campaign)
    return Line("mail-off", words_, "bad", facts=_reply(told))


def _unknown(told: Telling) -> Line:
    words_ = say(_("In doubt whether it went out: %(campaign)s"), campaign=told.campaign)
    return Line("question-mark", words_, facts=_reply(told))


def _doubt_settled(told: Telling) -> Line:
    if told.text("decision") != "arrived":
        return Line("send", say(_("Let out again, being in doubt: %(campaign)s"), campaign=told.campaign))
    if told.text("proof"):
        return Line("check", say(_("It is proven to have arrived: %(campaign)s"), campaign=told.campaign))
    return Line("check", say(_("Was found to have arrived: %(campaign)s"), campaign=told.campaign))


def _delivered(told: Telling) -> Line:
    return Line("mailbox", say(_("Delivered: %(campaign)s"), campaign=told.campaign), quiet=True)


def _opened(told: Telling) -> Line:
    return Line("mail-opened", say(_("Opened %(campaign)s"), campaign=told.campaign), "info")


def _clicked(told: Telling) -> Line:
    if told.detail.get("link") == HONEYPOT:
        hidden = _("Followed a link in %(campaign)s that no person sees")
        return Line("click", say(hidden, campaign=told.campaign), "info")
    if told.detail.get("link") == SURVEY_PAGE:
        return Line("click", say(_("Followed the survey of %(campaign)s"), campaign=told.campaign), "info")
    url = told.page.links.get((told.event.run or 0, told.detail.get("link") or 0), "")
    if not url:
        return Line("click", say(_("Clicked a link in %(campaign)s"), campaign=told.campaign), "info")
    short = words.link(url)
    where = Markup('<span class="stream-url" dir="ltr">{}</span>').format(short)
    told_ = say(_("Clicked %(link)s in %(campaign)s"), link=where, campaign=told.campaign)
    return Line("click", told_, "info", facts=((_("Address"), url),) if short != url else ())


def _viewed(told: Telling) -> Line:
    return Line("eye", say(_("Read %(campaign)s in the browser"), campaign=told.campaign), "info")


def _bounced(told: Telling) -> Line:
    hard = bool(told.detail.get("hard"))
    sentence = _("Came back for good: %(campaign)s") if hard else _("Came back for now: %(campaign)s")
    if told.detail.get("class") == "listed":
        sentence = _("Not sent, for our provider has the address on a list of its own: %(campaign)s")
    words_ = say(sentence, campaign=told.campaign)
    return Line("arrow-back-up", words_, "bad" if hard else "", facts=_reply(told))


def _complained(told: Telling) -> Line:
    return Line("flag", say(_("Reported %(campaign)s as spam"), campaign=told.campaign), "bad")


def _replied(told: Telling) -> Line:
    words_ = say(_("Replied to %(campaign)s"), campaign=told.campaign)
    return Line("message", words_, "info", quote=told.text("text", "subject"))


def _delayed(told: Telling) -> Line:
    return Line(
        "clock", say(_("On the way for long: %(campaign)s"), campaign=told.campaign), facts=_reply(told)
    )


def _auto_replied(told: Telling) -> Line:
    words_ = say(_("A robot replied to %(campaign)s"), campaign=told.campaign)
    return Line("robot", words_, quote=told.text("text", "subject"))


def _unsubscribed(told: Telling) -> Line:
    words_ = say(_("Unsubscribed from %(topic)s, by %(campaign)s"), topic=told.topic, campaign=told.campaign)
    return Line("bell-off", words_, "bad", facts=_how(told))


def _how(told: Telling) -> tuple[tuple[str, str], ...]:
    how, why = told.text("how", "source"), told.text("reason", "proof")
    found = []
    if how:
        found.append((_("How"), words.source(how)))
    if why:
        found.append((_("Reason"), why))
    return tuple(found)


def _granted(told: Telling) -> Line:
    if level := told.text("tracking"):
        return Line("eye", escape(words.tracking(level)), "good", facts=_how(told))
    words_ = say(_("Said yes to %(topic)s"), topic=told.topic)
    return Line("circle-check", words_, "good", facts=_how(told))


def _withdrawn(told: Telling) -> Line:
    if level := told.text("tracking"):
        return Line("eye-off", escape(words.tracking(level)), facts=_how(told))
    words_ = say(_("Said no to %(topic)s"), topic=told.topic)
    return Line("bell-off", words_, "bad", facts=_how(told))


def _suppressed(told: Telling) -> Line:
    why = words.suppression(told.text("reason"))
    if not why:
        return Line("ban", escape(_("Address put on the never-mail list")), "bad")
    return Line("ban", say(_("Address put on the never-mail list: %(why)s"), why=why), "bad")


def _lifted(told: Telling) -> Line:
    return Line(
        "lock-open",
        say(_("Address taken off the never-mail list: %(why)s"), why=name_of(told.text("reason"))),
        "good",
    )


def _answered(told: Telling) -> Line:
    name = told.text("name", "survey")
    response = told.detail.get("response")
    sheet = told.page.answers.get(response) if isinstance(response, int) else None
    given = sheet.answers if sheet else ()
    facts = tuple(_answer(sheet, answer) for answer in given if sheet)
    words_ = say(_("Answered the survey %(name)s"), name=name_of(name or "–"))
    quote = next((answer.text for answer in given if answer.text), "")
    return Line("forms", words_, "info", quote=quote or "", facts=facts)


def _answer(sheet: Sheet, answer: Answer) -> tuple[str, str]:
    """A question and its answer in the form's words, as far as the reader's language has them."""
    language = words.reader().language
    question = sheet.form.question(answer.question)
    asked = question.text.read(language) if question else answer.question
    if answer.number is not None:
        return asked, str(answer.number)
    named = {one.key: one.text.read(language) for one in question.choices} if question else {}
    chosen = [named.get(key) or sheet.products.get(key) or key for key in answer.choices]
    return asked, answer.text or ", ".join(chosen)


def _score(told: Telling) -> Line:
    score = told.text("score", "value")
    sentence = _("Clicked the score %(score)s in %(campaign)s; an answer only once it is posted")
    return Line("pointer", say(sentence, score=score, campaign=told.campaign))


def _imported(told: Telling) -> Line:
    file, fields = told.text("file"), told.detail.get("fields")
    if told.text("change") == "changed":
        named = ", ".join(map(str, fields)) if isinstance(fields, list) else ""
        facts = ((_("What changed"), named),) if named else ()
        return Line("file-import", escape(_("Changed by an import")), facts=facts, quiet=True)
    if not file:
        return Line("file-import", escape(_("Came in by an import")), quiet=True)
    return Line("file-import", say(_("Came in by the import %(file)s"), file=name_of(file)), quiet=True)


def _order(told: Telling, icon: str, tone: str, sentence: str, bare: str) -> Line:
    number = order_number(told.event)
    order = told.page.orders.get(number)
    minor, currency = told.detail.get("total_minor"), told.text("currency")
    if order is not None:
        minor, currency = order.minor, order.currency
    if not isinstance(minor, int) or not currency:
        return Line(icon, say(bare, number=name_of(number)), tone)
    lines = order.lines if order else ()
    facts = [(line.product, f"{money(line.minor, currency)} ({line.quantity} ×)") for line in lines]
    if number:
        facts.insert(0, (_("Order number"), number))
    words_ = say(sentence, what=_bought(lines), total=money(minor, currency))
    return Line(icon, words_, tone, facts=tuple(facts))


def _bought(lines: Any) -> Markup:
    if not lines:
        return escape(_("something"))
    first = lines[0]
    named = name_of(first.product)
    if first.quantity != 1:
        named = Markup("{} × {}").format(first.quantity, named)
    if len(lines) == 1:
        return named
    more = ngettext("and one more product", "and %(num)d more products", len(lines) - 1)
    return Markup("{} {}").format(named, more)


def _ordered(told: Telling) -> Line:
    return _order(
        told, "shopping-cart", "good", _("Ordered %(what)s for %(total)s"), _("Ordered something %(number)s")
    )


def _cancelled(told: Telling) -> Line:
    return _order(
        told, "x", "bad", _("Cancelled the order of %(what)s, %(total)s"), _("Cancelled an order %(number)s")
    )


def _returned(told: Telling) -> Line:
    return _order(
        told, "truck-return", "bad", _("Returned %(what)s, %(total)s"), _("Returned an order %(number)s")
    )


def _case_opened(told: Telling) -> Line:
    kind = words.case_kind(told.text("kind"))
    words_ = say(_("%(kind)s opened: %(subject)s"), kind=kind, subject=name_of(told.text("subject")))
    return Line("lifebuoy", words_, "bad" if told.text("kind") == "complaint" else "info")


def _case_closed(told: Telling) -> Line:
    kind = words.case_kind(told.text("kind"))
    words_ = say(_("%(kind)s closed: %(subject)s"), kind=kind, subject=name_of(told.text("subject")))
    return Line("check", words_, "good", quote=told.text("outcome"))


def _task_created(told: Telling) -> Line:
    return Line("list-check", say(_("Task: %(title)s"), title=name_of(told.text("title"))))


def _task_done(told: Telling) -> Line:
    words_ = say(_("Task done: %(title)s"), title=name_of(told.text("title")))
    return Line("checks", words_, "good", quote=told.text("outcome"))


def _held(told: Telling) -> Line:
    until = told.text("until")
    if not until:
        return Line("player-play", escape(_("Marketing may write again")), quote=told.text("reason"))
    try:
        when: Any = day(datetime.fromisoformat(until))
    except ValueError:
        when = until
    return Line("hand-stop", say(_("Marketing waits until %(day)s"), day=when), quote=told.text("reason"))


def _note(told: Telling) -> Line:
    channel = told.text("channel") or "note"
    icons = {"call": "phone", "meeting": "users", "letter": "mail", "message": "message"}
    return Line(icons.get(channel, "note"), escape(words.channel(channel)), quote=told.text("text"))


def _erased(told: Telling) -> Line:  # noqa: ARG001 - every teller has this shape
    return Line("trash", escape(_("A contact was forgotten, at their own wish")))


def _owner_changed(told: Telling) -> Line:
    if name := told.text("name", "owner"):
        return Line("user-check", say(_("Looked after by %(name)s from now on"), name=name_of(name)))
    return Line("user", escape(_("Looked after by nobody from now on")))


#: Kinds of which it is in question who did them.
JUDGED = frozenset({"opened", "clicked", "viewed", "score clicked"})
#: By kind of event.
TELLERS: dict[str, Callable[[Telling], Line]] = {
    "sent": _sent,
    "failed": _failed,
    "unknown": _unknown,
    "doubt settled": _doubt_settled,
    "delivered": _delivered,
    "opened": _opened,
    "clicked": _clicked,
    "viewed": _viewed,
    "bounced": _bounced,
    "complained": _complained,
    "delayed": _delayed,
    "replied": _replied,
    "auto-replied": _auto_replied,
    "unsubscribed": _unsubscribed,
    "consent granted": _granted,
    "consent withdrawn": _withdrawn,
    "suppressed": _suppressed,
    "suppression lifted": _lifted,
    "answered": _answered,
    "score clicked": _score,
    "imported": _imported,
    "ordered": _ordered,
    "order cancelled": _cancelled,
    "order returned": _returned,
    "case opened": _case_opened,
    "case closed": _case_closed,
    "task created": _task_created,
    "task done": _task_done,
    "held": _held,
    "note": _note,
    "erased": _erased,
    "owner changed": _owner_changed,
}
