"""Lanes: what each may be given, what its servers said, what people set; shared by all senders.

A lane has a row for an account only where something was ever set or said. One that has none costs a claim
nothing but the look whether any lane is closed.
"""

from campaigns.records.lanes.budgets import (
    budgeted,
    closed,
    grant,
    held,
    is_limited,
    release,
    share,
    take_free,
)
from campaigns.records.lanes.days import count_day, count_ungranted, is_warming, warm_up, warm_ups_due
from campaigns.records.lanes.listing import LaneLine, lane_lines, log_lines
from campaigns.records.lanes.places import places_of
from campaigns.records.lanes.refused import Place, forget_refused, is_refused_old, keep_refused, refused_alike
from campaigns.records.lanes.rows import (
    EVERY_ACCOUNT,
    FOR_EVER,
    WHOLE,
    Limits,
    forget_log,
    is_log_old,
    tomorrow,
)
from campaigns.records.lanes.settings import has_started, hold, limits_of, reopen, set_limits, start, start_of
from campaigns.records.lanes.strikes import Signal, strike
from campaigns.records.lanes.waiting import Waiting, waiting
from campaigns.records.lanes.warming import (
    DomainPlan,
    Due,
    Warming,
    give_warm,
    plans,
    set_plan,
    settle_warm,
    warming,
    warming_lines,
)

__all__ = [
    "EVERY_ACCOUNT",
    "FOR_EVER",
    "WHOLE",
    "DomainPlan",
    "Due",
    "LaneLine",
    "Limits",
    "Place",
    "Signal",
    "Waiting",
    "Warming",
    "budgeted",
    "closed",
    "count_day",
    "count_ungranted",
    "forget_log",
    "forget_refused",
    "give_warm",
    "grant",
    "has_started",
    "held",
    "hold",
    "is_limited",
    "is_log_old",
    "is_refused_old",
    "is_warming",
    "keep_refused",
    "lane_lines",
    "limits_of",
    "log_lines",
    "places_of",
    "plans",
    "refused_alike",
    "release",
    "reopen",
    "set_limits",
    "set_plan",
    "settle_warm",
    "share",
    "start",
    "start_of",
    "strike",
    "take_free",
    "tomorrow",
    "waiting",
    "warm_up",
    "warm_ups_due",
    "warming",
    "warming_lines",
]
