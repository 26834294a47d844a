"""`postroom compile`: the reference compiler's bytes, or every error with its line and exit 1."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from campaigns.cli.templates import compile_

GOLDEN = Path(__file__).parents[2] / "golden" / "mjml"
WITH_ERRORS = {"mistakes", "jinja-stress", "unclosed-paragraph"}


def _run(path):
    return CliRunner().invoke(compile_, [str(path)])


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(GOLDEN.glob("*.mjml")) if path.stem not in WITH_ERRORS],
    ids=lambda path: path.stem,
)
def test_a_file_without_jinja_prints_the_reference_compilers_bytes(path):
    result = _run(path)
    assert result.exit_code == 0
    assert result.stdout_bytes == path.with_suffix(".html").read_bytes()
    assert result.stderr == ""


def test_every_error_goes_to_stderr_with_file_and_line():
    result = _run(GOLDEN / "mistakes.mjml")
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert [line.split("body line ")[1][0] for line in lines] == ["5", "6", "7", "8"]
    assert all("mistakes.mjml" in line for line in lines)


def test_a_file_with_jinja_is_checked_for_lost_tokens(tmp_path):
    path = tmp_path / "mail.mjml"
    path.write_text("<mjml><mj-body>\n<mj-section>{{ contact.city }}</mj-section></mj-body></mjml>")
    result = _run(path)
    assert result.exit_code == 1
    assert "body line 2: MJML drops {{ contact.city }}" in result.stderr


def test_jinja_is_printed_as_it_was_written(tmp_path):
    path = tmp_path / "mail.mjml"
    path.write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ contact.city|default('a') }}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert "{{ contact.city|default('a') }}" in _run(path).stdout


def test_an_unclosed_element_is_told_although_the_compiler_would_lose_the_rest(tmp_path):
    path = tmp_path / "mail.mjml"
    path.write_text(
        "<mjml><mj-body>\n<mj-section><mj-column>\n<mj-image src='a.png' alt=''><mj-text>lost</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    result = _run(path)
    assert result.exit_code == 1
    assert "line 3, mj-image: <mj-image> is not closed" in result.stderr


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mail.mjml"
    path.write_bytes("<mjml>\n<!-- Grüße -->".encode("latin-1"))
    result = _run(path)
    assert result.exit_code == 1
    assert "line 2: is not UTF-8 text." in result.stderr


BROKEN = """<mjml><mj-body>
<mj-section><mj-column>
<mj-text>{{ contact.given_nme|default('x') }}</mj-text>
<mj-text>{{ contact.city|upcase }}</mj-text>
<mj-button href="javascript:alert(1)">Go</mj-button>
<mj-buton href="https://example.com/">Go</mj-buton>
<mj-text colour="red">{{ product.nothing|nosuch }}</mj-text>
</mj-column></mj-section>
</mj-body></mjml>"""


def lines_of(result):
    assert (result.exit_code, result.stdout) == (1, "")
    return [line.split("body line ")[1] for line in result.stderr.splitlines()]


def test_names_filters_links_and_elements_are_told_in_one_run(tmp_path):
    path = tmp_path / "mail.mjml"
    path.write_text(BROKEN)
    told = lines_of(_run(path))
    assert [line[0] for line in told] == sorted(line[0] for line in told)
    assert {line[0] for line in told} == {"3", "4", "5", "6", "7"}
    seventh = " ".join(line for line in told if line[0] == "7")
    assert "'nosuch'" in seventh
    assert "'product'" in seventh
    assert "colour" in seventh


@pytest.mark.parametrize(
    "broken",
    ["{{ contact.city", "{% if contact.city %}", "{{ contact.city city }}", "{% raw %}", "{{ 'x }}"],
    ids=["braces", "no-endif", "two-words", "raw", "quote"],
)
def test_after_a_syntax_error_what_is_wrong_with_the_elements_is_told(tmp_path, broken):
    path = tmp_path / "mail.mjml"
    path.write_text(BROKEN.replace("{{ contact.city|upcase }}", broken))
    told = " ".join(lines_of(_run(path)))
    assert "mj-buton" in told
    assert "colour" in told
    assert any(line[0] not in "67" for line in lines_of(_run(path)))


def test_what_is_not_closed_hides_no_unknown_element(tmp_path):
    path = tmp_path / "mail.mjml"
    path.write_text(BROKEN.replace("mj-text colour", "mj-section colour"))
    told = " ".join(lines_of(_run(path)))
    assert "is not closed" in told
    assert "mj-buton" in told
