"""Says a rule's leaves as German relative clauses, whose verbs stand at their end."""

from collections.abc import Mapping
from datetime import date, datetime

from campaigns.segments.fields import Field, FieldType
from campaigns.segments.leaves import JUDGED
from campaigns.segments.rules import (
    NEVER,
    ONCE,
    Answered,
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
    Leaf,
    Operator,
    Span,
    Standing,
    Times,
    Value,
    Who,
    Window,
)
from campaigns.segments.speech import Speech, listed, money, phrase
from campaigns.values import EventKind

#: {of} is which link of which campaign; {have} and {were} agree with who did it.
DOINGS: Mapping[EventKind, str] = {
    EventKind.SENT: "eine Mail{of} bekommen {have}",
    EventKind.FAILED: "eine Mail{of} hatten, die abgewiesen wurde",
    EventKind.UNKNOWN: "eine Mail{of} hatten, deren Verbleib ungewiss ist",
    EventKind.DOUBT_SETTLED: "eine Mail{of} hatten, deren Verbleib geklärt wurde",
    EventKind.DELIVERED: "eine Mail{of} zugestellt bekommen {have}",
    EventKind.OPENED: "eine Mail{of} geöffnet {have}",
    EventKind.CLICKED: "einen Link{of} angeklickt {have}",
    EventKind.VIEWED: "eine Mail{of} im Browser gelesen {have}",
    EventKind.BOUNCED: "eine Mail{of} hatten, die zurückkam",
    EventKind.COMPLAINED: "eine Mail{of} als Spam gemeldet {have}",
    EventKind.DELAYED: "eine Mail{of} hatten, die lange unterwegs war",
    EventKind.REPLIED: "auf eine Mail{of} geantwortet {have}",
    EventKind.AUTO_REPLIED: "auf eine Mail{of} automatisch geantwortet {have}",
    EventKind.UNSUBSCRIBED: "sich{of} abgemeldet {have}",
    EventKind.CONSENT_GRANTED: "eine Einwilligung{of} gegeben {have}",
    EventKind.CONSENT_WITHDRAWN: "eine Einwilligung{of} widerrufen {have}",
    EventKind.SUPPRESSED: "auf die Sperrliste gesetzt {were}",
    EventKind.SUPPRESSION_LIFTED: "von der Sperrliste genommen {were}",
    EventKind.ANSWERED: "eine Umfrage{of} beantwortet {have}",
    EventKind.SCORE_CLICKED: "eine Bewertung{of} angeklickt {have}",
    EventKind.IMPORTED: "importiert {were}",
    EventKind.ORDERED: "etwas bestellt {have}",
    EventKind.ORDER_CANCELLED: "eine Bestellung storniert {have}",
    EventKind.ORDER_RETURNED: "eine Bestellung zurückgegeben {have}",
    EventKind.CASE_OPENED: "einen Vorgang eröffnet bekommen {have}",
    EventKind.CASE_CLOSED: "einen Vorgang geschlossen bekommen {have}",
    EventKind.TASK_CREATED: "Gegenstand einer neuen Aufgabe {were}",
    EventKind.TASK_DONE: "Gegenstand einer erledigten Aufgabe {were}",
    EventKind.HELD: "vom Marketing ausgenommen {were}",
    EventKind.NOTE: "Gegenstand einer Notiz {were}",
    EventKind.ERASED: "vergessen {were}",
    EventKind.OWNER_CHANGED: "einen anderen Betreuer bekommen {have}",
}
#: The built-in fields, as they follow "deren".
LABELS: Mapping[str, str] = {
    "contact.email": "Mailadresse",
    "contact.domain": "Mail-Domain",
    "contact.phone": "Telefonnummer",
    "contact.external_id": "Kontaktnummer",
    "contact.given_name": "Vorname",
    "contact.family_name": "Nachname",
    "contact.locale": "Sprache mit Region",
    "contact.language": "Sprache",
    "contact.time_zone": "Zeitzone",
    "contact.country": "Land",
    "contact.region": "Region",
    "contact.city": "Ort",
    "contact.birthday": "Geburtstag",
    "contact.source": "Herkunft",
    "contact.created_at": "Aufnahme",
    "customer.kind": "Kundenart",
    "customer.name": "Kundenname",
    "customer.external_id": "Kundennummer",
    "customer.stage": "Kundenphase",
    "customer.owner": "Kundenbetreuer",
    "customer.country": "Land des Kunden",
    "customer.region": "Region des Kunden",
    "customer.city": "Ort des Kunden",
    "customer.created_at": "Aufnahme des Kunden",
    "activity.last_sent_at": "letzte Mail",
    "activity.last_opened_at": "letzte Öffnung",
    "activity.last_clicked_at": "letzter Klick",
    "activity.last_answered_at": "letzte Umfrageantwort",
    "activity.last_ordered_at": "letzte Bestellung",
}
_STANDINGS = {
    Standing.GRANTED: "die {topic} zugestimmt haben",
    Standing.PENDING: "die {topic} noch bestätigen müssen",
    Standing.WITHDRAWN: "die {topic} abgelehnt haben",
    Standing.NONE: "die sich zu {topic} nie geäußert haben",
}
_COMPARISONS = {
    Comparison.AT_LEAST: "mindestens",
    Comparison.AT_MOST: "höchstens",
    Comparison.EXACTLY: "genau",
}
_WORDS = {
    Operator.EQUAL: "{} ist",
    Operator.LESS: "kleiner als {} ist",
    Operator.AT_MOST: "höchstens {} ist",
    Operator.MORE: "größer als {} ist",
    Operator.AT_LEAST: "mindestens {} ist",
    Operator.BETWEEN: "zwischen {} liegt",
    Operator.CONTAINS: "{} enthält",
    Operator.STARTS: "mit {} beginnt",
    Operator.ENDS: "auf {} endet",
    Operator.IN: "{} ist",
    Operator.ANY_OF: "{} enthält",
    Operator.ALL_OF: "{} enthält",
    Operator.BEFORE: "vor {} liegt",
    Operator.AFTER: "nach {} liegt",
    Operator.NOT_EQUAL: "nicht {} ist oder nicht bekannt ist",
    Operator.NOT_CONTAINS: "{} nicht enthält oder nicht bekannt ist",
    Operator.NOT_IN: "nicht {} ist oder nicht bekannt ist",
    Operator.NONE_OF: "weder {} enthält oder nicht bekannt ist",
}
_TIMED = _WORDS | {
    Operator.EQUAL: "am {} ist",
    Operator.LESS: "vor {} liegt",
    Operator.AT_MOST: "nicht nach {} liegt",
    Operator.MORE: "nach {} liegt",
    Operator.AT_LEAST: "nicht vor {} liegt",
    Operator.NOT_EQUAL: "nicht am {} ist oder nicht bekannt ist",
}
_UNITS = {"hours": ("Stunde", "Stunden"), "days": ("Tag", "Tagen"), "weeks": ("Woche", "Wochen")}


