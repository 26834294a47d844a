"""Why a server refused mails for good, and whether all of that was about us.

Live answers are judged by the rules of returned mail (returns/rules.txt): there is one opinion on what a
server said, whenever it said it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from campaigns.delivery.returns.judging import judge, without_addresses
from campaigns.delivery.returns.words import HARD, OURS, BounceClass, Evidence, Finding
from campaigns.values import Outcome, OutcomeKind

MANY = 5  #: refusals without a mail taken, all about us: then it is no accident
MANY_ALIKE = 10  #: the same, where nothing tells what they are about but that all say one thing
SMTP_LATER = frozenset({421, 432, 471, 472, *range(450, 460)})  #: other 4xx are a provider's HTTP status


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was found of a chunk's refusals."""

    findings: Mapping[int, Finding]  #: by seq
    pause: str  #: why the campaign should be paused; empty: it should not
    ours: bool = False  #: all of it is about us: none of the messages has failed

    def put_off(self, outcomes: Mapping[int, Outcome]) -> Mapping[int, Outcome]:
        """Give the outcomes, with refusals that are all about us as deferrals."""
        if not self.ours:
            return outcomes
        return {
            seq: Outcome(OutcomeKind.DEFERRED, one.code, one.enhanced, one.text)
            if one.kind is OutcomeKind.FAILED
            else one
            for seq, one in outcomes.items()
        }


def judged(outcomes: Mapping[int, Outcome], addresses: Mapping[int, str]) -> Refusals:
    """Judge the refusals among a chunk's outcomes."""
    failed = {seq: one for seq, one in outcomes.items() if one.kind is OutcomeKind.FAILED}
    if not failed:
        return Refusals({}, "")
    findings = {seq: find(one, addresses.get(seq, "")) for seq, one in failed.items()}
    if any(one.kind is OutcomeKind.SENT for one in outcomes.values()):
        return Refusals(findings, "")
    kinds = {one.kind for one in findings.values()}
    sample = without_addresses(next(iter(failed.values())).text)[:200]
    if len(failed) >= MANY and kinds <= OURS:
        # a bad reputation is one provider's opinion: its lane is held, and others are served
        only_there = kinds <= {BounceClass.BLOCK_REPUTATION}
        return Refusals({}, "" if only_there else f"every mail is refused: {sample}", ours=True)
    said = {without_addresses(one.text) for one in failed.values()}
    if len(failed) >= MANY_ALIKE and len(said) == 1 and not kinds & HARD and kinds <= _UNCLEAR:
        return Refusals({}, f"every mail is refused with the same words: {sample}", ours=True)
    return Refusals(findings, "")


_UNCLEAR = OURS | {BounceClass.UNKNOWN}


def find(outcome: Outcome, address: str = "") -> Finding:
    """Say why one mail was refused for good."""
    text = outcome.text.replace(address, "<addr>") if address else outcome.text
    return _find(outcome.code, outcome.enhanced, text)


@lru_cache(maxsize=500)  # servers say the same of many
def _find(code: int | None, enhanced: str | None, text: str) -> Finding:
    lasting = code is not None and (code in SMTP_LATER or 500 <= code < 600)
    return judge(Evidence(enhanced, str(code) if lasting else "550", text))
