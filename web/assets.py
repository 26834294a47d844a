"""Static files: an address that changes with the content, compressed once, kept by browsers for a year."""

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, request, url_for
from markupsafe import Markup

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"
COMPRESSED = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})
FOREVER = "public, max-age=31536000, immutable"


class Part(NamedTuple):
    """One vendored set of files, as the manifest lists it."""

    name: str
    version: str
    licence: str
    folder: str
    files: dict[str, str]  #: path within the folder → sha256


@cache
def manifest() -> dict[str, Part]:
    """Read which front-end files are vendored, by name."""
    entries = json.loads((VENDOR / "vendor.lock.json").read_text(encoding="utf-8"))
    return {
        entry["name"]: Part(*(entry[key] for key in ("name", "version", "licence", "folder", "files")))
        for entry in entries
    }


def vendored(name: str, file: str) -> str:
    """Give the address of a vendored file, without naming its version."""
    part = manifest()[name]
    assert file in part.files, f"{name} has no {file}; see web/static/vendor/vendor.lock.json"
    return url_for("static", filename=f"vendor/{part.folder}/{file}")


def asset(path: str) -> str:
    """Give the address of one of our static files, with a mark of its content."""
    file = STATIC / path
    return url_for("static", filename=path, v=_mark(file, file.stat().st_mtime_ns))


def icon(name: str, label: str = "", classes: str = "") -> Markup:
    """Draw one of the vendored icons inline; with a label it speaks, without it is decoration.

    A new icon: add its name to tools/ui/icons.json and build.
    """
    drawings = _drawings()
    assert name in drawings, f"no icon {name!r}; add it to tools/ui/icons.json"
    spoken = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="icon {}" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        ' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" {}>{}</svg>'
    ).format(classes, spoken, Markup(drawings[name]))  # noqa: S704 - from a file of ours, checked by its sha256


def install(app: Flask) -> None:
    """Give templates `asset`, `vendored` and `icon`, and static files their caching."""
    app.jinja_env.globals.update(asset=asset, vendored=vendored, icon=icon)
    app.after_request(_finish)


def _finish(response: Response) -> Response:
    if request.endpoint != "static" or response.status_code != 200:
        return response
    path = str((request.view_args or {}).get("filename", ""))
    if "v" in request.args or path.startswith("vendor/"):
        response.headers["Cache-Control"] = FOREVER
    if response.mimetype in COMPRESSED:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0 and not request.range:
            file = STATIC / path
            opened = response.response
            response.direct_passthrough = False
            response.set_data(_gzipped(file, file.stat().st_mtime_ns))
            response.headers["Content-Encoding"] = "gzip"
            if hasattr(opened, "close"):
                opened.close()
    return response


@cache
def _mark(file: Path, _changed: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


@cache
def _gzipped(file: Path, _changed: int) -> bytes:
    return gzip.compress(file.read_bytes(), mtime=0)


@cache
def _drawings() -> dict[str, str]:
    part = manifest()["tabler-icons"]
    drawings: dict[str, str] = json.loads((VENDOR / part.folder / "icons.json").read_text(encoding="utf-8"))
    return drawings
