"""What can happen to a sender, each as a play on a stage; every play ends with all mail accounted for."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import schedule
from campaigns.flows.recovery import recover
from campaigns.flows.sending.wire import LOOK_PATIENCE
from campaigns.model.mail import campaigns
from tests.crash.network import line_to
from tests.crash.peer import Manners
from tests.crash.stage import CONNECTIONS, PATIENCE, Process, Stage, kill, kill_tree, wait_until
from tests.factories import SECRET
from tests.ports import free_port


class Blows(NamedTuple):
    """What was done to the senders."""

    kills: int
    most_in_doubt: int


Play = Callable[[Stage, int, int], Blows]


QUIET = 2.0  #: seconds without a mail after which none is expected


@dataclass(frozen=True)
class Scenario:
    """A play, and the server it needs; mails and kills are for the short form, if it has one, and the long."""

    name: str
    play: Play
    short: tuple[int, int] | None
    long: tuple[int, int]
    manners: Manners = field(default=Manners(delay=0.002))
    only: str = ""  #: the one database that it is for; empty: both
    small_disk: bool = False  #: whether the data folder is on a small disk of its own


def small_disk(folder: Path, mails: int) -> str:
    """Mount a disk that holds a store of so many mails and little more; gives what went wrong, if anything."""
    size = f"size={10_000_000 + 6_000 * mails}"
    words = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    return subprocess.run(words, check=False, capture_output=True, text=True).stderr.strip()


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def senders_killed(stage: Stage, mails: int, kills: int) -> Blows:
    """Two senders; now the one, now the other is killed, and another is started."""
    stage.fill(mails)
    stage.freeze(chunk=min(500, mails // 8))
    draw = random.Random(mails + kills)
    senders = [stage.sender(), stage.sender()]
    done = 0
    for number in range(1, kills + 1):
        if not stage.wait_for(int(mails * 0.85 * number / kills)):
            break
        time.sleep(draw.uniform(0, 0.03))
        at = draw.randrange(2)
        kill(senders[at])
        senders[at] = stage.sender()
        done += 1
    stage.wait_for_end()
    return Blows(done, done * CONNECTIONS)


def everything_killed(stage: Stage, mails: int, kills: int) -> Blows:
    """Two schedulers and two senders under one roof, killed with it, all at the same moment."""
    stage.fill(mails)
    house = stage.python("tests.crash.house")
    done = 0
    for number in range(1, kills + 1):
        if not stage.wait_for(int(mails * 0.9 * number / (kills + 1))):
            break
        assert kill_tree(house) == 5
        house = stage.python("tests.crash.house")
        done += 1
    stage.wait_for_end()
    return Blows(done, done * 2 * CONNECTIONS)


def whole_installation_killed(stage: Stage, mails: int, kills: int) -> Blows:
    """`postroom run` with pages, tracking, worker and senders, killed as a whole."""
    stage.fill(mails)
    ports = {f"POSTROOM_{door}_PORT": str(free_port()) for door in ("WEB", "HITS")} | {
        "POSTROOM_SENDERS": "2"
    }
    run = stage.postroom("run", **ports)
    done = 0
    for number in range(1, kills + 1):
        if not stage.wait_for(int(mails * 0.9 * number / (kills + 1))):
            break
        kill_tree(run)
        run = stage.postroom("run", **ports)
        done += 1
    stage.wait_for_end()
    return Blows(done, done * 2 * CONNECTIONS)


def frozen_and_thawed(stage: Stage, mails: int, kills: int) -> Blows:
    """A sender stops past its lease, another has its mail, and then it wakes: at once, or when all is over."""
    stage.fill(mails)
    stage.freeze(chunk=mails // 8)
    frozen = [stage.sender(), stage.sender()]
    stage.wait_for(mails // 20)
    for one in frozen:
        wait_until(lambda one=one: holds(stage, one), "a chunk for each")
        freeze(stage, one)
        stage.lease_runs_out(one.pid)
    recover(stage.stores.sessions, stage.journals, SECRET, utc_now)
    heir = stage.sender()
    os.kill(frozen[0].pid, signal.SIGCONT)
    stage.wait_for_end()
    before = stage.states()
    os.kill(frozen[1].pid, signal.SIGCONT)
    time.sleep(1.0)
    assert stage.states() == before
    for one in (heir, *frozen):
        assert one.poll() is None, "a sender ended for having been frozen"
    assert "Traceback" not in stage.log.read_text()
    return Blows(2, 2 * CONNECTIONS)


def freeze(stage: Stage, sender: Process) -> None:
    """Stop a sender, but not in the middle of a transaction: SQLite's one lock would freeze everybody with it."""
    stop(sender)
    while not stage.can_write():
        os.kill(sender.pid, signal.SIGCONT)
        time.sleep(0.005)
        stop(sender)


