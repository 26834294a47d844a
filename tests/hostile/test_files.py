"""Files in and out: formulas, uploads, archives and tables (facts 6.6; ASVS 1.2.10, 5.2.2, 5.2.3, 5.3.2)."""

import csv
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadImport, BadTemplate
from campaigns.imports import source
from campaigns.imports.complaints import Complaint, Complaints, Effect
from campaigns.imports.source import open_source, read_rows
from campaigns.records.staff import Desk
from campaigns.templates.files import LARGEST, read_file
from tests.hostile.house import House
from tests.pictures import JPEG, a_gif, a_png, chunk
from tests.web.marketing.conftest import Desktop, desktop  # noqa: F401 - a fixture
from tests.web.marketing.test_report_pages import run  # noqa: F401 - a fixture
from web.marketing.export import harmless

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", " =", "＝", "＋", "－", "＠")
PNG = a_png()


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(STARTS), st.text(max_size=30))
def test_no_cell_of_any_table_we_write_is_a_formula(start, rest):
    file = io.StringIO()
    Complaints(file).add(Complaint(1, start + rest, start + rest, start + rest, Effect.REFUSED))
    cells = list(csv.reader(io.StringIO(file.getvalue())))[1][1:4]
    for cell in (harmless(start + rest), *cells):
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_list_of_people_is_safe_for_a_spreadsheet_and_exact_only_when_asked(desktop: Desktop, run: int):  # noqa: F811
    for tail, begins in (
        ("", "'=HYPERLINK(1)"),
        ("?exact=1", "=HYPERLINK(1)"),
        ("?exact=yes", "'=HYPERLINK(1)"),
    ):
        page = desktop.get(f"/reports/{run}/people/clicked.csv{tail}")
        (row,) = csv.DictReader(io.StringIO(page.removeprefix("\ufeff")))
        assert row["name"].startswith(begins), tail


@pytest.mark.parametrize(
    ("name", "data"),
    [("x.svg", b"<svg onload=alert(1)>"), ("x.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), ("x.html", b"<script>"),
     ("x.gif", b"GIF89"), ("x.jpg", b"<html>"), ("x.png", b""), ("x.exe", b"MZ"), ("x.png", b"\0" * (LARGEST + 1)),
     ("x.htm\u202egnp.html", PNG), ("x.js", PNG), ("x.png", PNG[:-1]), ("x.jpg", JPEG[:-2]), ("x.gif", a_gif()[:30]),
     ("x.png", a_png(30_000, 30_000, pixels=b"")), ("x.png", a_png(pixels=b"\0" * 10_000_000))],
)  # fmt: skip
def test_no_picture_is_taken_that_is_none(name, data):
    with pytest.raises(BadTemplate):
        read_file(name, data, within=True)


@pytest.mark.parametrize(
    "name", ["a\r\nX: y.png", "../../etc/passwd.png", "..\\..\\x.png", "/x.png", "C:\\x.png"]
)
def test_a_name_of_a_file_leads_nowhere(name):
    kept = read_file(name, PNG, within=True).name
    assert not set(kept) & set("/\\\r\n")


def test_a_picture_is_what_its_bytes_say_whatever_its_name_says():
    assert read_file("x.txt", PNG, within=True).media_type == "image/png"
    assert read_file("page.html.gif", a_gif(), within=True).media_type == "image/gif"


def test_nothing_hides_in_a_picture_or_behind_it():
    script = b"<script>alert(1)</script>"
    for name, data in (
        ("x.png", PNG + script),
        ("x.png", a_png(8, 4, chunk(b"iTXt", script))),
        ("x.gif", a_gif(1, 1, b"\x21\xfe" + bytes((len(script),)) + script + b"\0") + script),
        ("x.jpg", JPEG[:2] + b"\xff\xfe" + (len(script) + 2).to_bytes(2) + script + JPEG[2:] + script),
    ):
        assert script in data
        assert script not in read_file(name, data, within=True).data, name


def test_an_uploaded_file_never_comes_back_as_a_page(house: House):
    """Files go with mails, and pictures stand in them as data; no address of ours serves an upload."""
    served = [
        rule.rule
        for app in (house.app, house.public)
        for rule in app.url_map.iter_rules()
        if "file" in rule.rule
    ]
    assert sorted(set(served)) == [
        "/content/<int:template_id>/files", "/content/<int:template_id>/files/remove", "/static/<path:filename>",
    ]  # fmt: skip


def test_static_files_stay_in_their_folder(house: House):
    for app in (house.app, house.public):
        for path in (
            "../app.py",
            "..%2fapp.py",
            "%2e%2e/app.py",
            "....//app.py",
            "/etc/passwd",
            "vendor/../../app.py",
        ):
            answer = app.test_client().get(f"/static/{path}", buffered=True, follow_redirects=True)
            assert answer.status_code in {400, 404}, path


def test_a_request_has_an_end(house: House):
    assert house.at(Desk.ADMIN).post("/content/1/files", data=b"x" * (33 * 2**20)).status_code == 413
    assert (
        house.public.test_client().post("/f/form", data=b"address=" + b"x" * (2 * 2**20)).status_code == 413
    )


def test_a_form_of_endless_fields_has_an_end(house: House):
    many = "&".join(f"a{n}=1" for n in range(30_000))
    answer = house.public.test_client().post(
        "/f/form", data=many, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code < 500


# ---- tables that are imported


def table(tmp_path, data: bytes, name: str = "x.csv"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("data", [b"", b"\0\xff\xfe", b"a,b\n\xff\xfe\xfd\n", "a,b\n1,2\n".encode("utf-16")])
def test_what_is_no_text_is_no_table(tmp_path, data):
    with pytest.raises(BadImport):
        list(read_rows(open_source(table(tmp_path, data))))


def test_an_archive_is_no_table_however_small(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x.csv", b"0" * 50_000_000)
    assert len(packed.getvalue()) < 60_000
    with pytest.raises(BadImport):
        list(read_rows(open_source(table(tmp_path, packed.getvalue(), "x.zip"))))


def test_rows_columns_and_cells_have_an_end(tmp_path, monkeypatch):
    with pytest.raises(BadImport):
        list(read_rows(open_source(table(tmp_path, b",".join(b"c" for _ in range(600)) + b"\n"))))
    with pytest.raises(BadImport):
        list(read_rows(open_source(table(tmp_path, b'a,b\n"' + b"x" * 200_000 + b'",1\n'))))
    monkeypatch.setattr(source, "MOST_ROWS", 5)
    with pytest.raises(BadImport):
        list(read_rows(open_source(table(tmp_path, b"a,b\n" + b"1,2\n" * 9))))
    monkeypatch.setattr(source, "LARGEST_FILE", 5)
    with pytest.raises(BadImport):
        open_source(table(tmp_path, b"a,b\n1,2\n"))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (_, [header]), *_rest = read_rows(
        open_source(table(tmp_path, b"\xef\xbb\xbfemail,name\na@b.example,A\n"))
    )
    assert header[0] == "email"
