"""Whatever the checks find is said in both languages, with numbers as there."""

import ast
import re
from pathlib import Path

import pytest
from flask import Flask, g

from campaigns.templates.preflight.clients import PROGRAMS, features
from campaigns.templates.preflight.findings import Count, Phrases, Share, Size, Tongue
from tests.web.test_language import GERMAN, marks
from web.marketing.telling import tell

ROOT = Path(__file__).parents[3]
CHECKS = [
    path for folder in ("templates/preflight", "flows/checking") for path in sorted((ROOT / "campaigns" / folder).glob("*.py"))
]  # fmt: skip
MAKERS = {"blocker", "warning", "hint"}
SENTENCES = {"what", "cure"}


def sentences(path: Path) -> set[str]:
    """What a file says to people: what is given to those who make findings, or kept under a name for them."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS:
            found |= {one.value for one in node.args if isinstance(one, ast.Constant)}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in SENTENCES:
            found |= {
                one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }  # fmt: skip
        if isinstance(node, ast.Dict) and path.name in {"clients.py", "outside.py", "people.py"}:
            found |= {
                one.value for one in node.values if isinstance(one, ast.Constant) and " " in str(one.value)
            }
    return {one for one in found if isinstance(one, str) and (" " in one or one.endswith("."))}


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_finding_is_said_in_german(path):
    missing = [one for one in sentences(path) if one not in GERMAN or not GERMAN[one].string]
    assert not missing
    for one in sentences(path):
        assert marks(GERMAN[one].string) == marks(one)


def test_the_sentences_are_seen():
    assert sum(len(sentences(path)) for path in CHECKS) > 150


def test_what_programs_do_not_show_is_said_in_german():
    names = {one.name for one in features()} | {one.name for one in PROGRAMS}
    own = {"Gmail", "Outlook.com", "Orange", "Proton Mail", "Mail.ru"}
    assert names - own - set(GERMAN) == set()


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en_GB", "12,345 | 38% | 1.5 MB | 300 KB | German | rounded corners, shadow | 2.5 | x"),
        ("de_DE", "12.345 | 38 % | 1,5 MB | 300 KB | Deutsch | runde Ecken, Schatten | 2,5 | x"),
    ],
)
def test_values_are_written_as_the_reader_does(locale, words):
    from web.language import install

    app = Flask("empty")
    install(app)
    values = {
        "count": Count(12345),
        "share": Share(0.381),
        "large": Size(1_500_000),
        "small": Size(300_100),
        "tongue": Tongue("de"),
        "names": Phrases(("rounded corners", "shadow")),
        "points": 2.5,
        "text": "x",
    }
    with app.test_request_context():
        g.locale = locale
        told = tell(" | ".join(f"%({name})s" for name in values), values)
    assert re.sub(r"\s", " ", told) == words
