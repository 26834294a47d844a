"""/metrics: what was counted adds up, what waits is read from the database, and ADMIN.md knows every name."""

import re
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from campaigns import metrics
from campaigns.config import Settings
from campaigns.delivery.backoff_rules import rule_of
from campaigns.errors import BackendError
from campaigns.exporter import Everything, Exporter, start_exporter
from campaigns.metrics import names
from campaigns.metrics.names import Sort
from campaigns.model.dialect import database_now
from campaigns.model.mail import chunks, runs
from campaigns.records import accounts, hits, lanes, ticks
from campaigns.records.lanes import Limits, Signal
from campaigns.records.ticks import Tick
from campaigns.values import Hit, Outcome, OutcomeKind, Verdict
from campaigns.wiring import open_stores
from tests.factories import NOW, a_campaign, a_contact, a_run, a_topic

ADMIN = (Path(__file__).parents[2] / "docs" / "ADMIN.md").read_text()
ROW = re.compile(r"^\| `(postroom_\w+)` \| (\w+) \| (.*?) \| (.+?) \| (.*?) \|$", re.MULTILINE)


@pytest.fixture
def here(tmp_path, database_url):
    return Settings(
        data=tmp_path,
        database_url=database_url,
        secret=b"x" * 32,
        public_url="https://t.shop.example",
        web_port=1,
        hits_port=2,
        smtp_url="smtp://127.0.0.1:1",
        bounce_maildir=None,
        senders=1,
        metrics_port=0,
    )


def samples(stores, data):
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything(stores, data))
    return read(generate_latest(registry).decode())


