"""The server's side: hits and pages over real HTTP, whatever a request looks like."""

from pathlib import Path

import pytest

from tests.web.public.scene import Scene, on_sqlite
from tests.web.public.test_killed import exchange, served
from web.public.front import GIF

pytestmark = on_sqlite
CLOSE = b"Host: x\r\nConnection: close\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def port(scene: Scene, database_url: str, tmp_path: Path):
    with served(database_url, tmp_path) as (_process, listening):
        yield listening


def ask(
    port: int, method: str, path: str, headers: bytes = b"", body: bytes = b""
) -> tuple[int, bytes, bytes]:
    raw = exchange(port, f"{method} {path} HTTP/1.1\r\n".encode() + CLOSE + headers + b"\r\n" + body)
    head, _, rest = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, rest


def chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_hits_and_pages_through_one_door(scene: Scene, port: int) -> None:
    status, _, body = ask(port, "GET", scene.path("o"))
    assert (status, body) == (200, GIF)
    for _ in range(2):  # the second link is remembered
        status, head, body = ask(port, "GET", scene.path("c") + "/2")
        assert (status, body) == (302, b"")
        assert b"location: https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%A4#%C3%B6" in head
    status, head, body = ask(port, "GET", scene.path("p"))
    assert status == 200
    assert b"text/html" in head
    assert b"</html>" in body
    assert ask(port, "HEAD", scene.path("p"))[2] == b""
    assert ask(port, "GET", scene.path("c") + "/9")[0] == 404
    assert [row.kind for row in scene.hits()] == ["open", "click", "click"]


def test_a_body_reaches_its_page_with_a_length_and_in_chunks(scene: Scene, port: int) -> None:
    body = b"List-Unsubscribe=One-Click"
    length = b"Content-Length: %d\r\n" % len(body)
    assert ask(port, "POST", scene.path("u"), FORM + length, body)[0] == 200
    assert scene.state() == "withdrawn"
    answers = b"nps=9&how=foot&why=" + b"word " * 300
    assert (
        ask(port, "POST", scene.path("s"), FORM + b"Transfer-Encoding: chunked\r\n", chunked(answers))[0]
        < 400
    )
    assert len(scene.events("answered")) == 1


def test_a_body_that_is_too_long_is_refused_unread_and_in_chunks(scene: Scene, port: int) -> None:
    assert ask(port, "POST", scene.path("s"), FORM + b"Content-Length: 99999999999\r\n", b"nps=9")[0] == 413
    body = chunked(b"nps=" + b"9" * 1_200_000)
    assert ask(port, "POST", scene.path("s"), FORM + b"Transfer-Encoding: chunked\r\n", body)[0] == 413
    assert scene.events("answered") == []
