"""How far an import is, how fast, and when it will be done: a bar on a terminal, else lines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from campaigns.clock import utc_now

EVERY = 5.0  #: seconds between two plain lines

Told = Callable[[int, int], None]


@contextmanager
def progressing() -> Iterator[Told]:
    """Give what is to be told of every step: the lines done, of how many."""
    console = Console(stderr=True)
    began = time.monotonic()
    if not console.is_terminal:
        yield _plain(began)
        return
    bar = Progress(
        SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), console=console, transient=True
    )
    with bar:
        task = bar.add_task("reading …", total=None)

        def tell(done: int, of: int) -> None:
            bar.update(
                task,
                completed=done,
                total=max(of, done),
                description=standing(done, of, time.monotonic() - began),
            )

        yield tell


def _plain(began: float) -> Told:
    last = began

    def tell(done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            click.echo(standing(done, of, last - began), err=True)

    return tell


def standing(done: int, of: int, seconds: float) -> str:
    """Say where an import stands."""
    text = f"{min(done, of):,} of {of:,} lines"
    if done == 0 or seconds <= 0:
        return text
    rate = done / seconds
    if done >= of:
        return f"{text}, {rate:,.0f} a second; finishing"
    end = utc_now().astimezone() + timedelta(seconds=max(of - done, 0) / rate)
    return f"{text}, {rate:,.0f} a second, done about {end:%H:%M:%S}"
