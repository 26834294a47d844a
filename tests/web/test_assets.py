import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from web.assets import STATIC, VENDOR

ROOT = Path(__file__).parents[2]
ENTRIES = json.loads((VENDOR / "vendor.lock.json").read_text())
FILES = [(entry["folder"], name, digest) for entry in ENTRIES for name, digest in entry["files"].items()]
OURS = [*STATIC.glob("*.css"), *STATIC.glob("*.js"), *STATIC.glob("*.svg")]


@pytest.mark.parametrize(("folder", "name", "digest"), FILES)
def test_a_vendored_file_is_what_the_manifest_says(folder: str, name: str, digest: str) -> None:
    assert hashlib.sha256((VENDOR / folder / name).read_bytes()).hexdigest() == digest


def test_no_file_lies_among_the_vendored_unlisted() -> None:
    listed = {f"{folder}/{name}" for folder, name, _ in FILES} | {
        "vendor.lock.json",
        "THIRD_PARTY_NOTICES.txt",
    }
    assert {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} == listed


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_each_vendored_set_names_its_licence_and_stands_in_the_notices(entry: dict) -> None:
    assert entry["licence"] in {"MIT", "0BSD", "OFL-1.1", "Apache-2.0", "BSD-3-Clause"}
    heading = f"{entry['package']} {entry['version']} ({entry['licence']})"
    text = (VENDOR / "THIRD_PARTY_NOTICES.txt").read_text().split(heading)[1].split("=" * 78)[0]
    assert re.search(r"copyright|permission", text, re.IGNORECASE)


def test_the_versions_are_those_that_the_lock_names_and_the_lock_has_no_addresses() -> None:
    text = (ROOT / "tools/ui/package-lock.json").read_text()
    locked = json.loads(text)["packages"]
    assert '"resolved"' not in text
    for entry in ENTRIES:
        assert locked[f"node_modules/{entry['package']}"]["version"] == entry["version"]
        assert locked[f"node_modules/{entry['package']}"]["integrity"].startswith("sha512-")


@pytest.mark.parametrize(
    "path", [*OURS, *VENDOR.rglob("*.css"), *VENDOR.rglob("*.js")], ids=lambda path: path.name
)
def test_no_static_file_makes_a_browser_fetch_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert "sourceMappingURL" not in text
    assert not re.search(r"url\(\s*[\"']?(https?:)?//", text)
    assert not re.search(r"@import|\bimport\(\s*[\"']https?:", text)


def test_the_stylesheet_names_fonts_that_are_there() -> None:
    named = re.findall(r'url\("(vendor/[^"]+)"\)', (STATIC / "postroom.css").read_text())
    assert named
    assert all((STATIC / name).is_file() for name in named)


def test_a_static_file_is_kept_for_a_year_under_an_address_that_changes_with_it(client: FlaskClient) -> None:
    page = client.get("/first").get_data(as_text=True)
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(addresses) >= 6
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert "v=" in address or "/vendor/" in address
        answer.close()


def test_text_travels_compressed_and_arrives_whole(client: FlaskClient) -> None:
    path = f"/static/vendor/{ENTRIES[0]['folder']}/tabler.min.css"
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = client.get(path)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert (
        gzip.decompress(answer.data)
        == plain.data
        == (VENDOR / ENTRIES[0]["folder"] / "tabler.min.css").read_bytes()
    )
    assert len(answer.data) < len(plain.data) / 4
    plain.close()
    assert "Accept-Encoding" in answer.headers["Vary"]
