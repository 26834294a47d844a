"""What the event loop writes down: durable when the wait ends, in shared commits, failed for all who share."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.values import Hit
from tests.web.public.scene import Scene, on_sqlite, settings
from web.app import create_public_app
from web.public.book import Book, Unwritten
from web.public.gathering import Gathering

pytestmark = on_sqlite


def in_a_loop_of_its_own(work):
    """Run a coroutine in another thread: a browser's tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def a_hit(scene: Scene, number: int) -> Hit:
    return Hit(utc_now(), "open", scene.run, number, 1, None, "GET", "agent", "203.0.113.9")


class Watched(Book):
    """Notes how many entries each commit holds, and fails or waits where a test asks it to."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.stores.sessions)
        self.commits: list[int] = []
        self.broken = False
        self.storing, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def store(self, entries) -> None:
        self.storing.set()
        self.go_on.wait(60)
        if self.broken:
            raise OSError("no space")
        super().store(entries)
        self.commits.append(len(entries))


def test_what_comes_together_is_committed_together_and_is_there_when_its_wait_ends(scene: Scene) -> None:
    book = Watched(scene)
    missing = []

    async def one(gathering: Gathering, client: int) -> None:
        for turn in range(10):
            number = client * 100 + turn + 1
            await gathering.write(a_hit(scene, number))
            if number not in {row.seq for row in scene.hits()}:
                missing.append(number)

    async def all_of_them() -> None:
        gathering = Gathering(book, asyncio.get_running_loop())
        await asyncio.gather(*(one(gathering, client) for client in range(8)))

    in_a_loop_of_its_own(all_of_them())
    assert missing == []
    assert sum(book.commits) == 80 == len(scene.hits())
    assert max(book.commits) == 8  # at the first turn they all come at once


def test_a_failed_commit_fails_all_who_share_it_and_the_next_goes_well(scene: Scene) -> None:
    book = Watched(scene)

    async def act() -> list[object]:
        gathering = Gathering(book, asyncio.get_running_loop())
        book.broken = True
        failed = await asyncio.gather(
            gathering.write(a_hit(scene, 1)), gathering.write("open"), return_exceptions=True
        )
        book.broken = False
        await gathering.write(a_hit(scene, 2))
        return failed

    failed = in_a_loop_of_its_own(act())
    assert [type(one) for one in failed] == [Unwritten, Unwritten]
    assert [str(one.__cause__) for one in failed] == ["no space"] * 2
    assert [row.seq for row in scene.hits()] == [2]
    assert scene.strays() == {}


def test_a_request_that_is_given_up_takes_no_other_along(scene: Scene) -> None:
    book = Watched(scene)

    async def act() -> None:
        gathering = Gathering(book, asyncio.get_running_loop())
        book.go_on.clear()
        given_up, kept = (asyncio.ensure_future(gathering.write(a_hit(scene, n))) for n in (1, 2))
        await asyncio.sleep(0.05)
        given_up.cancel()
        book.go_on.set()
        await kept

    in_a_loop_of_its_own(act())
    assert [row.seq for row in scene.hits()] == [1, 2]


def test_too_many_who_wait_are_turned_away(scene: Scene, monkeypatch) -> None:
    monkeypatch.setattr("web.public.gathering.MOST_WAITING", 2)
    book = Watched(scene)

    async def act() -> list[object]:
        gathering = Gathering(book, asyncio.get_running_loop())
        book.go_on.clear()
        first = asyncio.ensure_future(gathering.write(a_hit(scene, 1)))
        await asyncio.to_thread(book.storing.wait, 60)  # now the next two wait, and the fourth may not
        rest = [asyncio.ensure_future(gathering.write(a_hit(scene, n))) for n in (2, 3, 4)]
        await asyncio.sleep(0.05)
        book.go_on.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    assert [type(one) for one in in_a_loop_of_its_own(act())] == [type(None)] * 3 + [Unwritten]
    assert [row.seq for row in scene.hits()] == [1, 2, 3]


def test_only_hits_are_synced_less_where_the_setting_says_so(
    scene: Scene, database_url: str, tmp_path
) -> None:
    normal, full = 1, 2  # SQLite's numbers
    app = create_public_app(scene.stores, settings(tmp_path, database_url, hits_sync="normal"))
    for sessions, sync in ((app.extensions["public"].book._sessions, normal), (scene.stores.sessions, full)):
        with sessions() as session:
            assert session.scalar(sa.text("PRAGMA synchronous")) == sync
            session.rollback()
            session.get_bind().dispose()
