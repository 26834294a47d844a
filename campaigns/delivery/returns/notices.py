"""Delivery status notices: the blocks of the standard, also where they are damaged or pasted into prose."""

import re
from collections.abc import Iterable
from email import message_from_string
from email.message import Message

from campaigns.delivery.returns.judging import STATUS, judge
from campaigns.delivery.returns.mail import Mail, addresses_in, one_line, text_of, value
from campaigns.delivery.returns.words import Evidence, ReturnedRecipient

MAX_RECIPIENTS = 200
MAX_BLOCKS = 1000
FAILED, DELAYED = "failed", "delayed"
ACTIONS = frozenset({FAILED, DELAYED, "delivered", "relayed", "expanded"})
PASTED = re.compile(r"^[ \t]{0,8}(?:Final|Original)-Recipient:", re.IGNORECASE | re.MULTILINE)
AFTER_DATA = re.compile(
    r"end of data|other mail system problem|after (?:the )?data\b|\(state 1[578]\)"
    r"|>>> (?:DATA|\.)\n(?:<<< 354[^\n]*\n(?:>>> \.\n)?)?<<< 5[^\n]*\n(?!550 5\.1\.1|<<< 5)",
    re.IGNORECASE,
)
#: Where the recipient stands: as we wrote it, before as it became on the way.
WHO = {"original-recipient": 0, "final-recipient": 1, "x-actual-recipient": 2, "recipient": 3}
FIELDS = frozenset({*WHO, "action", "status", "diagnostic-code"})


def read_notice(mail: Mail) -> tuple[tuple[ReturnedRecipient, ...], str | None]:
    """Read every recipient of a notice, and our envelope id where it was kept.

    Source: RFC 3464 §2.2, §2.3.
    """
    blocks = [block for part in mail.statuses for block in blocks_of(part)]
    if not blocks and (pasted := PASTED.search(mail.text)):
        blocks = _split(mail.text[mail.text.rfind("\n\n", 0, pasted.start()) + 2 :])
    envelope_id = next((told for block in blocks if (told := value(block, "Original-Envelope-Id"))), None)
    recipients = [_recipient(told, mail.prose) for told in _groups(blocks)]
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


def _groups(blocks: Iterable[Message]) -> list[dict[str, str]]:
    """The fields of one recipient each, whether blank lines are missing between them or are too many."""
    groups: list[dict[str, str]] = []
    for block in blocks:
        begins = any(name.lower() in WHO for name in block.keys())  # noqa: SIM118 - a mail is no mapping
        for name, text in block.items():
            field = name.lower()
            if field not in FIELDS:
                continue
            if not groups or field in groups[-1] or (begins and groups[-1].keys() & WHO.keys()):
                groups.append({})
            begins = False
            groups[-1][field] = one_line(text)
    return groups


def _recipient(told: dict[str, str], prose: str) -> ReturnedRecipient | None:
    """Read the fields about one recipient.

    Source: RFC 3464 §2.3.
    """
    address = _address(told)
    if not address and "action" not in told:
        return None
    diagnostic = typed(told.get("diagnostic-code", ""))
    status = best_status(told.get("status", ""), diagnostic)
    action = _action(told.get("action", ""), status, diagnostic)
    if action not in {FAILED, DELAYED}:
        return ReturnedRecipient(address, action, status, diagnostic, None)
    around = near(address, prose)
    evidence = Evidence(status, None, diagnostic, around, bool(AFTER_DATA.search(f"{diagnostic}\n{around}")))
    if action == DELAYED:
        evidence = Evidence("4.0.0", "400", diagnostic)
    return ReturnedRecipient(address, action, status, diagnostic, judge(evidence))


def _action(told: str, status: str | None, diagnostic: str) -> str:
    """The action; where it is none of the standard's, or against its own code, the code tells."""
    action = (re.findall(r"[a-z]+", told.lower()) or [""])[0]
    fine = (status or "5").startswith("2") and not re.search(r"\b[45]\d\d\b", diagnostic)
    if action in ACTIONS and not (action == FAILED and fine):
        return action
    return "delivered" if fine else FAILED


def _address(told: dict[str, str]) -> str:
    for name in WHO:
        if found := addresses_in(typed(told.get(name, ""))):
            return found[0]
    bare = typed(told.get("final-recipient", ""))
    return bare if " " not in bare and len(bare) <= 320 else ""


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
