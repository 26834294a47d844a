"""What an event loop has to write down: while one batch is being stored, the next gathers.

No thread waits for an entry, so a batch costs two hand-overs between threads, however many share it.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from web.public.book import AT_ONCE, MOST_WAITING, Book, Entry, Unwritten

Waiting = tuple[Entry, "asyncio.Future[None]"]


class Gathering:
    """Takes entries in one event loop, and lets a thread of its own write them into the book."""

    def __init__(self, book: Book, loop: asyncio.AbstractEventLoop) -> None:
        self._book = book
        self._loop = loop
        self._pen = ThreadPoolExecutor(1, thread_name_prefix="pen")
        self._waiting: list[Waiting] = []
        self._writing = False

    async def write(self, entry: Entry) -> None:
        """Store an entry; it is durable when this returns.

        Raises:
            Unwritten: the store did not take it, or too many wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Unwritten("Too many requests wait to be written down.")
        # a future for each: one whose request is given up must not take the others along
        mine: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((entry, mine))
        if not self._writing:
            self._writing = True
            self._loop.call_soon(self._write)  # what this turn of the loop still brings goes along
        await mine

    def _write(self) -> None:
        batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        entries = [entry for entry, _ in batch]
        task = self._loop.run_in_executor(self._pen, self._book.store, entries)
        task.add_done_callback(partial(self._tell, batch))

    def _tell(self, batch: list[Waiting], task: "asyncio.Future[None]") -> None:
        """Tell all who wait for a batch what became of it, and begin the next."""
        cause = task.exception()
        for _, one in batch:
            if one.done():
                continue
            if cause is None:
                one.set_result(None)
            else:
                failure = Unwritten("The store did not take it.")
                failure.__cause__ = cause
                one.set_exception(failure)
        if self._waiting:
            self._write()
        else:
            self._writing = False
