"""From evidence to a class: the table of rules, asked in order of trust."""

import re
from collections.abc import Iterable

from campaigns.delivery.returns.mail import ADDRESS
from campaigns.delivery.returns.rules import CODES, WORDS
from campaigns.delivery.returns.words import HARD, BounceClass, Evidence, Finding

MAX_WORDS = 3000  #: of a text that is matched; more says nothing new
STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
REPLY = re.compile(
    r"(?<![\d.,:/-])([245][0-5]\d)(?=[ -](?![\d.]*\s*(?:seconds|minutes|hours|days|bytes))|$|:)"
)
CODES_IN_TEXT = re.compile(
    r"(?<![\d.])[245]\d\d(?:[ -]+|:)(?:[245]\.\d{1,3}\.\d{1,3}\b)?|(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])"
)
HOSTS = re.compile(r"(?<![/\w.-])(?:[a-z0-9_-]{1,63}\.){2,8}[a-z]{2,24}\b\.?")
#: Whose words follow; not a word of them.
SAID = re.compile(
    r"\bhost [^\s.\[]{1,63}[.\[][^\s]{1,200}(?: ?\[[0-9a-f.:]{2,60}\])?(?: \([^\s()]{1,100}\))?(?: said)?:? "
)
LISTS = re.compile(
    r"spamhaus|spamcop|sorbs|barracuda|uceprotect|mailspike|abuseat|\brbl|dnsbl|blocklist|blacklist"
)
#: What IronPort's appliances put before the other server's words, whatever those are.
CANNED = re.compile(
    r"(?:unknown address error|other (?:mail )?system problem|other address status|syntax error)"
    r" (?=[45]\d\d)"
)
#: Rules whose words may be said of anything.
TOO_LITTLE = frozenset(
    {"refused by their policy", "switched off", "their system failed", "unknown, after the whole mail"}
)
AGAINST = re.compile(r"5\.7\.1|5\.2\.[01]")
EXPIRED = Finding(BounceClass.TRANSIENT, "status: for now")


def judge(evidence: Evidence) -> Finding:
    """Say why a mail failed, and which rule decided.

    The other server's words come first, since codes are often rewritten on the way; then codes that say one
    thing; then the prose around; then the bare digit. A failure for now (4xx, 4.x.x) is never hard, even if
    the sending side has given up.
    """
    lasting = is_lasting(evidence)
    said, around = plain(evidence.diagnostic), plain(evidence.around)
    statuses = _statuses(evidence)
    found = (
        _by_words(said, evidence, lasting=lasting)
        or _by_code(statuses, lasting=lasting)
        or _by_words(around, evidence, lasting=lasting)
    )
    found = _corrected(found, evidence)
    if found is not None:
        return found
    return Finding(BounceClass.UNKNOWN, "nothing tells why") if lasting else EXPIRED


def _corrected(found: Finding | None, evidence: Evidence) -> Finding | None:
    """Where words say too little, a code that says one thing wins; where both contradict, neither does.

    "No such user" under a code of policy or of a mailbox that exists (5.7.1, 5.2.0, 5.2.1) is what
    servers say that hide their users' own filters: the address is counted, not dead at once.
    """
    if found is None:
        return None
    said = STATUS.search(evidence.diagnostic)
    if "5.1.1" in {evidence.status, said and said[0]} and found.rule in TOO_LITTLE:
        return Finding(BounceClass.HARD_ADDRESS, "status: bad mailbox")
    if found.rule == "no such mailbox" and said and AGAINST.fullmatch(said[0]):
        return Finding(BounceClass.REFUSED, "words and code contradict")
    return found


def is_lasting(evidence: Evidence) -> bool:
    """Whether the failure is for good: by the other server's code, then by the notice's."""
    said = [found[0] for found in STATUS.findall(evidence.diagnostic)]
    replies = [one[0] for one in REPLY.findall(evidence.diagnostic)] + list((evidence.reply or "")[:1])
    first = (said + replies)[:1] if not replies else replies[:1] + said[:1]
    if first:
        return not (
            "4" in first
            if len(set(first)) == 1
            else evidence.status is not None and evidence.status[0] == "4"
        )
    return not (evidence.status or "5").startswith("4")


def _statuses(evidence: Evidence) -> list[str]:
    """Codes, the surest first: what the other server wrote, then what the notice says."""
    found = [one[0] for one in STATUS.finditer(evidence.diagnostic)]
    own = [evidence.status] if evidence.status else []
    near = [one[0] for one in STATUS.finditer(evidence.around)]
    return [one for one in dict.fromkeys(found + own + near) if not one.endswith(".0.0")][:6]


def _by_words(text: str, evidence: Evidence, *, lasting: bool) -> Finding | None:
    if not text:
        return None
    for rule in WORDS:
        if (rule.after_data and not evidence.after_data) or (rule.kind in HARD and not lasting):
            continue
        if rule.status is not None and not any(map(rule.status.match, _statuses(evidence))):
            continue
        if (
            rule.says is not None
            and rule.says.search(text)
            and not (rule.unless and rule.unless.search(text))
        ):
            return Finding(rule.kind, rule.name)
    return None


def _by_code(statuses: Iterable[str], *, lasting: bool) -> Finding | None:
    for status in statuses:
        for rule in CODES:
            if rule.kind in HARD and not lasting:
                continue
            if rule.status is not None and rule.status.match(status):
                return Finding(rule.kind, rule.name)
    return None


def plain(text: str) -> str:
    """A server's words, ready for the rules: small letters, no codes, no addresses, no host names."""
    text = text[: 2 * MAX_WORDS].lower().replace("’", "'").replace("`", "'")
    text = CANNED.sub(" ", ADDRESS.sub("<addr>", text))
    text = CODES_IN_TEXT.sub(" ", text)
    text = SAID.sub(" ", text)
    text = HOSTS.sub(lambda found: found[0] if LISTS.search(found[0]) else "<host>", text)
    return " ".join(text.split())[:MAX_WORDS]


def without_addresses(text: str) -> str:
    """A server's words without the addresses in them, for what must name nobody."""
    return ADDRESS.sub("(address)", text)
