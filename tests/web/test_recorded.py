"""What logs keep in English is told in the reader's language."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, g
from hypothesis import given, settings
from hypothesis import strategies as st

import campaigns
from web import language
from web.recorded import actor, logged

TOLD = [
    ("scheduled for 2026-11-22 12:25 UTC", "geplant für 22.11.2026, 13:25 MEZ"),
    (
        "run of 2026-11-22 13:25 finished: 1144 sent, 11 failed, 0 skipped, 2 in doubt",
        "Sendung vom 22.11.2026, 13:25 fertig: 1.144 gesendet, 11 abgewiesen, 0 ausgelassen, 2 ungewiss",
    ),
    ("paused: the audience could not be frozen: no %(x)s", "angehalten: Der Empfängerkreis ließ sich nicht festlegen: no %(x)s"),
    ("held until it is opened: too many", "angehalten, bis jemand öffnet: too many"),
    ("created", "angelegt"),
]  # fmt: skip


@pytest.fixture
def in_german(app: Flask) -> Iterator[None]:
    with app.test_request_context(headers={"Cookie": "zone=Europe/Berlin"}):
        g.locale = "de_DE"
        yield


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize(("kept", "told"), TOLD)
def test_a_line_of_a_log_is_told_with_its_values(kept: str, told: str) -> None:
    assert logged(kept) == told


def test_an_english_reader_gets_moments_of_their_own_zone(app: Flask) -> None:
    with app.test_request_context(headers={"Cookie": "zone=Asia/Tokyo"}):
        assert logged("scheduled for 2026-11-22 12:25 UTC").endswith("22 Nov 2026, 21:25 UTC+9")


@pytest.mark.usefixtures("in_german")
def test_who_did_it_is_named() -> None:
    assert actor("sender") == "Sender"
    assert actor("mara@example.com") == "mara@example.com"


def _sentences() -> Iterator[tuple[str, str]]:
    """Every sentence that the source gives to a campaign's log, with samples for its values."""
    for file in sorted(Path(campaigns.__file__).parent.rglob("*.py")):
        if "cluster" in file.parts or "doctor" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"campaigns.move", "campaigns.log"}:
                named = [one.value for one in node.keywords if one.arg == "what"]
                for words in named + node.args[2:3]:
                    yield from ((file.name, text) for text in _texts(words))


def _texts(words: ast.expr) -> Iterator[str]:
    if isinstance(words, ast.Constant) and isinstance(words.value, str):
        yield words.value
    elif isinstance(words, ast.JoinedStr):
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else _sample(part)
            for part in words.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        ]
        yield "".join(parts)


def _sample(part: ast.FormattedValue) -> str:
    told = ast.unparse(part.value)
    if part.format_spec is not None:
        return "2026-11-22 12:25"
    if told.startswith("shown("):
        return "2026-11-22 13:25"
    return {"to": "finished", "after": "finished", "words": "are sent again"}.get(told, "7")


SENTENCES = sorted(set(_sentences()))


def test_the_source_has_sentences_for_logs() -> None:
    assert len(SENTENCES) > 10


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize(("where", "kept"), SENTENCES)
def test_every_sentence_of_a_log_is_told_in_german(where: str, kept: str) -> None:
    assert logged(kept) != kept, f"add it to web/recorded.py: {where}"


PLAIN = Flask("plain")
language.install(PLAIN)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_whatever_stands_in_a_log_can_be_told(text: str) -> None:
    with PLAIN.test_request_context():
        assert isinstance(logged(text), str)
