"""What campaigns' pages call things."""

from collections.abc import Mapping

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from campaigns.values import CampaignState, Gate, Problem

GATES: Mapping[Gate, LazyString] = {
    Gate.NO_ADDRESS: _("have no mail address"),
    Gate.ERASED: _("asked to be forgotten"),
    Gate.SUPPRESSED: _("are never to be mailed (bounced, complained or asked)"),
    Gate.DEAD_DOMAIN: _("have an address whose domain takes no mail"),
    Gate.NO_CONSENT: _("have not agreed to this topic"),
    Gate.REPLIED: _("replied to an earlier mail, which ends it for them"),
    Gate.COMPLAINT_OPEN: _("have an open complaint"),
    Gate.HELD: _("are held back by a colleague"),
    Gate.FREQUENCY_CAP: _("had enough mail lately"),
    Gate.DUPLICATE_ADDRESS: _("share the address of somebody else here"),
    Gate.HOLD_OUT: _("are kept without mail to compare with"),
    Gate.RENDER_ERROR: _("could not get the mail written for them"),
    Gate.RECALLED: _("were left when it was cancelled"),
    Gate.EXPIRED: _("were left when its time was over"),
}
#: Fields of the cards, as people read them; also by the names that flows give them.
FIELDS: Mapping[str, LazyString] = {
    "name": _("Name"),
    "topic_id": _("Topic"),
    "segment_id": _("Segment"),
    "hold_out_percent": _("Hold-out"),
    "cap_count": _("At most"),
    "cap_days": _("In so many days"),
    "template_id": _("Template"),
    "sender_id": _("Sender"),
    "survey_id": _("Survey"),
    "starts_at": _("Date and time"),
    "time_zone": _("Time zone"),
    "cron": _("Cron fields"),
    "at_time": _("Time of day"),
    "ends_at": _("Last day"),
    "per_minute": _("Mails a minute"),
    "send_within_hours": _("Give up after"),
    "spread_minutes": _("Spread over"),
    "window_from": _("From"),
    "window_to": _("Until"),
    "window_zone": _("Whose clock"),
    "schedule": _("When"),
    "every": _("How often"),
    "weekday": _("On"),
    "month_day": _("On day"),
    "typed": _("Number of recipients"),
}
ALIASES = {
    "topic": "topic_id",
    "segment": "segment_id",
    "template": "template_id",
    "sender": "sender_id",
    "starts at": "starts_at",
    "time zone": "time_zone",
}
CARD_OF = {"topic_id": "who", "segment_id": "who", "template_id": "what", "sender_id": "what"}
WEEKDAYS = (
    (1, _("Monday")),
    (2, _("Tuesday")),
    (3, _("Wednesday")),
    (4, _("Thursday")),
    (5, _("Friday")),
    (6, _("Saturday")),
    (0, _("Sunday")),
)
TABS: tuple[tuple[str, LazyString, tuple[CampaignState, ...]], ...] = (
    ("all", _("All"), ()),
    ("draft", _("Drafts"), (CampaignState.DRAFT,)),
    ("scheduled", _("Scheduled"), (CampaignState.SCHEDULED,)),
    ("running", _("Running"), (CampaignState.RUNNING,)),
    ("paused", _("Paused"), (CampaignState.PAUSED,)),
    ("finished", _("Finished"), (CampaignState.FINISHED, CampaignState.DOUBTS)),
    ("cancelled", _("Cancelled"), (CampaignState.CANCELLED,)),
)

STATES: Mapping[CampaignState, LazyString] = {
    CampaignState.DRAFT: _("a draft"),
    CampaignState.SCHEDULED: _("scheduled"),
    CampaignState.RUNNING: _("running"),
    CampaignState.PAUSED: _("paused"),
    CampaignState.FINISHED: _("finished"),
    CampaignState.CANCELLED: _("cancelled"),
    CampaignState.DOUBTS: _("finished, with messages in doubt"),
}
LACKS: Mapping[str, LazyString] = {
    "given_name": _("first name"),
    "family_name": _("last name"),
    "salutation": _("salutation"),
    "locale": _("language"),
    "country": _("country"),
    "region": _("region"),
    "city": _("city"),
}


def refusal(state: CampaignState) -> str:
    """Say that a campaign's state forbids what was asked."""
    return gettext("That cannot be done now: the campaign is %(state)s.", state=STATES[state])


def field_of(problem: Problem) -> str:
    """Give the form's field that a problem of the rooms below is about."""
    return ALIASES.get(problem.where, problem.where)


def label_of(problem: Problem) -> str | LazyString:
    """Name what a problem is about, as the page does."""
    return FIELDS.get(field_of(problem), problem.where)