def say_leaf(leaf: Leaf) -> str:  # noqa: PLR0911 - one branch a kind of leaf
    """Say one leaf, as what follows "Kontakte,"."""
    match leaf:
        case Condition():
            return f"deren {_label(leaf.field)} {_asked(leaf)}"
        case Did():
            return _did(leaf)
        case Bought():
            return _bought(leaf)
        case Answered():
            return _answered(leaf)
        case ConsentIs(topic, standing):
            return _STANDINGS[standing].replace("{topic}", _shown(topic))
        case HasRole(role, at):
            where = "" if at is None else f" [{phrase(at, GERMAN)}]"
            return f"die bei einem Kunden{where} {_shown(role)} sind"
        case InSegment(key):
            return f"die im Segment {_shown(key)} sind"
        case Everyone():
            return "gleich welche"


def _label(field: Field) -> str:
    if field.attribute is None:
        return LABELS.get(field.name, field.label)
    return f"Merkmal „{field.attribute}“" + ("" if field.entity == "contact" else " des Kunden")


def _asked(leaf: Condition) -> str:
    operator, timed = leaf.operator, leaf.field.type in (FieldType.DATE, FieldType.MOMENT)
    if operator in (Operator.SET, Operator.EMPTY):
        return "bekannt ist" if operator is Operator.SET else "nicht bekannt ist"
    if isinstance(leaf.value, Span):
        return _spanned(operator, leaf.value)
    words = (_TIMED if timed else _WORDS)[operator]
    return words.replace("{}", _value(leaf.value, leaf.field.type, _joint(operator)))


def _joint(operator: Operator | None) -> str:
    if operator is Operator.NONE_OF:
        return " noch "
    return " und " if operator in (Operator.BETWEEN, Operator.ALL_OF) else " oder "