def read(text):
    """Every sample by name and labels, as Prometheus reads it."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def a_queue(session):
    """A running run with chunks in every state, and one that is paused."""
    topic = a_topic(session)
    a_contact(session, topic=topic)
    campaign = a_campaign(session, topic=topic)
    now = database_now(session)
    running, paused = (a_run(session, campaign, occurrence=name) for name in ("one", "two"))
    for run, state, unknown in ((running, "running", 3), (paused, "paused", 4)):
        values = {"state": state, "frozen_at": now - timedelta(seconds=100), "unknown": unknown}
        session.execute(sa.update(runs).where(runs.c.id == run).values(values))
    given_chunks = [
        (running, "ready", None),
        (running, "ready", now - timedelta(seconds=40)),
        (running, "ready", now + timedelta(seconds=60)),
        (running, "claimed", None),
        (running, "done", None),
        (paused, "ready", None),
        (paused, "ready", now - timedelta(seconds=4000)),
    ]
    for number, (run, state, not_before) in enumerate(given_chunks, 1):
        values = {"run_id": run, "number": number, "first_seq": number, "last_seq": number, "state": state}
        session.execute(sa.insert(chunks).values(**values, not_before=not_before))


def test_what_waits_is_measured(stores, tmp_path):
    with stores.sessions.begin() as session:
        a_queue(session)
        hits.store(session, [Hit(NOW, "open", 1, seq, 1, None, "GET", "", "") for seq in range(5)])
        hits.mark_judged(session, {1: Verdict.HUMAN, 2: Verdict.HUMAN})
        ago = database_now(session) - timedelta(minutes=5)
        accounts.failed(session, "main", BackendError("421 busy"), ago)
        tick = Tick("runs", timedelta(seconds=0.5), timedelta(seconds=7))
        ticks.record(session, [tick])
    found = samples(stores, tmp_path)
    states = {state: found["postroom_chunks", state] for state in ("ready", "deferred", "claimed", "held")}
    assert states == {"ready": 2, "deferred": 1, "claimed": 1, "held": 2}
    assert found["postroom_oldest_ready_chunk_age_seconds",] == pytest.approx(100, abs=5)
    assert found["postroom_backoff_seconds",] == pytest.approx(60, abs=5)
    assert found["postroom_account_silent_seconds", "main"] == pytest.approx(300, abs=5)
    assert found["postroom_account_waiting", "main"] == 5
    assert found["postroom_in_doubt",] == 7
    assert found["postroom_tracking_queue_depth",] == 3
    assert found["postroom_tick_age_seconds", "runs"] == pytest.approx(7, abs=5)
    assert found["postroom_store_up",] == 1


def test_lanes_are_measured_by_account_and_lane(stores, tmp_path):
    with stores.sessions.begin() as session:
        a_queue(session)
        now = database_now(session)
        for lane, limits in (("google", Limits(600)), ("apple", Limits(per_day=5)), ("gmx", Limits())):
            lanes.set_limits(session, "main", lane, limits, actor="ada", now=now)
        rule = rule_of(Outcome(OutcomeKind.DEFERRED, 450, None, "[TSS04] too much"))
        lanes.strike(session, "main", "yahoo", Signal(rule, "[TSS04]"), now=now)
        lanes.hold(session, "main", "gmx", "asked", until=None, actor="ada", now=now)
        lanes.grant(session, "main", "apple", 9, now=now)
    found = samples(stores, tmp_path)

    def of(what, lane):
        return found.get((f"postroom_lane_{what}", "main", lane))

    assert (of("rate_per_minute", "google"), of("cap_per_minute", "google")) == (600, 600)
    assert of("rate_per_minute", "yahoo") == 3000
    assert of("cap_per_minute", "yahoo") is None
    assert of("held_seconds", "yahoo") == pytest.approx(2 * 3600, rel=0.3)
    assert [of("held_seconds", one) for one in ("google", "gmx")] == [0, float("inf")]
    assert 0 < of("held_seconds", "apple") <= 86400
    assert [of("backed_off", one) for one in ("google", "apple", "gmx", "yahoo")] == [0, 0, 1, 1]
    assert (of("waiting", "other"), of("waiting", "google")) == (3, 0)


def test_an_empty_store_has_nothing_waiting(stores, tmp_path):
    found = samples(stores, tmp_path)
    assert found["postroom_chunks", "ready"] == 0
    assert found["postroom_oldest_ready_chunk_age_seconds",] == 0
    assert found["postroom_fenced_total",] == 0


def test_a_store_that_is_away_takes_no_count_away(tmp_path):
    away = open_stores("postgresql://nobody@127.0.0.1:1/none")
    metrics.keep(tmp_path, "sender")
    metrics.fenced()
    found = samples(away, tmp_path)
    assert found["postroom_store_up",] == 0
    assert found["postroom_fenced_total",] == 1
    assert ("postroom_in_doubt",) not in found


@given(values=st.lists(st.floats(0, 1000), max_size=20))
@settings(max_examples=40, deadline=None)
def test_buckets_add_up_as_the_librarys_own(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("counts")
    registry = CollectorRegistry()
    metric = names.SEND_SECONDS
    theirs = Histogram(metric.name, metric.help, metric.labels, buckets=metric.bounds, registry=registry)
    metrics._counts.forget()
    metrics.keep(folder, "sender")
    for value in values:
        metrics.sent_chunk("smtp", value)
        theirs.labels("smtp").observe(value)
    expected = read(generate_latest(registry).decode())
    ours = samples(open_stores("postgresql://nobody@127.0.0.1:1/none"), folder)
    for key, value in expected.items():
        if not key[0].endswith("_created"):
            assert ours[key] == pytest.approx(value)


def ask(exporter, path="/metrics", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{exporter.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def serve(stores, here):
    running = []

    def start(**over):
        from dataclasses import replace

        exporter = Exporter(stores, replace(here, **over))
        exporter.start()
        running.append(exporter)
        return exporter

    yield start
    for exporter in running:
        exporter.stop()


def test_it_answers_as_prometheus_asks(serve, tmp_path):
    metrics.keep(tmp_path, "sender")
    metrics.answered("smtp", OutcomeKind.SENT, 500)
    status, text = ask(serve())
    assert status == 200
    assert read(text)["postroom_deliveries_total", "smtp", "sent"] == 500
    assert ask(serve(), "/healthz") == (200, "alive\n")
    assert ask(serve(), "/")[0] == 404


def test_with_a_token_only_its_bearer_reads(serve):
    exporter = serve(metrics_token="a token")
    assert ask(exporter)[0] == 401
    assert ask(exporter, Authorization="Bearer wrong")[0] == 401
    assert ask(exporter, Authorization="Bearer ümlaut".encode().decode("latin-1"))[0] == 401
    assert ask(exporter, Authorization="Bearer a token")[0] == 200


def test_a_second_exporter_gives_way(stores, serve, here):
    from dataclasses import replace

    taken = serve()
    assert start_exporter(stores, replace(here, metrics_port=taken.port)) is None
    assert start_exporter(stores, here) is None  # port 0: not wanted


def test_the_newest_worker_counts_and_the_forgotten_go(stores):
    def age(seconds):
        return Tick("runs", timedelta(seconds=1), timedelta(seconds=seconds))

    with stores.sessions.begin() as session:
        ticks.record(session, [age(5), Tick("gone", timedelta(seconds=1), timedelta(days=2))])
        ticks.record(session, [age(500)])
        (found,) = ticks.ages(session)
    assert found.age.total_seconds() == pytest.approx(5, abs=4)
    assert not found.late
    with stores.sessions.begin() as session:
        session.execute(sa.text("DELETE FROM ticks"))
        ticks.record(session, [age(17)])
        assert ticks.ages(session)[0].late


def test_admin_md_names_every_metric_as_it_is():
    known = {one.name: one for one in (*names.COUNTED, *names.MEASURED)}
    rows = {name: rest for name, *rest in ROW.findall(ADMIN)}
    assert set(rows) == set(known)
    for name, (sort, labels, says, _alert) in rows.items():
        assert sort == known[name].sort.value
        assert tuple(re.findall(r"\w+", labels)) == known[name].labels
        assert says == known[name].help


def test_names_are_in_base_units_and_counters_end_in_total():
    for one in (*names.COUNTED, *names.MEASURED):
        assert one.name.endswith("_total") == (one.sort is Sort.COUNTER)
        assert not re.search(r"_(ms|millis|minutes|kb|mb)\b", one.name)
        assert list(one.bounds) == sorted(one.bounds)
