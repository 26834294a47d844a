"""What the doors say of a cluster; no broker is needed for it."""

import pytest
from click.testing import CliRunner

from campaigns.cli.cluster import celery_worker
from campaigns.cli.running import processes, sender
from campaigns.config import from_environment
from campaigns.errors import BadSettings, NotAllowed

BROKER = "amqp://postroom:hunter2@mq.example.com//"


@pytest.fixture
def settings(monkeypatch, tmp_path):
    def read(**given):
        env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_SMTP_URL": "smtp://127.0.0.1:1", **given}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return from_environment()

    return read


def test_senders_of_one_machine_refuse_to_work_beside_a_broker(settings):
    settings(POSTROOM_BROKER_URL=BROKER, POSTROOM_DATABASE_URL="postgresql://db.example.com/postroom")
    with pytest.raises(NotAllowed, match="postroom celery-worker"):
        CliRunner().invoke(sender, catch_exceptions=False)


def test_a_worker_without_a_broker_says_what_to_start_instead(settings):
    settings()
    with pytest.raises(NotAllowed, match="postroom sender"):
        CliRunner().invoke(celery_worker, catch_exceptions=False)


def test_the_whole_installation_starts_the_senders_that_fit(settings):
    alone = settings(POSTROOM_SENDERS="2")
    assert processes(alone).count(["sender"]) == 2
    cluster = settings(
        POSTROOM_BROKER_URL=BROKER, POSTROOM_DATABASE_URL="postgresql://db.example.com/postroom"
    )
    assert ["sender"] not in processes(cluster)
    assert processes(cluster).count(["celery-worker"]) == 1


def test_a_broker_needs_a_store_that_many_machines_can_write(settings):
    with pytest.raises(BadSettings, match=r"POSTROOM_BROKER_URL.*SQLite") as raised:
        settings(POSTROOM_BROKER_URL=BROKER)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "fast", "inf", "1e9"])
def test_a_rate_that_is_none_is_refused(settings, rate):
    with pytest.raises(BadSettings, match="POSTROOM_RATE"):
        settings(POSTROOM_RATE=rate)


def test_settings_of_a_cluster_are_read(settings):
    read = settings(
        POSTROOM_BROKER_URL=BROKER,
        POSTROOM_DATABASE_URL="postgresql://db.example.com/postroom",
        POSTROOM_RATE="0.5",
        POSTROOM_WINDOW="40",
    )
    assert (read.broker_url, read.rate, read.window) == (BROKER, 0.5, 40)
    assert "hunter2" not in repr(read)
