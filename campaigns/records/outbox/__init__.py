"""The queue of messages: claimed in chunks, settled in one transaction; the only writer of their states.

A chunk's claim is the durable intent of every message in it: it is committed before a first byte goes out.
While a chunk is claimed, its queued messages are `sending`. What a lost owner leaves behind is settled by
its crash journal; without one, all that has no outcome becomes `unknown`: nobody is mailed twice.
"""

from campaigns.records.outbox.chunks import (
    Chunk,
    Fenced,
    claim,
    claim_this,
    expired,
    has_work,
    held_by,
    is_drained,
    may_go_on,
    put_off,
    renew,
    take_over,
)
from campaigns.records.outbox.decisions import arrive, close, prove, reopen, send_again
from campaigns.records.outbox.doubts import (
    Doubt,
    DoubtedRun,
    Evidence,
    doubted_runs,
    how_many,
    in_doubt,
    proven,
    still_in_doubt,
)
from campaigns.records.outbox.outcomes import count_refused, recall, refused_before, settle
from campaigns.records.outbox.people import PERSON, Recipient, load, queued, recipient_of
from campaigns.records.outbox.spreading import shift
from campaigns.records.outbox.turns import Turns
from campaigns.records.pacing import space_out

__all__ = [
    "PERSON",
    "Chunk",
    "Doubt",
    "DoubtedRun",
    "Evidence",
    "Fenced",
    "Recipient",
    "Turns",
    "arrive",
    "claim",
    "claim_this",
    "close",
    "count_refused",
    "doubted_runs",
    "expired",
    "has_work",
    "held_by",
    "how_many",
    "in_doubt",
    "is_drained",
    "load",
    "may_go_on",
    "prove",
    "proven",
    "put_off",
    "queued",
    "recall",
    "recipient_of",
    "refused_before",
    "renew",
    "reopen",
    "send_again",
    "settle",
    "shift",
    "space_out",
    "still_in_doubt",
    "take_over",
]
