"""How right verdicts are on hits whose makers are known, beside the usual rule of three signals."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from campaigns.tracking.agents import Kind, recognise
from campaigns.tracking.files import Line
from campaigns.tracking.ranges import RangeKind, Ranges
from campaigns.values import Verdict

_TOO_SOON = timedelta(seconds=2)
_ENOUGH = 2  #: of the three signals
_OF_MACHINES = {RangeKind.SCANNER, RangeKind.CLOUD}
CLICKED = {"click", "score"}


class Score(NamedTuple):
    """One class of makers."""

    name: str
    true: int  #: hits that are of this class
    said: int  #: hits that were called so
    right: int

    @property
    def precision(self) -> float | None:
        """Of those called so, the share that is."""
        return self.right / self.said if self.said else None

    @property
    def recall(self) -> float | None:
        """Of those that are, the share that was called so."""
        return self.right / self.true if self.true else None


def score(lines: Sequence[Line], said: Sequence[Verdict]) -> list[Score]:
    """Score verdicts by class, over the lines whose truth is known; `unknown` is never right."""
    known = [(line, verdict) for line, verdict in zip(lines, said, strict=True) if line.truth is not None]
    clicks = [(line.truth, verdict) for line, verdict in known if line.hit.kind in CLICKED]
    scores = [_score("clicks of people", Verdict.HUMAN, clicks)]
    pairs = [(line.truth, verdict) for line, verdict in known]
    scores += [_score(verdict.value, verdict, pairs) for verdict in Verdict if verdict is not Verdict.UNKNOWN]
    return scores


def _score(name: str, wanted: Verdict, pairs: Iterable[tuple[Verdict | None, Verdict]]) -> Score:
    given = list(pairs)
    return Score(
        name,
        sum(truth is wanted for truth, _ in given),
        sum(verdict is wanted for _, verdict in given),
        sum(truth is verdict is wanted for truth, verdict in given),
    )


def three_signals(line: Line, ranges: Ranges) -> Verdict:
    """Judge one hit by the rule of Mautic's BotRatioHelper: a machine by two of three signals.

    They are: sooner than 2 s after the sending, an address on a list, an agent on a list. Both lists are
    ours, so that only the rule differs.
    """
    owner = ranges.find(line.hit.address)
    signals = (
        line.sent_at is not None and line.hit.at - line.sent_at < _TOO_SOON,
        owner is not None and owner.kind in _OF_MACHINES,
        recognise(line.hit.agent).kind in {Kind.SCANNER, Kind.EMPTY},
    )
    return Verdict.MACHINE if sum(signals) >= _ENOUGH else Verdict.HUMAN
