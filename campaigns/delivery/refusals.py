"""Why a server refused mails for good, and whether all of that was about us.

Live answers are judged by the rules of returned mail (returns/rules.txt): there is one opinion on what a
server said, whenever it said it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from campaigns.delivery.backoff_rules import BAD_REPUTATION, Rule, rule_of
from campaigns.delivery.returns.judging import judge, without_addresses
from campaigns.delivery.returns.words import OURS, BounceClass, Evidence, Finding
from campaigns.values import Outcome, OutcomeKind

MANY = 5  #: messages refused for what is ours, and no mail taken: then it is no accident
MANY_ALIKE = 10  #: the same, where nothing tells what they are about but that all say one thing
UNCLEAR_TRIES = 3  #: of a message that is refused with words that tell nothing, until it has failed
LONGEST_WORDS = 200
NUMBERED = re.compile(r"\S*\d\S*")  #: codes, queue ids, moments: what differs from answer to answer
SMTP_LATER = frozenset({421, 432, 471, 472, *range(450, 460)})  #: other 4xx are a provider's HTTP status


@dataclass(frozen=True, slots=True)
class Past:
    """What the store knows of the same run and lane."""

    taken: bool = False  #: a mail was taken lately: whom others refuse, they refuse for good
    refused: int = 0  #: messages that were refused for what is ours since
    tried: Mapping[int, int] = field(default_factory=dict)  #: of seqs that were deferred before, how often
    #: By what was said lately, the seqs that were told so, in whatever lane that took nothing.
    alike: Mapping[str, Collection[int]] = field(default_factory=dict)
    may_be_many: bool = False  #: enough are to be mailed that many may be told the same


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was found of a chunk's refusals."""

    findings: Mapping[int, Finding]  #: by seq
    pause: str  #: why the campaign should be paused; empty: it should not
    ours: frozenset[int] = frozenset()  #: seqs that have not failed: what was said is about us
    refused: int = 0  #: of those, messages to be counted in the store
    #: By what was said, seqs to be kept in the store: nothing tells what their refusal is about.
    alike: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def put_off(self, outcomes: Mapping[int, Outcome]) -> Mapping[int, Outcome]:
        """Give the outcomes, with refusals that are about us as deferrals."""
        if not self.ours:
            return outcomes
        return {
            seq: Outcome(OutcomeKind.DEFERRED, one.code, one.enhanced, one.text) if seq in self.ours else one
            for seq, one in outcomes.items()
        }


def judged(
    outcomes: Mapping[int, Outcome], addresses: Mapping[int, str], past: Past | None = None
) -> Refusals:
    """Judge the refusals among a chunk's outcomes.

    A lane may give out one mail at a time: that nothing but refusals came is asked of its past as well.
    """
    past = past or Past()
    failed = {seq: one for seq, one in outcomes.items() if one.kind is OutcomeKind.FAILED}
    if not failed:
        return Refusals({}, "")
    findings = {seq: find(one, addresses.get(seq, "")) for seq, one in failed.items()}
    if past.taken or any(one.kind is OutcomeKind.SENT for one in outcomes.values()):
        return Refusals(findings, "")
    sample = without_addresses(next(iter(failed.values())).text)[:200]
    alike = dict(_alike(findings, failed))
    if any(len({*seqs, *past.alike.get(words, ())}) >= MANY_ALIKE for words, seqs in alike.items()):
        why = f"every mail is refused with the same words: {sample}"
        return Refusals({}, why, ours=frozenset(failed), alike=alike)
    return _with_unclear(_about_us(findings, past, sample), alike, past)


def _alike(
    findings: Mapping[int, Finding], failed: Mapping[int, Outcome]
) -> Iterator[tuple[str, frozenset[int]]]:
    """The seqs by what they were told, where all of that may be about us."""
    if not {one.kind for one in findings.values()} <= _UNCLEAR:
        return  # who knows some of their people by name, knows the others too
    # a bad reputation is one provider's opinion: its lane is held, and others are served
    said = {
        seq: words_of(failed[seq].text)
        for seq, one in findings.items()
        if one.kind is not BounceClass.BLOCK_REPUTATION
    }
    for words in set(said.values()):
        yield words, frozenset(seq for seq, own in said.items() if own == words)


def words_of(text: str) -> str:
    """What a server said, as it says it to everybody: without addresses, and whatever has a digit in it."""
    return NUMBERED.sub("#", without_addresses(text)).strip().lower()[:LONGEST_WORDS]


def _with_unclear(found: Refusals, alike: Mapping[str, frozenset[int]], past: Past) -> Refusals:
    """Put off, a few times, those of whom nobody knows yet whether all the others are told the same."""
    if not alike or not past.may_be_many:
        return replace(found, alike=alike)
    waiting = {
        seq
        for seqs in alike.values()
        for seq in seqs & found.findings.keys()
        if found.findings[seq].kind is BounceClass.UNKNOWN and past.tried.get(seq, 0) + 1 < UNCLEAR_TRIES
    }
    others = {seq: one for seq, one in found.findings.items() if seq not in waiting}
    return replace(found, findings=others, ours=found.ours | waiting, alike=alike)


def _about_us(findings: Mapping[int, Finding], past: Past, sample: str) -> Refusals:
    """Put off what is about us, whatever its number, and say when it is too much for an accident."""
    about_us = {seq: one.kind for seq, one in findings.items() if one.kind in OURS}
    told = {seq for seq, kind in about_us.items() if kind is not BounceClass.BLOCK_REPUTATION}
    fresh = len(told - past.tried.keys())
    many = len(about_us) >= MANY or past.refused + fresh >= MANY
    ours = frozenset(seq for seq, kind in about_us.items() if many or kind in BLOCKS)
    others = {seq: one for seq, one in findings.items() if seq not in ours}
    pause = f"every mail is refused: {sample}" if many and told else ""
    return Refusals(others, pause, ours, fresh)


#: May be cured, and then the same mail is taken.
BLOCKS = frozenset(
    {
        BounceClass.BLOCK_REPUTATION,
        BounceClass.BLOCK_AUTH,
        BounceClass.BLOCK_CONTENT,
        BounceClass.BLOCK_POLICY,
    }
)
_UNCLEAR = OURS | {BounceClass.UNKNOWN}


def rule_about_us(outcome: Outcome) -> Rule | None:
    """Give the rule of back-off that an answer falls under; None if it says nothing of us."""
    rule = rule_of(outcome)
    if rule is None and outcome.kind is OutcomeKind.FAILED:
        return BAD_REPUTATION if find(outcome).kind is BounceClass.BLOCK_REPUTATION else None
    return rule


def find(outcome: Outcome, address: str = "") -> Finding:
    """Say why one mail was refused for good."""
    text = outcome.text.replace(address, "<addr>") if address else outcome.text
    return _find(outcome.code, outcome.enhanced, text)


@lru_cache(maxsize=500)  # servers say the same of many
def _find(code: int | None, enhanced: str | None, text: str) -> Finding:
    lasting = code is not None and (code in SMTP_LATER or 500 <= code < 600)
    return judge(Evidence(enhanced, str(code) if lasting else "550", text))
