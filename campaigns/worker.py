"""The worker: ticks that open, freeze and finish runs, judge hits and read returned mail.

APScheduler is a metronome here: it keeps no jobs of ours. What is due stands in the tables, so that a tick
missed, doubled, or run by two workers does no harm (docs/decisions/0003).
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from dns.resolver import Resolver
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from campaigns import metrics
from campaigns.clock import utc_now
from campaigns.config import CATCHER_URL, Settings
from campaigns.delivery.domains import Unasked, open_resolver
from campaigns.delivery.lanes import starts_with_caps
from campaigns.delivery.mailboxes import box_of, visit
from campaigns.delivery.maildir import read_new, take
from campaigns.delivery.mx import Heard
from campaigns.errors import BackendError
from campaigns.executor import Executor
from campaigns.flows import (
    asking,
    audience,
    confirming,
    dispatching,
    doubting,
    finding_lanes,
    guarding,
    intake,
    judging,
    keeping,
    keying,
    routing,
    schedule,
)
from campaigns.flows.recovery import recover
from campaigns.listening import Listening
from campaigns.pulse import BEAT, BEAT_NAME, Pulse
from campaigns.records import dkim_keys, domains, lanes, outbox, returned_mails, sign_ups
from campaigns.records.domains import Asked
from campaigns.records.stages import Move
from campaigns.tracking.manners import is_secure
from campaigns.tracking.ranges import RangesAt
from campaigns.tracking.tokens import Keyring
from campaigns.wiring import Stores, routing_of

log = structlog.get_logger()

Tick = Callable[[], object]
PARTITIONS = "partitions"
STAGES_AT_ONCE = 5000  #: moved in one transaction
STARTS_NAME = "lanes"
DOMAINS_FOR = 20.0  #: seconds of a tick in which domains are asked about
T = TypeVar("T")


class Worker:
    """The ticks of one process; `stop` ends them after the one that is running."""

    def __init__(
        self,
        stores: Stores,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
        executor: Executor | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._stores, self._settings, self._clock, self._executor = stores, settings, clock, executor
        self._keyring = Keyring(settings.secret)
        self._ranges = RangesAt(settings.ranges)
        self._secure = is_secure(settings.public_url)
        self._listening = Listening(stores, settings, clock)
        self._routing = routing_of(settings)
        self._resolver = resolver
        self._gathered: finding_lanes.Gathered = {}
        given = settings.mailboxes
        self._boxes = [box_of(url, given.cafile) for url in (given.imap_url, given.pop3_url) if url]
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self.pulse = Pulse(stores.sessions)
        for name, seconds, tick in self.ticks():
            self._scheduler.add_job(
                self.pulse.guarded(name, seconds, tick),
                "interval",
                seconds=seconds,
                id=name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )

    def ticks(self) -> list[tuple[str, float, Tick]]:
        """Every tick with its distance in seconds; each may be called at any time, any number of times."""
        own: list[tuple[str, float, Tick]] = [
            ("runs", 0.5, self.tick_runs),
            ("hits", 1.0, self.tick_hits),
            ("verdicts", 5.0, self.tick_verdicts),
            ("leases", 15.0, self.tick_leases),
            ("returned mail", 2.0, self.tick_returns),
            ("mailboxes", 60.0, self.tick_mailboxes),
            ("keys", 300.0, self.tick_keys),
            ("webhooks", 1.0, self._listening.tick),
            ("accounts", 5.0, self.tick_accounts),
            ("domains", 15.0, self.tick_domains),
            (STARTS_NAME, 60.0, self.tick_starts),
            ("warm-ups", 60.0, self.tick_warm_ups),
            ("old words of lanes", 600.0, self.tick_old_words),
            ("doubts", 15.0, self.tick_doubts),
            ("harm", 30.0, self.tick_harm),
            ("sign-ups", 1.0, self.tick_sign_ups),
            ("old sign-ups", 600.0, lambda: self._write(confirming.forget_unconfirmed)),
            ("old returned mail", 600.0, self.tick_old_returns),
            (PARTITIONS, 60.0, self.tick_partitions),
            ("figures", 20.0, self.tick_figures),
            ("stages", 900.0, self.tick_stages),
            (BEAT_NAME, BEAT, self.pulse.beat),
        ]
        if self._executor is not None:
            own.append(("dispatch", 0.2, partial(self.tick_dispatch, self._executor)))
        return own

    def start(self) -> None:
        """Begin to tick, in the background.

        Partitions come first: once others write, what stands in none must be moved under their hands.
        """
        self.pulse.guarded(PARTITIONS, 60.0, self.tick_partitions)()
        self._scheduler.start()
        for name in (BEAT_NAME, STARTS_NAME):
            self._scheduler.modify_job(name, next_run_time=utc_now())

    def stop(self) -> None:
        """Stop, when the ticks under way are done."""
        self._scheduler.shutdown(wait=True)

    def tick_runs(self) -> None:
        """Open what is due, freeze what is open, finish what is drained; each in a transaction of its own."""
        steps: dict[str, Callable[[Session, datetime], list[int]]] = {
            "opened": schedule.open_runs,
            "frozen": partial(audience.freeze_open_runs, routing=self._routing),
            "finished": schedule.finish_runs,
        }
        for name, step in steps.items():
            try:
                if runs := self._write(step):
                    log.info("runs", **{name: runs})
            except Exception:  # what cannot be opened must not keep others from being finished
                metrics.tick_failed(name)
                log.exception("tick failed", tick=name)

    def tick_partitions(self) -> None:
        """Make the partitions that will soon be needed."""
        for table in keeping.DIVIDED:
            self._write(partial(keeping.make_partitions, table=table))

    def tick_leases(self) -> None:
        """Settle what lost senders left behind."""
        recover(self._stores.sessions, self._settings.journals, self._settings.secret, self._clock)

    def tick_dispatch(self, executor: Executor) -> None:
        """Publish what is due to the senders on other machines; only what is committed is submitted."""
        with self._stores.sessions.begin() as session:
            chosen = dispatching.choose(session, self._routing.accounts, window=self._settings.window)
        if unasked := dispatching.submit(executor, chosen):
            with self._stores.sessions.begin() as session:
                dispatching.take_back(session, unasked)

    def tick_accounts(self) -> None:
        """Take what waits for accounts that are lost over to others."""
        with self._stores.readers() as session:
            if not routing.has_news(session, self._routing, self._clock()):
                return
        self._write(lambda session, now: routing.move_on(session, self._routing, now))

    def tick_hits(self) -> None:
        """Judge the hits that came."""
        level = self._settings.tracking
        self._write(partial(judging.judge_hits, ranges=self._ranges(), default=level, secure=self._secure))

    def tick_verdicts(self) -> None:
        """Judge some hits again where the rules are newer than their verdicts."""
        with self._stores.readers() as session:
            if not judging.is_due_again(session):
                return
        level = self._settings.tracking
        self._write(partial(judging.judge_again, ranges=self._ranges(), default=level, secure=self._secure))

    def tick_doubts(self) -> int:
        """Settle what is in doubt and proven to have arrived; gives how many there were."""
        with self._stores.readers() as session:
            if not outbox.proven(session):  # the write lock is for those who need it
                return 0
        return self._write(doubting.settle_proven)

    def tick_harm(self) -> int:
        """Pause campaigns that many of their mails speak against; gives how many."""
        with self._stores.readers() as session:
            found = guarding.suspects(session)
        return sum(self._write(partial(guarding.pause, run=run, why=why)) for run, why in found)

    def tick_warm_ups(self) -> int:
        """Let each warm-up take its step for a new day, in a transaction of its own; gives how many did."""
        with self._stores.readers() as session:
            due = lanes.warm_ups_due(session, self._clock())
        return sum(self._write(partial(lanes.warm_up, due=one)) for one in due)

    def tick_old_words(self) -> None:
        """Let go of what was refused, and of what was said of lanes, too long ago."""
        now = self._clock()
        with self._stores.readers() as session:
            refused, said = lanes.is_refused_old(session, now), lanes.is_log_old(session, now)
        if refused:  # the write lock is for those who need it
            self._write(lanes.forget_refused)
        if said:
            self._write(lanes.forget_log)

    def tick_sign_ups(self) -> int:
        """Write the confirmation mails of what forms took; gives how many sign-ups were dealt with."""
        with self._stores.readers() as session:
            if not sign_ups.any_waiting(session):  # the write lock is for those who need it
                return 0
        return self._write(partial(asking.write_mails, routing=self._routing))

    def tick_domains(self) -> int:
        """Find the lanes of domains that campaigns will soon send to; gives how many were asked about."""
        now, until = self._clock(), monotonic() + DOMAINS_FOR
        try:
            resolver = self._resolver or open_resolver()
        except Unasked:  # this machine has no network: the table of domains must do
            return 0
        with self._stores.readers() as session:
            names = finding_lanes.gather(session, now, self._gathered)
        if names:
            self._write(lambda session, now: domains.want(session, names, now=now))
        total = 0
        while monotonic() < until:
            with self._stores.readers() as session:
                asked = domains.due(session, now=self._clock())
            if not asked:
                break
            heard = finding_lanes.ask(asked, resolver)
            self._write(partial(_hear, asked=asked, heard=heard))
            total += len(asked)
        return total

    def tick_starts(self) -> None:
        """Let the lanes of accounts that are servers of ours start with caps, and those of others not."""
        wanted = self._settings.lane_caps
        accounts = {
            one.name: wanted and starts_with_caps(one) and one.options.get("url") != CATCHER_URL
            for one in self._routing.accounts.values()
        }
        with self._stores.readers() as session:
            if lanes.has_started(session, accounts):
                return
        self._write(lambda session, now: lanes.start(session, accounts, now=now))

    def tick_figures(self) -> None:
        """Count the large runs that have news; a count may take seconds, and holds no lock."""
        self._write(keeping.note_news)
        with self._stores.readers() as session:
            counted = keeping.count_news(session, self._clock())
        if counted:
            self._write(lambda session, now: keeping.keep_counts(session, counted, now))

    def tick_stages(self) -> int:
        """Move customers to the stage that their orders say; gives how many, some in each transaction."""
        with self._stores.readers() as session:
            moves = keeping.stages_due(session, self._clock())
        return sum(
            self._write(partial(_move, moves=moves[at : at + STAGES_AT_ONCE]))
            for at in range(0, len(moves), STAGES_AT_ONCE)
        )

    def tick_returns(self) -> None:
        """Read what the mail server put into the bounce Maildir; each is stored before it is moved on."""
        folder: Path | None = self._settings.bounce_maildir
        if folder is None:
            return
        for path in read_new(folder):
            try:
                raw = path.read_bytes()
            except OSError:
                log.exception("a returned mail could not be read", file=path.name)
            else:
                self._take(path.name, raw)
            take(path)

    def tick_old_returns(self) -> None:
        """Let go the returned mails whose time is over, some in each transaction."""
        with self._stores.readers() as session:
            over = returned_mails.how_many_over(session, self._clock())
        for _ in range(0, over, returned_mails.LET_GO_AT_ONCE):
            self._write(returned_mails.let_go)

    def tick_keys(self) -> None:
        """Let keys sign whose DNS records are there by now; nobody is asked while none waits."""
        with self._stores.readers() as session:
            waiting = dkim_keys.waiting(session)
        if ready := keying.visible(waiting, open_resolver()) if waiting else []:
            self._write(lambda session, now: keying.activate(session, ready, now=now))
            log.info("keys sign from now on", names=[f"{key.selector} of {key.domain}" for key in ready])

    def tick_mailboxes(self) -> None:
        """Read returned mail from the mailboxes that are set; each is stored before it is marked."""
        failed = None
        for box in self._boxes:
            try:
                visit(box, self._take)
            except BackendError as error:  # one mailbox that is away keeps no other from being read
                failed = error
        if failed is not None:
            raise failed

    def _take(self, name: str, raw: bytes) -> None:
        try:
            with self._stores.sessions.begin() as session:
                secret = self._settings.secret
                kind = intake.receive_mail(session, raw, self._keyring, secret, now=self._clock())
        except OperationalError:
            raise  # about the store: the mail is read again
        except Exception:
            # it is marked as read, to be looked at; unmarked it would keep all others from being read
            log.exception("a returned mail could not be read", file=name)
            kind = "unreadable"
        metrics.returned(kind)
        log.info("returned mail", kind=kind, file=name)

    def _write(self, act: Callable[[Session, datetime], T]) -> T:
        with self._stores.sessions.begin() as session:
            return act(session, self._clock())


def _move(session: Session, now: datetime, *, moves: list[Move]) -> int:
    return keeping.move_stages(session, moves, now)


def _hear(session: Session, now: datetime, *, asked: list[Asked], heard: list[Heard]) -> None:
    domains.hear(session, asked, heard, now=now)
