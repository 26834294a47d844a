"""Why a mail came back, from a provider's class and the other server's words: ours is the last word."""

from campaigns.delivery.returns import HARD, BounceClass, Finding
from campaigns.delivery.returns.judging import EXPIRED, judge
from campaigns.delivery.returns.words import Evidence
from campaigns.delivery.webhooks.signals import Signal

FOR_NOW = frozenset({BounceClass.TRANSIENT, BounceClass.FULL})


def why_failed(signal: Signal) -> Finding:
    """Judge a signal's failure as any returned mail; the provider's class decides only where words do not.

    Hard is only what the other server's words or codes say, and the provider's class does not contradict:
    providers call hard what is full, blocked or refused by their own lists.
    """
    if signal.hint is BounceClass.LISTED:
        return _by_provider(signal, BounceClass.LISTED)
    status = signal.status or ("4.0.0" if signal.hint in FOR_NOW else None)
    found = judge(Evidence(status, signal.reply, signal.said))
    if found.kind is BounceClass.UNKNOWN or found == EXPIRED:
        return found if signal.hint is None else _by_provider(signal, signal.hint)
    if found.kind in HARD and signal.hint is not None and signal.hint not in MAY_BE_HARD:
        return Finding(BounceClass.REFUSED, f"{found.rule}, and the provider's class contradicts")
    return found


#: Classes of providers that do not contradict a dead address.
MAY_BE_HARD = HARD | {BounceClass.REFUSED, BounceClass.INACTIVE, BounceClass.UNKNOWN}


def _by_provider(signal: Signal, kind: BounceClass) -> Finding:
    return Finding(kind, f"provider's class: {signal.word}"[:100])
