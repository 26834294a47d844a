"""/healthz asks nothing of anybody; /readyz says what stands in the way."""

from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest
import sqlalchemy as sa

from campaigns.config import from_environment
from campaigns.doctor import ready
from campaigns.doctor.findings import Level
from campaigns.records import ticks
from campaigns.records.ticks import Tick
from campaigns.wiring import open_stores
from web.app import create_app, create_public_app
from web.health import FRESH


@pytest.fixture
def here(tmp_path, database_url):
    env = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_DATABASE_URL": database_url}
    return from_environment(env)


def ask(stores, here):
    answer = create_app(stores, here).test_client().get("/readyz")
    return answer.status_code, answer.get_json()["checks"]


def ticked(stores, seconds=1):
    with stores.sessions.begin() as session:
        session.execute(sa.text("DELETE FROM ticks"))
        ticks.record(session, [Tick("runs", timedelta(seconds=0.5), timedelta(seconds=seconds))])


def test_where_all_is_well_it_is_ready(stores, here):
    ticked(stores)
    assert ask(stores, here) == (200, {"database": "ok", "worker": "ok", "disk": "ok"})


def test_without_a_worker_it_is_not_ready(stores, here):
    assert ask(stores, here) == (503, {"database": "ok", "worker": "bad", "disk": "ok"})


@pytest.mark.timed
@pytest.mark.parametrize(("seconds", "status"), [(9, 200), (17, 503)])
def test_a_worker_that_is_late_makes_it_unready(stores, here, seconds, status):
    ticked(stores, seconds)
    assert ask(stores, here)[0] == status


def test_tables_of_another_program_make_it_unready(stores, here):
    ticked(stores)
    with stores.sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    assert ask(stores, here) == (503, {"tables": "bad", "disk": "ok"})


def test_a_full_disk_makes_it_unready(stores, here, monkeypatch):
    ticked(stores)
    monkeypatch.setattr(ready, "LEAST_FREE", 10**18)
    assert ask(stores, here) == (503, {"database": "ok", "worker": "ok", "disk": "bad"})


def test_a_broker_that_is_away_makes_it_unready(stores, here):
    ticked(stores)
    status, checks = ask(stores, replace(here, broker_url="amqp://ada:pw@127.0.0.1:1//"))
    assert (status, checks) == (503, {"database": "ok", "worker": "ok", "disk": "ok", "broker": "bad"})


@pytest.fixture
def away():
    opened = open_stores("postgresql://nobody@127.0.0.1:1/none")
    yield opened
    opened.engine.dispose()


def test_without_a_database_it_lives_and_is_not_ready(away, tmp_path):
    here = from_environment({"POSTROOM_DATA": str(tmp_path)})
    assert ask(away, here) == (503, {"database": "bad", "disk": "ok"})
    for app in (create_app(away, here), create_public_app(away, replace(here, web_port=1))):
        answer = app.test_client().get("/healthz")
        assert (answer.status_code, answer.get_data()) == (200, b"alive\n")


@pytest.mark.timed
def test_however_often_one_asks_the_database_is_asked_once_a_second(stores, here, monkeypatch):
    ticked(stores)
    looks = []
    real = ready.readiness
    monkeypatch.setattr("web.health.readiness", lambda *given: looks.append(1) or real(*given))
    client = create_app(stores, here).test_client()
    began = monotonic()
    for _ in range(20):
        client.get("/readyz")
    assert 1 <= len(looks) <= 1 + (monotonic() - began) / FRESH < 20


def test_what_stands_in_the_way_names_its_cure(stores, tmp_path):
    found = ready.readiness(stores, tmp_path)
    assert all(finding.cure for finding in found if finding.level is not Level.OK)
