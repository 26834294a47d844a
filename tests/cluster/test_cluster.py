"""Senders behind a real broker: every number is right, whoever is killed, paused or told twice."""

import os
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from campaigns.cluster.publisher import Publisher
from campaigns.errors import ExecutorAway
from campaigns.model.mail import chunks
from campaigns.records import campaigns
from campaigns.values import RunState
from tests.cluster.stage import CONNECTIONS, PATIENCE, kill, wait_until

pytestmark = pytest.mark.cluster


def publish_all(stage, broker, times):
    """Publish every chunk of the run so many times, whatever its state."""
    publisher = Publisher(broker.url)
    with stage.stores.readers() as session:
        every = session.execute(sa.select(chunks.c.run_id, chunks.c.number, chunks.c.lane)).all()
    for _ in range(times):
        for run, number, lane in every:
            publisher.submit(run, number, lane)
    publisher.close()
    return len(every)


def frozen(stage):
    wait_until(lambda: stage.states()["queued"], "the freeze")


def test_two_workers_keep_one_limit_and_send_each_mail_once_though_published_three_times(stage, broker):
    stage.fill(3000)
    stage.postroom("worker")
    stage.postroom("worker")
    frozen(stage)
    publish_all(stage, broker, 3)
    stage.celery_workers(2, POSTROOM_RATE="900")
    stage.wait_for_end()
    assert stage.taken() / stage.seconds() < 900 * 1.1  # the account's limit, of both together
    account = stage.account()
    assert account.sound(), account
    assert (account.mails, account.arrived, account.in_doubt) == (3000, 3000, 0)
    assert stage.run_state() is RunState.FINISHED
    with stage.stores.readers() as session:
        assert session.scalar(sa.select(sa.func.count(chunks.c.owner.distinct()))) == 0
        assert session.scalar(sa.select(sa.func.count()).where(chunks.c.published_until.is_not(None))) == 0


def test_a_worker_killed_with_its_processes_and_a_broker_killed_cost_nothing_but_doubts(stage, broker):
    stage.fill(6000)
    stage.postroom("worker")
    first, _ = stage.celery_workers(2)
    wait_until(lambda: stage.taken() > 500, "the first mails")
    kill(first)
    stage.celery_workers(1)
    wait_until(lambda: stage.taken() > 2500, "more mails")
    broker.kill()
    broker.start()
    stage.wait_for_end()
    account = stage.account()
    assert account.sound(), account
    assert account.arrived >= 6000 - account.in_doubt
    assert account.in_doubt <= CONNECTIONS


@pytest.mark.timed
def test_a_pause_is_felt_within_two_seconds_and_resuming_loses_nobody(stage, broker):
    stage.slow_down(0.1)  # two workers need ten seconds and more
    stage.fill(2000)
    stage.postroom("worker")
    stage.celery_workers(2)
    wait_until(lambda: stage.taken() > 100, "the first mails")
    move(stage, RunState.RUNNING, RunState.PAUSED)
    time.sleep(2)
    at_rest = stage.taken()
    assert at_rest < 2000
    time.sleep(1)
    assert stage.taken() == at_rest
    assert stage.states()["sent"] == at_rest
    move(stage, RunState.PAUSED, RunState.RUNNING)
    wait_until(lambda: stage.taken() > at_rest + 100, "to go on")


def move(stage, expected, to):
    with stage.stores.sessions.begin() as session:
        run = campaigns.get_run(session, 1)
        campaigns.move_runs(session, run.campaign_id, to, expected=[expected])


@pytest.mark.timed
def test_a_worker_asked_to_end_leaves_nothing_in_doubt_and_no_journal(stage, broker):
    stage.slow_down(0.2)  # two processes need 19 seconds
    stage.fill(1500)
    stage.postroom("worker")
    [worker] = stage.celery_workers(1, processes=2)
    wait_until(lambda: stage.taken() > 100, "the first mails")
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert stage.states()["sent"] == stage.taken() < 1500
    assert list(journals(stage)) == []
    with stage.stores.readers() as session:
        assert session.scalar(sa.select(sa.func.count()).where(chunks.c.state == "claimed")) == 0


def journals(stage) -> list[Path]:
    return list((stage.folder / "data" / "journal").glob("*"))


def test_one_process_killed_is_replaced_and_what_it_left_is_settled_by_its_journal(stage, broker):
    stage.slow_down(0.05)
    stage.fill(1500)
    stage.postroom("worker")
    [worker] = stage.celery_workers(1, processes=2)
    wait_until(lambda: stage.taken() > 200, "the first mails")
    victim = next(int(path.name.split("-")[-2]) for path in journals(stage))
    assert victim != worker.pid
    os.kill(victim, signal.SIGKILL)
    stage.wait_for_end()
    account = stage.account()
    assert account.sound(), account
    assert account.in_doubt <= CONNECTIONS


def test_an_absent_broker_costs_an_exception_and_no_hang():
    publisher = Publisher("amqp://guest:guest@127.0.0.1:1//")
    began = time.monotonic()
    with pytest.raises(ExecutorAway, match="broker"):
        publisher.submit(1, 1, "google")
    assert time.monotonic() - began < 60
    publisher.close()
