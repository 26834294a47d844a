"""Files: one encoding, one delimiter, rows with their lines, and a clear word where that fails."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadImport
from campaigns.imports.source import open_source, read_rows

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["a\nb", "\r\n", 'q"q', "x;y"]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def rows_of(path: Path, **how: str) -> list[tuple[int, list[str]]]:
    found = []
    for lines, rows in read_rows(open_source(path, **how), at_once=3):
        found += zip(lines, rows, strict=True)
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=9), st.sampled_from(",;\t|"))
def test_what_was_written_is_read_with_its_line(
    tmp_path_factory, table: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(table)
    whole = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), delimiter=delimiter, strict=True)
    expected, line = [], 1
    for cells in whole:
        expected.append((line, cells))
        line = whole.line_num + 1
    assert rows_of(path, delimiter=delimiter) == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(path: Path, delimiter: str) -> None:
    path.write_text(delimiter.join(["name", "e-mail", '"city, or ; or | or\ttown"']) + "\n")
    assert open_source(path).delimiter == delimiter


def test_a_byte_order_mark_is_no_part_of_the_header(path: Path) -> None:
    path.write_bytes("\ufeffname\nÄ\n".encode())
    assert rows_of(path) == [(1, ["name"]), (2, ["Ä"])]


def test_another_encoding_is_told_with_byte_line_and_cure(path: Path) -> None:
    path.write_bytes(b"name,city\nAda,London\n" + "Jürgen,Köln\n".encode("cp1252"))
    with pytest.raises(BadImport, match=r"byte 23 \(line 3\), 0xfc, is not utf-8\. .*--encoding cp1252"):
        open_source(path)
    assert rows_of(path, encoding="cp1252")[2] == (3, ["Jürgen", "Köln"])


def test_the_bad_byte_is_found_past_the_first_piece_and_at_the_end(path: Path) -> None:
    path.write_bytes(b"a\n" * (1 << 20) + b"\xc3")
    with pytest.raises(BadImport, match=rf"byte {(2 << 20) + 1} \(line {(1 << 20) + 1}\)"):
        open_source(path)


def test_utf_16_is_named(path: Path) -> None:
    path.write_bytes("name\nÄ\n".encode("utf-16"))
    with pytest.raises(BadImport, match="--encoding utf-16"):
        open_source(path)
    assert rows_of(path, encoding="utf-16") == [(1, ["name"]), (2, ["Ä"])]


def test_blank_lines_count_as_lines_but_not_as_rows(path: Path) -> None:
    path.write_text("name\n\nAda\n\n\nBob\n")
    assert rows_of(path) == [(1, ["name"]), (3, ["Ada"]), (6, ["Bob"])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('name\n"Ada\nBob\n', "cannot be split into cells: unexpected end of data"),
        ('name\n"Ada"x\n', "from line 2 on: cannot be split"),
        ("a," * 600 + "\n", "has 601 columns"),
        ("name\n" + "x" * 200_000 + "\n", "field larger than field limit"),
    ],
)
def test_a_file_that_is_no_table_is_refused(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(BadImport, match=message):
        rows_of(path)


def test_every_wrong_option_is_told_at_once(path: Path) -> None:
    with pytest.raises(BadImport) as caught:
        open_source(path, encoding="klingon", delimiter="ab")
    assert [problem.where for problem in caught.value.problems] == ["--encoding", "--delimiter", str(path)]


def test_a_nul_is_noticed(path: Path) -> None:
    path.write_bytes(b"name\nA\0da\n")
    assert open_source(path).has_nul


PEOPLE = ["name,city", "Jörg,Köln", "Ada,London", "Zoë,Århus", "山田,東京"]


def test_where_few_lines_are_not_utf8_these_are_named_and_no_other_encoding_advised(path: Path) -> None:
    wrong = ["Jürgen,Ulm".encode("cp1252"), "Søren,Ulm".encode("latin-1")]
    path.write_bytes(b"\n".join([*(line.encode() for line in PEOPLE), *wrong]))
    with pytest.raises(
        BadImport, match=r"0xfc.*Of 5 lines .* all are UTF-8 but lines 6, 7\. Mend those lines"
    ) as caught:
        open_source(path)
    assert "--encoding cp1252" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "iso-8859-15", "cp1251", "mac-roman"])
def test_utf8_is_not_read_as_an_encoding_that_takes_any_bytes(path: Path, encoding: str) -> None:
    path.write_text("\n".join(PEOPLE), encoding="utf-8")
    with pytest.raises(BadImport, match=r"is UTF-8: as .* 'Jörg' would become 'J.+rg'.*Leave --encoding out"):
        open_source(path, encoding=encoding)
    with path.open("ab") as file:
        file.write("\nJürgen,Ulm".encode("cp1252"))
    with pytest.raises(BadImport, match=r"is UTF-8 but for line 6: .* Mend that, and leave --encoding out"):
        open_source(path, encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "name\nJörg\nZoë Ærø\n"),
        ("cp1251", "name\nИван Петров\nЛев Толстой\n"),
        ("koi8-r", "name\nИван Петров\n"),
        ("gbk", "name\n联通\n"),  # whose bytes are UTF-8, too
        ("utf-16", "name\nJörg\n"),
        ("cp1252", "name\nAda\n"),
    ],
)
def test_what_is_of_the_named_encoding_is_read(path: Path, encoding: str, text: str) -> None:
    path.write_bytes(text.encode(encoding))
    assert [cells[0] for _, cells in rows_of(path, encoding=encoding)] == text.split("\n")[:-1]


def test_an_endless_line_is_looked_through_in_no_time(path: Path) -> None:
    path.write_bytes(b"a" * 3_000_000 + "ö".encode() + b"\nname\n")
    with pytest.raises(BadImport, match="is UTF-8"):
        open_source(path, encoding="cp1252")
