"""What a new template begins with: words that stand for what is to be written."""

import re
from collections.abc import Iterator

from campaigns.templates.preflight.findings import Finding, warning
from campaigns.templates.preflight.letter import Letter

SUBJECT = "Subject"
PREHEADER = "What the letter says, in one line"
#: A paragraph or a line of its own: within a sentence the words may be meant.
_BODY = re.compile(r"(?:^|>)[ \t]*write here\.[ \t]*(?:$|<)", re.IGNORECASE | re.MULTILINE)


def check(letter: Letter) -> Iterator[Finding]:
    """Look for what was left as it was."""
    source = letter.source
    if source.subject.strip() == SUBJECT:
        yield warning("The subject is still what a new template begins with.", "Write your own.")
    if source.preheader.strip() == PREHEADER:
        yield warning("The preheader is still what a new template begins with.", "Write your own.")
    if (found := _BODY.search(source.body)) is not None:
        what = "The mail still says what a new template begins with: %(words)s"
        line = source.body.count("\n", 0, found.end()) + 1
        yield warning(what, "Write your own.", words="Write here.").at(line=line)
