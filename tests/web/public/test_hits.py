"""Opens and clicks: durable before they are answered, led only where a run's links lead, never an error."""

import threading
from datetime import timedelta
from urllib.parse import urljoin

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from campaigns.clock import utc_now
from campaigns.flows import judging
from campaigns.model.mail import links
from campaigns.tracking.tokens import Purpose
from tests.web.public.scene import BROWSER, Scene, on_sqlite
from web.public.book import Book, Unwritten
from web.public.destinations import location
from web.public.front import GIF
from web.public.requests import client, hit


def test_the_pixel_is_a_gif_and_its_hit_is_stored(scene: Scene) -> None:
    answer = scene.get(scene.path("o"))
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/gif", GIF)
    assert answer.headers["Content-Length"] == "43" == str(len(GIF))
    assert answer.headers["Cache-Control"] == "no-store"
    [row] = scene.hits()
    assert (row.kind, row.run_id, row.seq, row.contact_id, row.method) == (
        "open",
        scene.run,
        1,
        scene.contact,
        "GET",
    )
    assert row.agent == BROWSER["User-Agent"]
    assert {"accept-language", "sec-fetch-mode"} <= set(row.headers.split(","))


def test_a_click_leads_to_the_stored_destination(scene: Scene) -> None:
    answer = scene.get(scene.path("c") + "/1")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "https://shop.example/a?x=1&y=2"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Cache-Control"] == "no-store"
    [row] = scene.hits()
    assert (row.kind, row.link) == ("click", 1)


@on_sqlite
def test_a_destination_beyond_ascii_is_encoded(scene: Scene) -> None:
    answer = scene.get(scene.path("c") + "/2")
    assert answer.headers["Location"] == "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%A4#%C3%B6"


@on_sqlite
def test_a_click_costs_no_read_once_its_link_is_known(scene: Scene) -> None:
    scene.get(scene.path("c") + "/1")
    with scene.stores.sessions.begin() as session:
        session.execute(sa.delete(links))
    assert scene.get(scene.path("c") + "/1").status_code == 302


@on_sqlite
@pytest.mark.parametrize("path", ["o", "c"])
def test_a_head_request_is_recorded_as_one_and_has_no_body(scene: Scene, path: str) -> None:
    answer = scene.client.head(scene.path(path) + ("/1" if path == "c" else ""))
    assert answer.data == b""
    assert answer.status_code == (302 if path == "c" else 200)
    [row] = scene.hits()
    assert row.method == "HEAD"


@on_sqlite
@pytest.mark.parametrize(
    "rest", ["/3", "/999999999999999999999999", "/-1", "/1/2", "/٣", "", "/", "/1?url=https://evil.example"]
)
def test_a_link_that_the_run_does_not_have_leads_to_the_neutral_page(scene: Scene, rest: str) -> None:
    answer = scene.get(scene.path("c") + rest)
    if "?" in rest:  # a parameter changes nothing: there is no open redirect
        assert answer.headers["Location"] == "https://shop.example/a?x=1&y=2"
        return
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    assert scene.hits() == []


@on_sqlite
@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "ftp://x.example/", "https://user:pw@x.example/", "https:///nohost", "//x.example",
     "https://x.example/\r\nSet-Cookie: a=b", "https://x.example/a\\b", "https://[::1", "https://x.example/ a", ""],
)  # fmt: skip
def test_what_no_browser_may_be_sent_to_is_never_a_location(scene: Scene, url: str) -> None:
    assert location(url) is None
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(links).where(links.c.number == 1).values(url=url))
    assert scene.get(scene.path("c") + "/1").status_code == 404


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_a_location_is_always_plain_ascii_of_the_web(text: str) -> None:
    found = location("https://shop.example/" + text)
    assert found is None or (
        found.isascii() and found.isprintable() and found.startswith("https://shop.example/")
    )


