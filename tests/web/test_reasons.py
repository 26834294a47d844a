"""Why a verdict was given is said in the reader's language, whatever the rules find to say."""

import re
from pathlib import Path

import pytest
from flask import Flask, g

from campaigns.tracking import agents
from campaigns.tracking.files import judge_lines, read_lines
from campaigns.tracking.ranges import NONE, read_ranges
from tests.rooms.tracking import labelled
from web import reasons

FOLDER = Path(labelled.__file__).parent


def found() -> set[str]:
    """All that the rules say of the labelled visits, with networks and without."""
    said = set()
    for name in ("labelled", "heldout", "third"):
        lines, _ = read_lines((FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
        for ranges in (NONE, read_ranges(FOLDER / "networks.csv")):
            said |= {one for judgement in judge_lines(lines, ranges=ranges) for one in judgement.reasons}
    return said


FOUND = found()
NAMES = sorted(
    {name for _, table in agents._TABLES for name in table.values()}
    | {agents.recognise(text).name for text in ("", "Mozilla/5.0", "x", "a bot", "Opera/9")}
)


def shown(app: Flask, locale: str, text: str, say=reasons.reason) -> str:
    with app.test_request_context():
        g.locale = locale
        return say(text)


def test_every_reason_is_known_again(app: Flask) -> None:
    assert len({re.sub(r"\d+", "0", one) for one in FOUND}) > 30
    for text in FOUND:
        assert shown(app, "de_DE", text) != text
        assert shown(app, "en_GB", text) == text


@pytest.mark.parametrize("name", NAMES)
def test_every_program_has_a_german_name_or_its_makers(app: Flask, name) -> None:
    german = shown(app, "de_DE", name, reasons._agent)
    is_makers = name[0].isupper() and "'s " not in name
    assert (
        is_makers
        or german != name
        or name.lower() == name == "curl"
        or name in {"wget", "urlscan.io", "eM Client"}
    )
    assert not re.search(r"\b(a|an|of|the)\b", german)


@pytest.mark.parametrize(
    ("text", "german"),
    [
        ("came 4 s after sending", "kam 4 s nach dem Versand"),
        ("asked by a Python script", "gefragt hat ein Python-Skript"),
        ("agent is Slack's preview", "nennt sich als Programm: Vorschau von Slack"),
        ("7 links within 2 s, from several places", "7 Links in 2 s, von mehreren Orten"),
        ("of rules to come", "of rules to come"),
        ("came 4 s after sending\n<b>", "came 4 s after sending\n<b>"),
    ],
)
def test_a_reason_is_said_in_german(app: Flask, text, german) -> None:
    assert shown(app, "de_DE", text) == german


@pytest.mark.parametrize(
    "text", ["", "%s", "came %(seconds)s s after sending", "asked by \0", "agent is %(agent)s"]
)
def test_no_text_is_too_strange_to_be_said(app: Flask, text) -> None:
    assert shown(app, "de_DE", text) is not None
    assert shown(app, "en_GB", text) == text
