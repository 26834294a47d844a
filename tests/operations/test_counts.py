"""Counts outlive their process, add up, and can neither be torn nor stop anybody."""

import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import metrics
from campaigns.metrics.counts import Counts, read_all
from campaigns.values import Gate, Hit, Outcome, OutcomeKind
from campaigns.wiring import open_stores
from tests.factories import NOW
from tests.operations.test_logs import ADDRESSES
from web.public.book import Book, Unwritten

SERIES = st.tuples(st.sampled_from(["one_total", "two_total"]), st.tuples(st.text(max_size=20)))
AMOUNTS = st.dictionaries(SERIES, st.floats(0, 1e9), max_size=4)


def program(text, *args):
    """A process of its own."""
    words = [sys.executable, "-c", textwrap.dedent(text), *map(str, args)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@given(steps=st.lists(st.tuples(st.integers(0, 2), AMOUNTS), max_size=12))
@settings(max_examples=60, deadline=None)
def test_all_processes_add_up(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("counts")
    processes = [Counts() for _ in range(3)]
    for one in processes:
        one.keep(folder, "sender")
    expected = {}
    for which, amounts in steps:
        processes[which].add(amounts)
        for series, amount in amounts.items():
            expected[series] = expected.get(series, 0.0) + amount
    assert read_all(folder) == pytest.approx(expected)
    for one in processes:
        one.forget()


def test_a_kill_takes_no_count_back_and_the_successor_counts_on(tmp_path):
    child = program(
        """
        import sys
        from pathlib import Path
        from campaigns import metrics
        metrics.keep(Path(sys.argv[1]), "sender")
        while True:
            metrics.fenced()
            print("1", flush=True)
        """,
        tmp_path,
    )
    for _ in range(50):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    told = 50 + child.stdout.read().count("1")
    child.communicate()
    kept = read_all(tmp_path / "metrics")[("postroom_fenced_total", ())]
    assert told <= kept <= told + 1
    counts = Counts()
    counts.keep(tmp_path / "metrics", "sender")
    counts.add({("postroom_fenced_total", ()): 1.0})
    assert [path.name for path in (tmp_path / "metrics").iterdir()] == ["sender-0.counts"]
    assert read_all(tmp_path / "metrics") == {("postroom_fenced_total", ()): kept + 1}
    counts.forget()


def test_two_that_live_never_share_a_file(tmp_path):
    one, two = Counts(), Counts()
    assert one.keep(tmp_path, "sender") != two.keep(tmp_path, "sender")
    one.forget()
    three = Counts()
    assert three.keep(tmp_path, "sender").name == "sender-0.counts"
    two.forget()
    three.forget()


def test_a_forked_child_leaves_its_parents_file_alone(tmp_path):
    child = program(
        """
        import os, sys
        from pathlib import Path
        from campaigns import metrics
        metrics.keep(Path(sys.argv[1]), "web")
        metrics.fenced()
        if os.fork() == 0:
            metrics.fenced()
            os._exit(0)
        os.wait()
        metrics.fenced()
        """,
        tmp_path,
    )
    assert child.wait() == 0
    child.stdout.close()
    assert read_all(tmp_path / "metrics") == {("postroom_fenced_total", ()): 2.0}


@given(amounts=AMOUNTS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_that_breaks_off_anywhere_is_read_up_to_there(tmp_path_factory, amounts, data):
    folder = tmp_path_factory.mktemp("counts")
    counts = Counts()
    path = counts.keep(folder, "sender")
    counts.add(amounts)
    counts.forget()
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    found = read_all(folder)
    assert list(found.items()) == list(amounts.items())[: len(found)]
    successor = Counts()
    successor.keep(folder, "sender")
    successor.add(amounts)
    successor.forget()
    assert read_all(folder) == {series: amount + found.get(series, 0.0) for series, amount in amounts.items()}


def test_a_full_disk_stops_nobody(tmp_path):
    child = program(
        """
        import resource, sys
        from pathlib import Path
        from campaigns import metrics
        metrics.keep(Path(sys.argv[1]), "sender")
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        metrics.fenced()
        metrics.settled(0.1)
        print("alive")
        """,
        tmp_path,
    )
    assert child.communicate()[0] == "alive\n"
    assert child.returncode == 0


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path, counts_of_ones_own):
    (tmp_path / "metrics").write_text("a file")
    metrics.keep(tmp_path, "sender")
    metrics.fenced()
    assert counts_of_ones_own.read() == {("postroom_fenced_total", ()): 1.0}


@given(address=ADDRESSES)
@settings(max_examples=50, deadline=None)
def test_no_address_becomes_a_label(address):
    metrics.rate_waited(address, 1.0)
    assert all(address not in label for _, labels in metrics._counts.read() for label in labels)


def test_a_chunk_is_counted_by_outcome_and_gate(counts_of_ones_own):
    outcomes = [Outcome(OutcomeKind.SENT)] * 3 + [Outcome(OutcomeKind.FAILED, 550)]
    metrics.results("smtp", outcomes, [Gate.EXPIRED])
    assert counts_of_ones_own.read() == {
        ("postroom_deliveries_total", ("smtp", "sent")): 3.0,
        ("postroom_deliveries_total", ("smtp", "failed")): 1.0,
        ("postroom_skipped_total", ("expired",)): 1.0,
    }


def test_a_block_is_timed(counts_of_ones_own):
    with metrics.timing(metrics.settled):
        pass
    found = counts_of_ones_own.read()
    assert found[("postroom_settle_seconds_bucket", ("0.005",))] == 1.0
    assert 0 <= found[("postroom_settle_seconds_sum", ())] < 0.005


def test_the_files_are_ours_alone(tmp_path):
    metrics.keep(tmp_path, "sender")
    (path,) = (tmp_path / "metrics").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "metrics").stat().st_mode & 0o777 == 0o700


def test_hits_are_counted_as_they_are_stored(stores, counts_of_ones_own):
    book = Book(stores.sessions)
    book.write(Hit(NOW, "open", 1, 1, 1, None, "GET", "", ""))
    book.write("click")
    book.write("open")
    assert counts_of_ones_own.read() == {
        ("postroom_tracking_events_total", ("open",)): 1.0,
        ("postroom_tracking_events_total", ("stray",)): 2.0,
    }


def test_hits_that_are_not_stored_are_not_counted(counts_of_ones_own):
    away = open_stores("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unwritten):
        Book(away.sessions).write("open")
    assert counts_of_ones_own.read() == {}
