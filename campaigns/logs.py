"""Logs: one line an entry, JSON for machines or words for a terminal; no mail address in clear.

Whatever stands in a field may be hostile (a server's reply, a user agent): it is escaped and cut, and can
neither break a line nor steer a terminal.
"""

import hmac
import json
import logging
import math
import os
import re
import secrets
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from campaigns.clock import utc_now
from campaigns.errors import BadSettings
from campaigns.values import Problem

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMS = ("json", "text")
#: What libraries need not say: too much of what goes well, and that a tick is still running when its next is
#: due, which the ages of ticks tell.
QUIET = {
    "apscheduler": logging.WARNING,
    "apscheduler.scheduler": logging.ERROR,
    "alembic": logging.WARNING,
    "werkzeug": logging.WARNING,
}
MOST_TEXT = 2_000  #: characters of a field
MOST_TRACE = 16_000  #: characters of a traceback
MOST_DEEP = 3  #: levels of lists and mappings in a field
FIRST = ("at", "level", "event", "door", "pid")
#: user:password@ in the address of a service.
LOGIN = re.compile(r"(?<=://)[^\s/@]{1,300}@")
QUOTED = re.compile(r"\"[^\"\r\n]{1,64}\"(?=@)")
WORD = re.compile(r"[^\s\"'<>()\[\]{},;:]+")

_keys = [secrets.token_bytes(16)]  #: the last names addresses; the process's own until the secret is known


def configure(env: Mapping[str, str] = os.environ, *, door: str = "", stream: TextIO | None = None) -> None:
    """Let all that this process logs, its libraries included, leave by one way, named by its door.

    Raises:
        BadSettings: POSTROOM_LOG or POSTROOM_LOG_LEVEL does not hold.
    """
    out = stream or sys.stdout
    level, form = _read(env, out)
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _Origin(door),
        _trace,
        _Plain(masked=level > logging.DEBUG),
        _as_json if form == "json" else _as_text,
    ]
    structlog.configure(
        processors=steps,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: Lines(out),
    )
    _take_over(level)


def name_addresses_by(secret: bytes) -> None:
    """Give a mail address the same name in the logs of all processes that know the secret."""
    _keys.append(hmac.digest(secret, b"mail addresses in logs", "sha256"))


def masked(text: str) -> str:
    """Replace mail addresses by names that only this installation can give, and logins by nothing."""
    if "@" not in text and "%40" not in text:
        return text
    return WORD.sub(_name, QUOTED.sub("_", LOGIN.sub("", text)))


def _name(found: re.Match[str]) -> str:
    word = found[0]
    if "@" not in word and "%40" not in word:
        return word
    address = word.replace("%40", "@").strip(".").lower()
    return "mail-" + hmac.digest(_keys[-1], address.encode(errors="replace"), "sha256").hex()[:10]


def _read(env: Mapping[str, str], out: TextIO) -> tuple[int, str]:
    level = env.get("POSTROOM_LOG_LEVEL", "info").lower()
    form = env.get("POSTROOM_LOG") or ("text" if out.isatty() else "json")
    problems = [
        Problem(name, f"is {given!r}, not one of {', '.join(known)}.", "Set it, or unset it.")
        for name, given, known in (
            ("POSTROOM_LOG_LEVEL", level, tuple(LEVELS)),
            ("POSTROOM_LOG", form, FORMS),
        )
        if given not in known
    ]
    if problems:
        raise BadSettings(problems)
    return LEVELS[level], form


class Lines:
    """Writes each entry as one line; a log that cannot be written stops nobody."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        """Write a line, whole, whatever other threads write."""
        with suppress(OSError, ValueError), _writing:  # a full disk, a closed pipe or stream
            self._out.write(line + "\n")
            self._out.flush()

    log = debug = info = warn = warning = err = error = critical = fatal = exception = failure = msg


_writing = Lock()
os.register_at_fork(
    before=_writing.acquire, after_in_parent=_writing.release, after_in_child=_writing.release
)


class _Library(logging.Handler):
    """Hands what libraries log to the one way out."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's own mistake must not become ours
            said = str(record.msg)
        logger = structlog.get_logger()
        logger.log(max(record.levelno, logging.DEBUG), said, logger=record.name, exc_info=record.exc_info)


def _take_over(level: int) -> None:
    root = logging.getLogger()
    root.handlers = [
        *(
            one
            for one in root.handlers
            if not isinstance(one, _Library) and type(one) is not logging.StreamHandler
        ),
        _Library(),
    ]
    root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))
    logging.captureWarnings(capture=True)


#: For granian, which configures the logging of its process itself: its loggers speak to the root's handler.
GRANIAN: dict[str, Any] = {
    "loggers": {"_granian": {"handlers": [], "propagate": True}},
    "handlers": {},
    "formatters": {},
}


class _Origin:
    """Says when, and which process."""

    def __init__(self, door: str) -> None:
        self._door = door

    def __call__(self, _logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
        return {**entry, "at": utc_now(), "door": self._door, "pid": os.getpid()}


def _trace(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """Turn exc_info, in whichever form it comes, into text."""
    given = entry.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else None
    if isinstance(given, tuple):
        error = given[1]
    elif given and error is None:
        error = sys.exc_info()[1]
    if error is not None:
        entry["error"] = f"{type(error).__name__}: {error}"
        entry["trace"] = "".join(traceback.format_exception(error))[-MOST_TRACE:]
    return entry


class _Plain:
    """Makes every field plain data, cut, with addresses masked."""

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked

    def __call__(self, _logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
        return {str(name): self._plain(value, 0, name == "trace") for name, value in entry.items()}

    def _plain(self, value: object, depth: int, long: bool = False) -> Any:  # noqa: FBT001, FBT002 - private
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return round(value, 6)
        if isinstance(value, datetime):
            return value.isoformat(timespec="milliseconds")
        if depth < MOST_DEEP and isinstance(value, Mapping):
            return {self._text(str(key)): self._plain(one, depth + 1) for key, one in value.items()}
        if depth < MOST_DEEP and isinstance(value, list | tuple | set | frozenset):
            return [self._plain(one, depth + 1) for one in value]
        return self._text(_said(value), MOST_TRACE if long else MOST_TEXT)

    def _text(self, text: str, most: int = MOST_TEXT) -> str:
        text = text[: 2 * most]
        text = masked(text) if self._masked else text
        return text if len(text) <= most else text[:most] + "…"


def _said(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - what cannot be shown is still worth a line
        return f"<{type(value).__name__} that cannot be shown>"


def _as_json(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    """ASCII only: JSON's escapes keep line ends, terminals' controls and odd scripts out of the line."""
    return json.dumps({**{name: entry.pop(name) for name in FIRST if name in entry}, **entry})


def _as_text(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    at, level, event, door, pid = (entry.pop(name, "") for name in FIRST)
    trace = str(entry.pop("trace", ""))
    fields = [f"{name}={_shown(value)}" for name, value in entry.items() if value is not None]
    process = [f"{door}[{pid}]"] if door else []
    first = "  ".join(
        [f"{at[:19]}Z {level:<7}", *process, _visible(str(event)), *([" ".join(fields)] if fields else [])]
    )
    return "\n".join([first, *("    " + _visible(line) for line in trace.splitlines())])


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    bare = text and not re.search(r"[\s\"'=]", text)
    return _visible(text if bare or not isinstance(value, str) else json.dumps(text, ensure_ascii=False))


def _visible(text: str) -> str:
    """Escape what does not show: line ends, controls, marks that turn the direction of writing."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
