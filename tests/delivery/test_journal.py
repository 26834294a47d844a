"""The crash journal: what was begun outlives its sender, and nobody begins what another has read."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.clock import utc_now
from campaigns.delivery import journal
from campaigns.delivery.journal import Journal, Revoked
from campaigns.values import Outcome, OutcomeKind

AT = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)
SENT = Outcome(OutcomeKind.SENT, 250, "2.0.0", "queued as 4711")

outcomes = st.builds(
    Outcome,
    st.sampled_from(OutcomeKind),
    st.none() | st.integers(200, 599),
    st.none() | st.sampled_from(["2.0.0", "5.1.1"]),
    st.text(max_size=600),
)


def the_dead(folder):
    with journal.abandoned(folder) as found:
        return [one.owner for one in found]


def test_a_living_senders_journal_is_nobody_elses(tmp_path):
    mine = Journal(tmp_path, "host-1")
    page = mine.page(1, 2, 3, messages=10)
    assert the_dead(tmp_path) == []
    page.discard()
    mine.close()
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_not_settled_stays_for_recovery(tmp_path):
    mine = Journal(tmp_path, "host-1")
    page = mine.page(1, 2, 3, messages=10)
    page.started(7, AT)
    page.started(8, AT)
    page.answered(7, SENT, AT)
    mine.close()
    with journal.abandoned(tmp_path) as (left,):
        read = left.read(1, 2, 3)
        assert (left.owner, left.complete) == ("host-1", True)
        assert read.started == {7: AT, 8: AT}
        assert (read.outcomes, read.moments) == ({7: SENT}, {7: AT})
        assert left.read(1, 3, 1) == journal.Read(), "a chunk claimed and never begun"
        now = utc_now()
        journal.remove(left, now)
        assert left.read(1, 2, 3) == read, "the store may still be committing its last claim"
        journal.remove(left, now + timedelta(minutes=2))
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(said=st.dictionaries(st.integers(1, 10**6), outcomes, max_size=12), cut=st.integers(0, 40))
def test_what_was_written_is_read_again_and_a_torn_end_tears_one_line(tmp_path_factory, said, cut):
    folder = tmp_path_factory.mktemp("journal")
    mine = Journal(folder, "host-1")
    page = mine.page(1, 1, 1, messages=len(said))
    for seq, outcome in said.items():
        page.started(seq, AT)
        page.answered(seq, outcome, AT)
    mine.close()
    with journal.abandoned(folder) as (left,):
        path = left.path / "1-1-1"
        written = path.read_bytes().rstrip(b"\0")
        read = left.read(1, 1, 1)
        assert read.started.keys() == said.keys() == read.outcomes.keys()
        for seq, outcome in said.items():
            kept = read.outcomes[seq]
            assert (kept.kind, kept.code, kept.enhanced) == (outcome.kind, outcome.code, outcome.enhanced)
            text = " ".join(outcome.text.encode("utf-8", "replace").decode().split())
            assert text.startswith(kept.text.strip().rstrip("\N{REPLACEMENT CHARACTER}")[:80].strip())
        path.write_bytes(written[: max(len(journal.HEAD), len(written) - cut)])
        torn = left.read(1, 1, 1)
        assert torn.outcomes.keys() <= torn.started.keys() <= said.keys()
        assert all(torn.outcomes[seq] == read.outcomes[seq] for seq in torn.outcomes)


def test_a_gap_where_an_interrupt_kept_a_line_from_being_written_hides_no_other(tmp_path):
    mine = Journal(tmp_path, "host-1")
    page = mine.page(1, 1, 1, messages=10)
    page.started(7, AT)
    page._at += 30  # as an interrupt between the two halves of writing a line leaves it
    page.started(8, AT)
    page.answered(8, SENT, AT)
    mine.close()
    with journal.abandoned(tmp_path) as (left,):
        read = left.read(1, 1, 1)
        assert (read.started.keys(), read.outcomes) == ({7, 8}, {8: SENT})


def test_another_boots_journal_is_not_relied_on(tmp_path, monkeypatch):
    mine = Journal(tmp_path, "host-1")
    mine.page(1, 2, 3, messages=10)
    mine.close()
    monkeypatch.setattr(journal, "BOOT_ID", tmp_path / "none")
    with journal.abandoned(tmp_path) as (left,):
        assert left.read(1, 2, 3) is None
    assert journal.revoke(tmp_path, "host-1", 1, 2, 3) is None


class Disk:
    """What of a file a power cut leaves: all that was synced, and of the rest any pieces."""

    def __init__(self, path, monkeypatch):
        self.path, self.synced = path, b""
        sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", lambda file: (sync(file), self.keep()))

    def keep(self):
        self.synced = self.path.read_bytes()

    def cut(self, pieces):
        newest, size = self.path.read_bytes(), len(self.synced)
        which = [newest if pieces[at // 32 % len(pieces)] else self.synced for at in range(size)]
        self.path.write_bytes(bytes(one[at] for at, one in enumerate(which)))


@settings(max_examples=80, deadline=None)
@given(
    seqs=st.lists(st.integers(1, 60), unique=True, min_size=1),
    answered=st.integers(0, 60),
    sync=st.integers(1, 20),
    pieces=st.lists(st.booleans(), min_size=1, max_size=40),
    gap=st.integers(0, 60),
)
def test_a_synced_journal_knows_after_a_power_cut_what_was_surely_not_begun(
    tmp_path_factory, seqs, answered, sync, pieces, gap
):
    folder = tmp_path_factory.mktemp("journal")
    hostile = Outcome(OutcomeKind.SENT, 250, "2.0.0", "a 61 1763800000000000 sent 250 2.0.0 c 0 taken")
    with pytest.MonkeyPatch.context() as patched:
        disk = Disk(folder / "host-1" / "1-1-1", patched)
        mine = Journal(folder, "host-1", sync)
        page = mine.page(1, 1, 1, messages=60)
        for at, seq in enumerate(sorted(seqs)):
            page.started(seq, AT)
            if at < answered:
                page.answered(seq, hostile, AT)
            if at == gap:
                page._at += 3  # an interrupt
        mine.close()
        disk.cut(pieces)
        patched.setattr(journal, "BOOT_ID", folder / "none")
        with journal.abandoned(folder) as (left,):
            read = left.read(1, 1, 1)
    begun = set(seqs)
    assert max(begun) <= read.ceiling, "whatever was begun is told, or may have been begun"
    assert read.ceiling < max(begun) + sync
    assert read.outcomes.keys() <= set(sorted(seqs)[:answered])
    assert read.started.keys() <= begun
    synced_before = {seq for seq in sorted(seqs)[:answered] if seq < read.ceiling - sync + 1}
    if gap >= len(seqs):
        assert synced_before <= read.outcomes.keys(), "in doubt are only those since the last sync"


def test_a_page_that_was_never_synced_is_not_relied_on_after_a_power_cut(tmp_path, monkeypatch):
    mine = Journal(tmp_path, "host-1", sync=10)
    mine.page(1, 1, 1, messages=5)
    (tmp_path / "host-1" / "1-1-1").write_bytes(bytes(500))
    mine.close()
    monkeypatch.setattr(journal, "BOOT_ID", tmp_path / "none")
    with journal.abandoned(tmp_path) as (left,):
        assert left.read(1, 1, 1) is None
        assert left.read(1, 2, 1) is None, "its page may be lost"


def test_nothing_is_begun_after_the_page_was_revoked(tmp_path):
    mine = Journal(tmp_path, "host-1")
    page = mine.page(1, 2, 3, messages=10)
    page.started(7, AT)
    read = journal.revoke(tmp_path, "host-1", 1, 2, 3)
    assert read.started.keys() == {7}
    with pytest.raises(Revoked):
        page.started(8, AT)
    journal.revoke(tmp_path, "host-1", 1, 4, 1)
    with pytest.raises(Revoked):
        mine.page(1, 4, 1, messages=10)
    assert journal.revoke(tmp_path, "nobody", 1, 2, 3) is None
    mine.close()


def test_of_two_at_once_the_heir_knows_of_all_that_the_owner_began(tmp_path):
    mine = Journal(tmp_path, "host-1")
    for number in range(60):
        page, begun = mine.page(1, number, 1, messages=5000), []

        def begin(page=page, begun=begun):
            try:
                for seq in range(5000):
                    page.started(seq, AT)
                    begun.append(seq)
            except Revoked:
                return

        thread = threading.Thread(target=begin)
        thread.start()
        read = journal.revoke(tmp_path, "host-1", 1, number, 1)
        thread.join()
        assert set(begun) <= read.started.keys()
        page.discard()


WRITER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from campaigns.delivery.journal import Journal
page = Journal(Path(sys.argv[1]), "child").page(1, 1, 1, messages=100000)
for seq in range(100000):
    page.started(seq, datetime.now(UTC))
    os.write(1, b"%d\\n" % seq)
"""


def test_a_killed_senders_lines_are_all_there(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    seen = [child.stdout.readline() for _ in range(500)]
    os.kill(child.pid, signal.SIGKILL)
    seen += child.stdout.readlines()
    child.stdout.close()
    child.wait()
    begun = {int(line) for line in seen if line.endswith(b"\n")}
    with journal.abandoned(tmp_path) as (left,):
        assert begun <= left.read(1, 1, 1).started.keys()


def test_a_disk_without_room_is_found_out_before_a_mail_is_begun(tmp_path, monkeypatch):
    mine = Journal(tmp_path, "host-1")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        mine.page(1, 2, 3, messages=10)
    monkeypatch.undo()
    mine.page(1, 2, 3, messages=10).discard()
