"""The compiler: the bytes of the reference, its errors told, its limits kept, in threads and after a fork."""

import hashlib
import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import pytest

from campaigns.templates import mjml
from campaigns.templates.mjml import compile_mjml

GOLDEN = Path(__file__).parents[2] / "golden" / "mjml"
VENDOR = resources.files("campaigns.templates") / "vendor"
LETTER = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"
)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.mjml")), ids=lambda path: path.stem)
def test_the_html_is_byte_for_byte_that_of_npms_mjml(path):
    html, _ = compile_mjml(path.read_bytes().decode())
    assert html.encode() == path.with_suffix(".html").read_bytes()


def test_every_mistake_is_told_with_its_line_its_tag_and_a_cure():
    _, problems = compile_mjml((GOLDEN / "mistakes.mjml").read_text())
    assert [problem.where for problem in problems] == [
        "body line 5, mj-text",
        "body line 6, mj-image",
        "body line 7, mj-unknown",
        "body line 8, mj-section",
    ]
    assert all(problem.cure for problem in problems)
    assert "colour" in problems[0].what


@pytest.mark.parametrize("source", ["", "hello", "<mjml>", "<mjml></mjml>", "<p>Hello</p>"])
def test_what_is_no_mjml_gets_an_error_that_says_how_to_begin(source):
    html, problems = compile_mjml(source)
    assert html == ""
    assert "<mjml><mj-body>" in problems[0].cure


def test_other_files_are_never_read():
    source = "<mjml>\n<mj-body>\n<mj-include path='/etc/passwd' />\n</mj-body></mjml>"
    html, problems = compile_mjml(source)
    assert html == ""
    assert problems[0].where == "body line 3, mj-include"
    assert "Paste" in problems[0].cure


def test_a_source_that_takes_for_ever_is_given_up_and_the_next_one_compiles(monkeypatch):
    monkeypatch.setattr(mjml, "SECONDS", 0.15)
    monkeypatch.setattr(mjml, "_engine", mjml._Engine())
    many = "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>" * 3000
    html, problems = compile_mjml(f"<mjml><mj-body>{many}</mj-body></mjml>")
    assert html == ""
    assert "took longer" in problems[0].what
    monkeypatch.setattr(mjml, "SECONDS", 5.0)
    assert compile_mjml(LETTER.format("after"))[1] == ()


def test_a_source_nested_too_deeply_is_refused_and_the_next_one_compiles():
    deep = "<mj-wrapper>" * 20_000 + "</mj-wrapper>" * 20_000
    html, problems = compile_mjml(f"<mjml><mj-body>{deep}</mj-body></mjml>")
    assert html == ""
    assert problems
    assert compile_mjml(LETTER.format("after depth"))[1] == ()


def test_threads_share_the_engine():
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(compile_mjml, [LETTER.format(f"thread {number}") for number in range(12)]))
    assert [f"thread {number}" in html for number, (html, _) in enumerate(answers)] == [True] * 12


def _in_child(queue):
    queue.put(compile_mjml(LETTER.format("in the child")))


def test_a_forked_child_compiles_with_an_engine_of_its_own():
    compile_mjml(LETTER.format("in the parent"))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with mjml._engine._lock:  # as if another thread were compiling at the moment of the fork
        child = context.Process(target=_in_child, args=(queue,))
        child.start()
    html, problems = queue.get()
    child.join(120)
    assert problems == ()
    assert "in the child" in html


def test_the_committed_script_is_the_one_the_manifest_names():
    manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    assert mjml.SCRIPT in manifest["files"]
    for name, entry in manifest["files"].items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == entry["sha256"], name


def test_every_bundled_package_has_its_licence_in_the_notices():
    manifest = json.loads((VENDOR / "manifest.json").read_text("utf-8"))
    notices = (VENDOR / "THIRD_PARTY_NOTICES.txt").read_text("utf-8")
    assert len(manifest["packages"]) > 50
    for package in manifest["packages"]:
        assert f"{package['name']} {package['version']} ({package['licence']})" in notices
        assert "GPL" not in package["licence"]


def test_the_lock_file_of_the_build_names_no_registry():
    lock = json.loads((Path(__file__).parents[3] / "tools" / "mjml" / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