@on_sqlite
@pytest.mark.parametrize("page", ["o", "c", "u", "v", "p", "s"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_forged_token_is_counted_and_gets_a_neutral_answer(scene: Scene, page: str, method: str) -> None:
    genuine = scene.path(page)
    forged = genuine[:-1] + ("A" if genuine[-1] != "A" else "B")
    answer = scene.client.open(forged + ("/1" if page == "c" else ""), method=method, headers=BROWSER)
    if (page, method) == ("o", "GET"):
        assert (answer.status_code, answer.data) == (200, GIF)
    elif method == "POST" and page in "ocv":
        assert answer.status_code in {404, 405}
        return
    else:
        assert answer.status_code == 404
        assert "leads nowhere" in answer.text
    names = {"o": "open", "c": "click", "u": "unsubscribe", "v": "view", "p": "preferences", "s": "survey"}
    assert scene.strays() == {names[page]: 1}
    assert scene.hits() == []
    assert scene.events() == []


@on_sqlite
@pytest.mark.parametrize("page", ["c", "u", "v", "p", "s"])
def test_a_token_of_one_purpose_opens_no_other_page(scene: Scene, page: str) -> None:
    assert scene.get(f"/{page}/{scene.token(Purpose.OPEN)}").status_code == 404


@on_sqlite
@pytest.mark.parametrize("page", [Purpose.UNSUBSCRIBE, Purpose.PREFERENCES, Purpose.SURVEY, Purpose.VIEW])
def test_a_genuine_token_of_what_is_gone_gets_the_neutral_page(scene: Scene, page: Purpose) -> None:
    letter = {Purpose.UNSUBSCRIBE: "u", Purpose.PREFERENCES: "p", Purpose.SURVEY: "s", Purpose.VIEW: "v"}[
        page
    ]
    for over in ({"run": 9999}, {"contact": 9999}):
        assert scene.get(f"/{letter}/{scene.token(page, **over)}").status_code == 404
        assert scene.post(f"/{letter}/{scene.token(page, **over)}").status_code in {404, 405}


@settings(max_examples=60, deadline=None)
@given(
    path=st.text(st.characters(codec="latin-1"), max_size=80),
    start=st.sampled_from(["/", "/o/", "/c/", "/u/", "/v/", "/p/", "/s/", "/static/", "//", ""]),
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND", "X"]),
    agent=st.text(st.characters(codec="latin-1"), max_size=60),
)
def test_no_request_is_an_error_of_ours(scene: Scene, path: str, start: str, method: str, agent: str) -> None:
    environ = {
        "PATH_INFO": start + path,
        "REQUEST_METHOD": method,
        "HTTP_USER_AGENT": agent,
        "HTTP_X_FORWARDED_FOR": path,
    }
    answer = scene.client.open(environ_overrides=environ)
    assert answer.status_code < 500


def test_hostile_headers_are_stored_harmlessly(scene: Scene) -> None:
    agent = "\x00<script>\xff" + "é" * 70_000
    environ = {"HTTP_USER_AGENT": agent, "HTTP_X_FORWARDED_FOR": "a, " * 5000 + "nonsense"}
    assert scene.client.get(scene.path("o"), environ_overrides=environ).status_code == 200
    [row] = scene.hits()
    assert len(row.agent) <= 500
    assert "\x00" not in row.agent


def test_only_a_proxy_on_this_machine_is_believed_about_addresses() -> None:
    named = {"HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.9"}
    assert client({"REMOTE_ADDR": "127.0.0.1", **named}) == "203.0.113.9"
    assert client({"REMOTE_ADDR": "192.0.2.7", **named}) == "192.0.2.7"
    assert client({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "evil"}) == "127.0.0.1"
    assert client({"REMOTE_ADDR": "::ffff:127.0.0.1", **named}) == "203.0.113.9"
    assert client({"REMOTE_ADDR": "::ffff:192.0.2.7", **named}) == "192.0.2.7"
    assert client({}) == ""


@on_sqlite
def test_posts_are_no_hits(scene: Scene) -> None:
    for method in ("POST", "PUT"):
        assert scene.client.open(scene.path("o"), method=method).status_code in {404, 405}
    assert scene.hits() == []


@on_sqlite
def test_who_asks_what_may_be_asked_is_recorded_as_one_who_did(scene: Scene) -> None:
    for path in (scene.path("o"), scene.path("c") + "/1"):
        answer = scene.client.open(path, method="OPTIONS")
        assert (answer.status_code, answer.headers["Allow"], answer.data) == (204, "GET, HEAD, OPTIONS", b"")
        assert "Location" not in answer.headers
    assert [row.method for row in scene.hits()] == ["OPTIONS", "OPTIONS"]


@on_sqlite
@pytest.mark.parametrize("language", ["de", "en"])
def test_the_link_that_no_person_sees_leads_to_a_page_that_says_so(scene: Scene, language: str) -> None:
    answer = scene.get(scene.path("c") + "/0")
    assert answer.status_code == 302
    address = urljoin(scene.path("c") + "/0", answer.headers["Location"])
    page = scene.get(address, headers={"Accept-Language": language})
    assert page.status_code == 200
    assert ("Hier gibt es nichts zu sehen" if language == "de" else "nothing to see here") in page.text
    assert [(row.kind, row.link) for row in scene.hits()] == [("click", 0)]


@on_sqlite
def test_a_browser_that_follows_the_hidden_link_is_a_machine_and_so_is_what_it_did_beside(
    scene: Scene,
) -> None:
    for rest in ("/1", "/0"):
        scene.get(scene.path("c") + rest, environ_overrides={"REMOTE_ADDR": "198.51.100.7"})
    with scene.stores.sessions.begin() as session:
        judging.judge_hits(session, utc_now() + timedelta(seconds=5))
    assert [row.verdict for row in scene.events("clicked")] == ["machine", "machine"]


def test_hits_become_events_with_verdicts(scene: Scene) -> None:
    scene.get(scene.path("o"))
    scene.get(scene.path("c") + "/1")
    with scene.stores.sessions.begin() as session:
        assert judging.judge_hits(session, utc_now() + timedelta(seconds=5)) == 2
    assert {(row.kind, row.verdict) for row in scene.events()} == {("opened", "human"), ("clicked", "human")}


def test_a_store_that_fails_is_never_answered_as_if_it_had_worked(scene: Scene, monkeypatch) -> None:
    real = Book.store

    def failing(book, entries):
        real(book, entries)
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(Book, "store", failing)
    for path in (scene.path("o"), scene.path("c") + "/1", scene.path("v"), scene.path("s") + "?score=9"):
        answer = scene.get(path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert "Location" not in answer.headers


def a_hit(scene: Scene, number: int):
    token = type("Token", (), {"run": scene.run, "seq": number, "contact": 1})
    return hit("open", token, {}, now=utc_now())


def test_many_threads_share_commits_and_each_hit_is_there_when_its_call_returns(scene: Scene) -> None:
    commits, missing = [], []
    real = Book.store

    class Counting(Book):
        def store(self, entries):
            commits.append(len(entries))
            real(self, entries)

    book = Counting(scene.stores.sessions)

    def work(thread):
        for turn in range(10):
            number = thread * 100 + turn + 1
            book.write(a_hit(scene, number))
            if number not in {row.seq for row in scene.hits()}:
                missing.append(number)

    threads = [threading.Thread(target=work, args=(one,)) for one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert sum(commits) == 80 == len(scene.hits())
    assert len(commits) < 80


@on_sqlite
def test_a_failed_commit_fails_all_who_share_it_and_the_next_goes_well(scene: Scene) -> None:
    class Failing(Book):
        broken = True

        def store(self, entries):
            if self.broken:
                raise OSError("no space")
            super().store(entries)

    book = Failing(scene.stores.sessions)
    with pytest.raises(Unwritten):
        book.write(a_hit(scene, 1))
    with pytest.raises(Unwritten):
        book.write("open")
    book.broken = False
    book.write(a_hit(scene, 2))
    assert [row.seq for row in scene.hits()] == [2]


@on_sqlite
def test_too_many_who_wait_are_turned_away(scene: Scene, monkeypatch) -> None:
    monkeypatch.setattr("web.public.book.MOST_WAITING", 0)
    with pytest.raises(Unwritten, match="Too many"):
        Book(scene.stores.sessions).write(a_hit(scene, 1))


@pytest.mark.parametrize(
    ("page", "data", "verdict"),
    [
        ("u", {}, "human"),
        ("u", {"List-Unsubscribe": "One-Click"}, "unknown"),  # mail programs do that by themselves
        ("p", {"do": "track", "level": "individual"}, "human"),
        ("p", {"do": "track", "level": "aggregate"}, "unknown"),  # a no teaches nothing
        ("p", {"do": "track", "level": "off"}, "unknown"),
        ("p", {"do": "save", "shown": "1", "topic": ""}, "human"),
        ("p", {"do": "nothing"}, "unknown"),
    ],
)
def test_a_click_that_nobody_knew_of_is_a_persons_once_a_page_was_posted(scene: Scene, page, data, verdict):
    scene.client.get(scene.path("c") + "/1", headers={"User-Agent": BROWSER["User-Agent"]})

    def judged():
        with scene.stores.sessions.begin() as session:
            judging.judge_hits(session, utc_now() + timedelta(seconds=5))
        return [row.verdict for row in scene.events("clicked")]

    assert judged() == ["unknown"]
    scene.post(scene.path(page), data)
    assert judged() == [verdict]
