"""Every error of ours.

PostroomError
├── BadInput            what came from outside does not hold; lists all problems
│   ├── BadSettings     environment or settings file
│   ├── BadRule         a segment's rule
│   ├── BadTemplate     a mail source
│   ├── BadImport       a file that cannot be read as a whole (bad rows are listed, not raised)
│   └── BadForm         a survey's form, or a page's form
├── NotFound            an id or key that names nothing
├── NotAllowed          a change that the state forbids (sending a draft, editing a running campaign)
├── BackendError        the backend itself failed; surely nothing was handed over
└── ExecutorAway        nobody can be asked to send a chunk now; it stays due
"""

from collections.abc import Sequence
from datetime import timedelta
from json import JSONDecodeError

from campaigns.values import Problem


class PostroomError(Exception):
    """Root of all; catch it only at a door."""


class BadInput(PostroomError):
    """Input that does not hold; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

    # else one that another process raised would come here without its problems
    def __reduce__(self) -> tuple[type["BadInput"], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class BadSettings(BadInput):
    """Settings that do not hold."""


class BadRule(BadInput):
    """A rule that cannot be read."""


class BadTemplate(BadInput):
    """A mail source that does not compile, or would lose text."""


class BadImport(BadInput):
    """A file that cannot be imported as a whole."""


class BadForm(BadInput):
    """A form that cannot be read or accepted."""


class NotFound(PostroomError):
    """Nothing has this id or key."""


class NotAllowed(PostroomError):
    """The present state forbids this change."""


class BackendError(PostroomError):
    """The backend failed as a whole; the messages were surely not handed over."""

    def __init__(self, text: str, *, retry_after: timedelta | None = None, busy: bool = False) -> None:
        super().__init__(text)
        self.retry_after = retry_after  #: how long it asked to be left alone; None: it did not say
        self.busy = busy  #: it works, and had too much of us; else it is broken, as far as we know


class ExecutorAway(PostroomError):
    """Nobody can be asked to send a chunk at the moment; it stays due."""


_JSON_WORDS = {
    "Expecting value": "a value is missing",
    "Expecting property name enclosed in double quotes": "a name in double quotes is missing",
    "Illegal trailing comma before end of object": "the last comma is too many",
    "Illegal trailing comma before end of array": "the last comma is too many",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting ',' delimiter": "a comma is missing",
    "Extra data": "something follows after its end",
    "Unterminated string starting at": "the closing quote of a text is missing",
    "Invalid control character at": "a line break or tab stands within a text",
    "Invalid \\escape": "a backslash is followed by what it cannot be followed by",
}


def json_words(error: ValueError) -> str:
    """Say in our words what is wrong with a JSON text, and where."""
    if not isinstance(error, JSONDecodeError):
        return "it is not UTF-8 text" if isinstance(error, UnicodeError) else str(error)
    if not error.doc.strip():
        return "it is empty"
    known = next((words for begun, words in _JSON_WORDS.items() if error.msg.startswith(begun)), error.msg)
    return f"line {error.lineno}, character {error.colno}: {known}"
