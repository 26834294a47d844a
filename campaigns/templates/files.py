"""The files that go with a template's mails: what they may be, and what shows the pictures among them."""

import mimetypes
import re
from base64 import b64encode
from collections.abc import Sequence
from pathlib import PurePath

from campaigns.errors import BadTemplate
from campaigns.templates.pictures import write_anew
from campaigns.values import Attachment, Content, Problem

MOST_FILES = 10
LARGEST = 2_000_000  #: bytes of one file
LARGEST_IN_ALL = 4_000_000  #: every recipient gets all of it, a third longer on its way
LONGEST_NAME = 120
#: Providers refuse mails with such files, whatever is in them.
REFUSED = frozenset(
    (
        *("ade", "adp", "apk", "bat", "cmd", "com", "cpl", "dll", "exe", "hta", "htm", "html", "img", "ins"),
        *("iso", "isp", "jar", "js", "jse", "lnk", "mde", "msc", "msi", "msp", "pif", "ps1", "scr", "sct"),
        *("sh", "svg", "sys", "vb", "vbe", "vbs", "vhd", "wsc", "wsf", "wsh", "xll"),
    )
)
#: What every mail program shows within a mail, by its first bytes.
PICTURES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
}
_CID = re.compile(r"(?P<before>[\"'(=]\s*)cid:(?P<id>[^\"'\s)<>&]*)", re.IGNORECASE)
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


def read_file(name: str, data: bytes, *, within: bool) -> Attachment:
    """Read a file that somebody gives; its type follows from its name and, of a picture, from its bytes.

    `within` makes a picture that the mail itself shows; it is written anew, without what was hidden in it.

    Raises:
        BadTemplate: with all that is wrong with it.
    """
    name = " ".join(PurePath(name.replace("\\", "/")).name.split())
    problems = list(_problems(name, data))
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if within:
        found = [kind for kind, signature in PICTURES.items() if signature.match(data)]
        kind = found[0] if found else kind
        if not found:
            cure = "Within a mail, every program shows PNG, JPEG and GIF; attach other files."
            problems.append(Problem("file", f"{name[:80]!r} is no such picture.", cure))
    if problems:
        raise BadTemplate(problems)
    if within:
        return Attachment(name, kind, write_anew(name, kind, data), _content_id(name))
    return Attachment(name, kind, data)


def _problems(name: str, data: bytes) -> Sequence[Problem]:
    found = []
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        cure = f"Use 1 to {LONGEST_NAME} visible characters."
        found.append(Problem("file", "its name cannot be written in a mail.", cure))
    if name.rpartition(".")[2].lower() in REFUSED:
        cure = "Put it on a web page and link to it, or send it as a PDF."
        found.append(Problem("file", "mail providers refuse files of this kind.", cure))
    if not data:
        found.append(Problem("file", "is empty.", "Choose a file."))
    if len(data) > LARGEST:
        what = f"is too large: {LARGEST / 1e6:.1f} MB is the most."
        found.append(Problem("file", what, "Make it smaller, or put it on a web page and link to it."))
    return found


def _content_id(name: str) -> str:
    return _UNUSUAL.sub("-", name).strip(".-_")[:60] or "picture"


def require_fit(files: Sequence[Attachment]) -> None:
    """Make sure that a mail can carry all of them.

    Raises:
        BadTemplate: with all that is wrong.
    """
    problems = []
    if len(files) > MOST_FILES:
        problems.append(Problem("files", f"are more than {MOST_FILES}.", "Remove some first."))
    size = sum(len(one.data) for one in files)
    if size > LARGEST_IN_ALL:
        what = f"have {size / 1e6:.1f} MB together; {LARGEST_IN_ALL / 1e6:.1f} MB is the most."
        problems.append(Problem("files", what, "Everybody gets all of them: link to the large ones instead."))
    for words, names in (
        ("name", [one.name.lower() for one in files]),
        ("cid", [one.content_id for one in files if one.content_id]),
    ):
        if len(set(names)) < len(names):
            problems.append(
                Problem("files", f"two have the same {words}.", "Rename one, or remove it first.")
            )
    if problems:
        raise BadTemplate(problems)


def lost_pictures(html: str | None, files: Sequence[Attachment]) -> list[Problem]:
    """List the pictures that a compiled mail shows by cid: though no file has that name."""
    known = {one.content_id for one in files if one.content_id}
    named = dict.fromkeys(found["id"] for found in _CID.finditer(html or ""))
    lost = [cid for cid in named if cid not in known]
    names = ", ".join(f"cid:{name}" for name in sorted(known))
    cure = (
        f"Pictures of this template: {names}."
        if known
        else "Add it to the template's files, within the mail."
    )
    return [Problem("body", f"cid:{cid[:80]} names no picture of this template.", cure) for cid in lost]


def on_a_page(content: Content) -> str | None:
    """The mail's HTML with its pictures in it, for a browser, which knows no cid: addresses."""
    if content.html is None:
        return None
    pictures = {one.content_id: one for one in content.files if one.content_id}

    def shown(found: re.Match[str]) -> str:
        picture = pictures.get(found["id"])
        return f"{found['before']}{_as_data(picture)}" if picture else found[0]

    return _CID.sub(shown, content.html)


def _as_data(picture: Attachment) -> str:
    return f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"
