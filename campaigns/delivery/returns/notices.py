"""Delivery status notices: the blocks of the standard, also where they are damaged or pasted into prose."""

import re
from collections.abc import Iterable
from email import message_from_string
from email.message import Message

from campaigns.delivery.returns.judging import STATUS, judge
from campaigns.delivery.returns.mail import Mail, addresses_in, text_of, value
from campaigns.delivery.returns.words import Evidence, ReturnedRecipient

MAX_RECIPIENTS = 200
MAX_BLOCKS = 1000
FAILED, DELAYED = "failed", "delayed"
ACTIONS = frozenset({FAILED, DELAYED, "delivered", "relayed", "expanded"})
PASTED = re.compile(r"^[ \t]{0,8}(?:Final|Original)-Recipient:", re.IGNORECASE | re.MULTILINE)
AFTER_DATA = re.compile(
    r"end of data|after (?:the )?data\b|\(state 1[578]\)"
    r"|<<< 354[^\n]*\n(?:>>> \.\n|[^\n<>]{0,200}\n){0,2}<<< 5",
    re.IGNORECASE,
)
WHO = ("Original-Recipient", "Final-Recipient", "X-Actual-Recipient", "X-Original-Recipient", "Recipient")


def read_notice(mail: Mail) -> tuple[tuple[ReturnedRecipient, ...], str | None]:
    """Read every recipient of a notice, and our envelope id where it was kept.

    Source: RFC 3464 §2.2, §2.3.
    """
    blocks = [block for part in mail.statuses for block in blocks_of(part)]
    if not blocks and (pasted := PASTED.search(mail.prose)):
        blocks = _split(mail.prose[pasted.start() :])
    envelope_id = next((told for block in blocks if (told := value(block, "Original-Envelope-Id"))), None)
    recipients = [_recipient(block, mail) for block in _whole(blocks)]
    return tuple(one for one in recipients if one is not None)[:MAX_RECIPIENTS], envelope_id


def blocks_of(part: Message) -> list[Message]:
    """The header-like blocks of a report part; the parser splits some types and leaves others."""
    inner = part.get_payload()
    if isinstance(inner, list):
        found = [one for one in inner if isinstance(one, Message)][:MAX_BLOCKS]
        if any(one.keys() for one in found):
            return found
    return _split(text_of(part))


def _split(text: str) -> list[Message]:
    texts = re.split(r"\n[ \t]*\n", text)[:MAX_BLOCKS]
    return [message_from_string(one.strip() + "\n\n") for one in texts if one.strip()]


def _whole(blocks: Iterable[Message]) -> list[Message]:
    """Blocks of one recipient each: what a stray blank line has torn apart is put together again."""
    whole: list[Message] = []
    for block in blocks:
        names = {name.lower() for name in block.keys()}  # noqa: SIM118 - a mail is no mapping
        if names.isdisjoint({"action", "status", "diagnostic-code", *(name.lower() for name in WHO)}):
            continue
        is_rest = names.isdisjoint({"final-recipient", "original-recipient"}) and whole
        if is_rest and names.isdisjoint(name.lower() for name in whole[-1].keys() if name):  # noqa: SIM118
            for name, text in block.items():
                whole[-1][name] = text
        elif whole and "final-recipient" not in names | {n.lower() for n in whole[-1].keys()}:  # noqa: SIM118
            whole.append(block)
        else:
            whole.append(block)
    return whole


def _recipient(block: Message, mail: Mail) -> ReturnedRecipient | None:
    """One per-recipient block.

    Source: RFC 3464 §2.3.
    """
    action = (re.findall(r"[a-z]+", value(block, "Action").lower()) or [""])[0]
    address = _address(block)
    diagnostic = typed(value(block, "Diagnostic-Code"))
    told = value(block, "Status")
    if not action and not address:
        return None
    status = best_status(told, diagnostic)
    if action not in ACTIONS:  # written otherwise, or not at all: the code tells
        action = "delivered" if (status or "5").startswith("2") else FAILED
    if (
        action == FAILED
        and status is not None
        and status.startswith("2")
        and not re.search(r"[45]\d\d", diagnostic)
    ):
        action = "delivered"
    around = near(address, mail.prose)
    evidence = Evidence(status, None, diagnostic, around, bool(AFTER_DATA.search(diagnostic + "\n" + around)))
    failed = action in {FAILED, DELAYED}
    if action == DELAYED:
        evidence = Evidence("4.0.0", "400", diagnostic, "")
    return ReturnedRecipient(address, action, status, diagnostic, judge(evidence) if failed else None)


def _address(block: Message) -> str:
    for name in WHO:
        told = value(block, name)
        if found := addresses_in(typed(told)):
            return found[0]
    bare = typed(value(block, "Final-Recipient"))
    return bare if bare and " " not in bare and len(bare) <= 320 else ""


def typed(told: str) -> str:
    """The part after 'rfc822;' or 'smtp;'."""
    kind, sign, rest = told.partition(";")
    return (rest if sign and len(kind) < 20 else told).strip().strip("<>")


def best_status(told: str, diagnostic: str) -> str | None:
    """The enhanced code; a vague one (5.0.0) gives way to what the other server wrote."""
    found = STATUS.search(told)
    if found and (found[2], found[3]) != ("0", "0"):
        return found[0]
    better = STATUS.search(diagnostic)
    return better[0] if better else found and found[0]


def near(address: str, prose: str) -> str:
    """What the prose says after an address, up to the next one or the end."""
    at = prose.lower().find(address.lower()) if address else -1
    if at < 0:
        return prose[:2000]
    rest = prose[at + len(address) :]
    others = [one for one in addresses_in(rest) if one.lower() != address.lower()]
    end = min((rest.find(one) for one in others if rest.find(one) > 40), default=len(rest))
    return rest[: min(end, 2000)]
