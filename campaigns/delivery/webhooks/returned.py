"""A signal in the words of a returned mail, so that the same follows from both."""

from campaigns.delivery.returns import Returned, ReturnedRecipient, ReturnKind
from campaigns.delivery.webhooks.signals import Signal, SignalKind
from campaigns.delivery.webhooks.why import why_failed

_KINDS = {
    SignalKind.BOUNCED: ReturnKind.BOUNCE,
    SignalKind.DELAYED: ReturnKind.DELAY,
    SignalKind.DELIVERED: ReturnKind.RECEIPT,
    SignalKind.COMPLAINED: ReturnKind.COMPLAINT,
    SignalKind.AUTO_REPLIED: ReturnKind.AUTO_REPLY,
}
_ACTIONS = {SignalKind.BOUNCED: "failed", SignalKind.DELAYED: "delayed"}
RETURNS = frozenset(_KINDS)  #: what a mail may tell of too
MOST_WORDS = 500  #: of what a robot wrote
MOST_FEEDBACK = 40


def as_returned(signal: Signal, address: str) -> Returned:
    """Tell what a signal of RETURNS says of the address that was mailed."""
    one = ReturnedRecipient(
        address=address.lower(),
        action=_ACTIONS.get(signal.kind, signal.kind.value),
        status=signal.status,
        diagnostic=signal.said,
        finding=why_failed(signal) if signal.kind in _ACTIONS else None,
        reply=signal.reply,
    )
    complains = signal.kind is SignalKind.COMPLAINED
    return Returned(
        kind=_KINDS[signal.kind],
        rule=f"a webhook: {signal.word}",
        addressed_to=(),
        envelope_id=None,
        message_id=None,
        recipients=(one,),
        feedback=(signal.said or "abuse").lower()[:MOST_FEEDBACK] if complains else None,
        words=signal.said[:MOST_WORDS],
    )