def stop(process: Process) -> None:
    """Stop a process, and wait until it has stopped: from `kill` to that it may do much."""
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def holds(stage: Stage, sender: Process) -> bool:
    return any(stage.journals.glob(f"*-{sender.pid}-*/[0-9]*"))


def store_restarted(stage: Stage, mails: int, kills: int) -> Blows:
    """The database server ends at once, again and again, and comes back from its log."""
    stage.fill(mails)
    stage.freeze(chunk=min(500, mails // 8))
    for _ in range(2):
        stage.sender()
    done = 0
    for number in range(1, kills + 1):
        if not stage.wait_for(int(mails * 0.9 * number / (kills + 1))):
            break
        stage.stores.engine.dispose()
        restart(stage.url)
        done += 1
    stage.wait_for_end()
    return Blows(done, 0)


def restart(url: str) -> None:
    """Restart the server of a URL without letting it finish anything."""
    folder = Path(str(sa.make_url(url).query["host"]))
    program = Path((folder / "postmaster.opts").read_text().split()[0]).with_name("pg_ctl")
    words = [str(program), "restart", "-m", "immediate", "-w", "-D", str(folder), "-l", str(folder / "log")]
    owner = folder.stat().st_uid
    as_owner = {"user": owner} if os.getuid() != owner else {}
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_owner)


def network_cut(stage: Stage, mails: int, kills: int) -> Blows:
    """The database goes out of reach without a word, for longer than connections to it are believed in."""
    stage.fill(mails)
    stage.freeze(chunk=min(500, mails // 8))
    with line_to(stage.url) as (line, url):
        for _ in range(2):
            stage.postroom("sender", POSTROOM_DATABASE_URL=url)
        for number in range(1, kills + 1):
            if not stage.wait_for(int(mails * 0.9 * number / (kills + 1))):
                break
            line.cut()
            time.sleep(LOOK_PATIENCE + 2.0)
            before = stage.taken()
            time.sleep(65.0 if number == kills else 3.0)
            assert stage.taken() == before, "blind, and mails went on"
            line.mend()
        stage.wait_for_end()
    return Blows(kills, 0)


def disk_full(stage: Stage, mails: int, _kills: int) -> Blows:
    """The data folder's disk fills up in the middle, and has room again later."""
    stage.fill(mails)
    stage.freeze(chunk=50)
    ballast = stage.data / "ballast"
    sender = stage.sender()
    stage.wait_for(mails // 4)
    fill_up(ballast, stage)
    assert stage.taken() < mails * 3 // 4, "the disk was full, and everything went on"
    ballast.unlink()
    if sender.poll() is not None:
        stage.sender()
    stage.wait_for_end()
    return Blows(0, 0)


def fill_up(ballast: Path, stage: Stage) -> None:
    """Take all room on a disk, and what others free on it, until no more mails go out for a while."""
    until, last, before = time.monotonic() + PATIENCE, time.monotonic(), 0
    with ballast.open("wb", buffering=0) as file:
        while time.monotonic() < last + QUIET:
            with suppress(OSError):
                file.write(bytes(4096))
                last = time.monotonic()
                continue
            stage.allow(None)
            if stage.taken() > before:
                last, before = time.monotonic(), stage.taken()
            assert time.monotonic() < until, "the disk was full, and mails went on"
            time.sleep(0.0005)


def server_rude(stage: Stage, mails: int, kills: int) -> Blows:
    """It cuts between a mail and its reply, says 421 in mid-session, closes, dawdles; the sender is killed too."""
    stage.fill(mails)
    stage.freeze(chunk=min(500, mails // 4))
    sender = stage.sender()
    done = 0
    for number in range(1, kills + 1):
        if not stage.wait_for(int(mails * 0.8 * number / (kills + 1))):
            break
        kill(sender)
        sender = stage.sender()
        done += 1
    stage.wait_for_end()
    return Blows(done, done * CONNECTIONS + stage.cuts())


def paused_and_resumed(stage: Stage, mails: int, kills: int) -> Blows:
    """A person pauses, the senders are killed, the person resumes."""
    campaign = stage.fill(mails)
    stage.freeze(chunk=min(500, mails // 8))
    with stage.stores.sessions.begin() as session:
        session.execute(sa.update(campaigns).values(state="running"))
    done = 0
    for number in range(1, kills + 1):
        sender = stage.sender()
        if not stage.wait_for(int(mails * 0.9 * number / (kills + 1))):
            break
        with stage.stores.sessions.begin() as session:
            schedule.pause(session, campaign, actor="test", now=utc_now())
        time.sleep(random.Random(number).uniform(0, 0.7))
        kill(sender)
        done += 1
        stage.wait_for_the_server()
        before = stage.taken()
        recover(stage.stores.sessions, stage.journals, SECRET, utc_now)
        assert stage.taken() == before
        with stage.stores.sessions.begin() as session:
            schedule.resume(session, campaign, actor="test", now=utc_now())
    stage.sender()
    stage.wait_for_end()
    return Blows(done, done * CONNECTIONS)


def published_thrice(stage: Stage, mails: int, kills: int) -> Blows:
    """Three processes are each told to send every chunk, in an order of their own; one is killed meanwhile."""
    stage.fill(mails)
    stage.freeze(chunk=min(500, mails // 16))
    workers = [stage.python("tests.crash.publisher", str(seed)) for seed in range(3)]
    done = 0
    for number in range(1, kills + 1):
        if not stage.wait_for(int(mails * 0.9 * number / (kills + 1))):
            break
        kill(workers.pop(0))
        workers.append(stage.python("tests.crash.publisher", str(number + 3)))
        done += 1
    stage.wait_for_end()
    return Blows(done, done * CONNECTIONS)


RUDE = Manners(delay=0.0005, dawdle_every=89, part_after=23, close_after=17, cut_every=61)

SCENARIOS = [
    Scenario("senders killed", senders_killed, (1200, 3), (100_000, 50)),
    Scenario("all processes killed at once", everything_killed, (800, 1), (20_000, 5)),
    Scenario("`postroom run` killed", whole_installation_killed, None, (20_000, 5)),
    Scenario("frozen past the lease and thawed", frozen_and_thawed, (1600, 0), (20_000, 0)),
    Scenario("database restarted", store_restarted, (1200, 2), (20_000, 10), only="postgresql"),
    Scenario(
        "network to the database cut", network_cut, None, (20_000, 3), Manners(delay=0.01), "postgresql"
    ),
    Scenario("disk full", disk_full, (600, 0), (5_000, 0), Manners(delay=0.01), small_disk=True),
    Scenario("server cuts, parts, closes, dawdles", server_rude, (800, 1), (20_000, 5), manners=RUDE),
    Scenario("paused and resumed", paused_and_resumed, (600, 1), (20_000, 5)),
    Scenario("every chunk published three times", published_thrice, (800, 1), (20_000, 5)),
]


def on(database: str, *, short: bool) -> list[Scenario]:
    """The scenarios for a kind of database."""
    return [one for one in SCENARIOS if one.only in {"", database} and (one.short or not short)]
