"""The only user of the MJML compiler: the reference implementation, run inside this process by QuickJS."""

import json
import os
import re
import threading
from functools import lru_cache
from importlib import resources
from time import monotonic
from typing import Any

from campaigns.values import Problem

SCRIPT = "mjml-5.4.1.js"
SECONDS = 5.0
MEMORY = 256 * 1024 * 1024

#: What the compiler says, by its own words, and what to do about it.
_CURES = (
    ("is illegal", "Remove the attribute, or correct its name."),
    ("has invalid value", "Give a value of the type named, like 20px or #336699."),
    ("cannot be used inside", "Move the element into one of the elements named."),
    ("doesn't exist or is not registered", "Correct the element's name; only MJML's own elements are known."),
)
_SIMPLIFY = "Check that each element stands where MJML allows it; undo the last change."
_NOT_MJML = "Write <mjml><mj-body>…</mj-body></mjml> around the content."


class _Engine:
    """One QuickJS context, made at first use; a failed compilation throws it away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: Any = None

    def compile(self, source: str) -> dict[str, Any]:
        with self._lock:
            try:
                return self._run(self._context or self._load(), source)
            except Exception:
                self._context = None
                raise

    def _load(self) -> Any:
        import quickjs  # type: ignore[import-untyped,unused-ignore]

        context = quickjs.Context()
        context.set_memory_limit(MEMORY)
        context.eval(resources.files("campaigns.templates").joinpath("vendor", SCRIPT).read_text("utf-8"))
        context.set_time_limit(SECONDS)
        self._context = context
        return context

    def _run(self, context: Any, source: str) -> dict[str, Any]:
        until = monotonic() + SECONDS
        context.get("mjmlCompile")(source)
        while context.execute_pending_job():
            if monotonic() > until:
                raise TimeoutError
        answer: dict[str, Any] = json.loads(context.get("mjmlAnswer"))
        return answer


_engine = _Engine()


def _after_fork() -> None:
    """Give a child its own engine: the parent's lock may have been held by a thread that is not here."""
    global _engine  # noqa: PLW0603 - one engine a process is the point
    _engine = _Engine()


os.register_at_fork(after_in_child=_after_fork)


@lru_cache(maxsize=64)
def compile_mjml(source: str) -> tuple[str, tuple[Problem, ...]]:
    """Compile to HTML, byte for byte as npm's mjml does, with every problem the compiler found.

    The HTML is empty where the source could not be read at all. Random ids (carousel, navbar) are drawn
    from the source, so that the same source always gives the same bytes.
    """
    if included := _includes(source):
        return "", included
    try:
        answer = _engine.compile(source)
    except Exception as error:  # noqa: BLE001 - the engine's own error type is told by its text
        return "", (_gave_up(error),)
    if "failure" in answer:
        return "", (_failed(str(answer["failure"])),)
    problems = sorted({_problem(**item) for item in answer["errors"]}, key=lambda item: _line(item.where))
    return answer["html"], tuple(problems)


def _includes(source: str) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            f"body line {source.count(chr(10), 0, match.start()) + 1}, mj-include",
            "other files are never read by a template.",
            "Paste the content of that file here.",
        )
        for match in re.finditer(r"<mj-include\b", source)
    )


def _failed(told: str) -> Problem:
    if "Malformed" in told or "Parsing failed" in told:
        return Problem("body", "is not MJML.", _NOT_MJML)
    return Problem("body", f"the MJML compiler stopped: {told.rstrip('.')}.", _SIMPLIFY)


def _gave_up(error: Exception) -> Problem:
    told = str(error)
    if isinstance(error, TimeoutError) or "interrupted" in told:
        return Problem(
            "body", f"took longer than {SECONDS:.0f} seconds to compile.", "Make the template smaller."
        )
    if "memory" in told or "stack" in told:
        return Problem("body", "is too large or too deeply nested to compile.", "Make the template smaller.")
    return Problem(
        "body",
        f"the MJML compiler failed: {told.splitlines()[0][:200] if told else 'no reason'}.",
        _SIMPLIFY,
    )


def _problem(line: int | None, message: str, tag: str | None) -> Problem:
    where = f"body line {line}" if line else "body"
    cure = next((cure for words, cure in _CURES if words in message), "")
    return Problem(f"{where}, {tag}" if tag else where, f"{message.strip().rstrip('.')}.", cure)


def _line(where: str) -> int:
    found = re.search(r"line (\d+)", where)
    return int(found[1]) if found else 0