def _spanned(operator: Operator, span: Span) -> str:
    if operator is Operator.ANNIVERSARY:
        return "sich heute" + (f" oder {_within('nächsten', span)}" if span.amount else "") + " jährt"
    if operator is Operator.NOT_IN_THE_LAST:
        return f"nicht {_within('letzten', span)} liegt oder nicht bekannt ist"
    return f"{_within('nächsten' if operator is Operator.IN_THE_NEXT else 'letzten', span)} liegt"


def _within(which: str, span: Span) -> str:
    """In the last (or next) hours, days or weeks; one of them is alone, and of a gender."""
    if span.amount != 1:
        return f"in den {which} {_length(span)}"
    return f"{'am' if span.unit == 'days' else 'in der'} {which} {_UNITS[span.unit][0]}"


def _length(span: Span) -> str:
    one, many = _UNITS[span.unit]
    return f"{span.amount} {one if span.amount == 1 else many}"


def _value(value: Value, type_: FieldType, joint: str) -> str:
    if isinstance(value, tuple):
        return listed([_shown(item) for item in value], joint)
    if isinstance(value, Between):
        return f"{_shown(value.low)} und {_shown(value.high)}"
    if isinstance(value, Span):
        return _length(value)
    if type_ is FieldType.BOOLEAN:
        return "ja" if value else "nein"
    return _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%d.%m.%Y %H:%M:%S} UTC"
    if isinstance(value, date):
        return f"{value:%d.%m.%Y}"
    if isinstance(value, str):
        return f"„{value}“"
    return f"{value}".replace(".", ",") if isinstance(value, float) else f"{value}"


def _did(leaf: Did) -> str:
    alone = leaf.who is Who.CONTACT
    of = "" if leaf.link is None else f" zu {leaf.link}"
    of += "" if leaf.campaign is None else f" aus Kampagne {leaf.campaign}"
    doing = DOINGS[leaf.kind].replace("{have}", "haben" if alone else "hat")
    doing = doing.replace("{were}", "wurden" if alone else "wurde")
    if not alone:
        doing = doing.replace(" hatten,", " hatte,")
    judged = leaf.kind in JUDGED
    said = _clause(
        "die" if alone else "bei deren Kunden jemand",
        "selbst" if judged and leaf.human else "",
        _when(leaf.within),
        _often(leaf.times),
        doing.replace("{of}", of),
    )
    return said + (" (auch Maschinen zählen)" if judged and not leaf.human else "")


def _clause(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _often(times: Times | None) -> str:
    if times is None or times == ONCE:
        return ""
    return "nie" if times == NEVER else f"{_COMPARISONS[times.comparison]} {times.count}-mal"


def _when(window: Window) -> str:
    if window is None:
        return ""
    if isinstance(window, Last):
        return _within("letzten", window.span)
    return f"zwischen {_shown(window.low)} und {_shown(window.high)}"


def _bought(leaf: Bought) -> str:
    alone = leaf.who is Who.CONTACT
    goods = "etwas" if leaf.category is None else f"etwas der Kategorie {_shown(leaf.category)}"
    if leaf.sku is not None:
        goods = f"das Produkt {_shown(leaf.sku)}"
    paid = ""
    if leaf.spent is not None:
        spent = leaf.spent
        sum_ = f"{money(spent.amount, spent.currency, ',')} {spent.currency}"
        paid = f"für insgesamt {_COMPARISONS[spent.comparison]} {sum_}"
    have = "haben" if alone else "hat"
    who = "die selbst" if alone else "deren Kunde"
    return _clause(who, _when(leaf.within), _often(leaf.times), goods, paid, f"gekauft {have}")


def _answered(leaf: Answered) -> str:
    survey = f"die Umfrage {_shown(leaf.survey)}"
    if leaf.question is not None:
        survey = f"in der Umfrage {_shown(leaf.survey)} die Frage {_shown(leaf.question)}"
    return _clause("die", _when(leaf.within), survey, _given(leaf), "beantwortet haben")


def _given(leaf: Answered) -> str:
    """Say which answer, before the verb: with at least 9."""
    if leaf.operator is None:
        return ""
    word = _WORDS[leaf.operator].rpartition(" ")[0]
    word = word if leaf.operator is Operator.STARTS else f"mit {word}"
    return word.replace("{}", _value(leaf.value, FieldType.TEXT, _joint(leaf.operator)))


#: German.
GERMAN = Speech(
    everyone="Alle Kontakte.",
    contacts="Kontakte, {phrase}.",
    both=" und ",
    either=" oder ",
    outside="die nicht zu denen gehören, {phrase}",
    leaf=say_leaf,
)
