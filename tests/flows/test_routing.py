"""Mail of every sort goes by the routes: what the worker freezes, tests, and confirmations."""

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.flows import asking, schedule, testing
from campaigns.model.accounts import accounts
from campaigns.model.mail import chunks, runs
from campaigns.records import segments
from campaigns.values import TopicClass
from campaigns.wiring import routing_of
from campaigns.worker import Worker
from tests.factories import a_campaign, a_contact, a_topic
from tests.forms.scene import a_form_scene

FILE = """
[accounts.main]
kind = "smtp"
url = "smtp://127.0.0.1:1"
[accounts.google]
kind = "smtp"
url = "smtp://127.0.0.1:1"
[accounts.service]
kind = "smtp"
url = "smtp://127.0.0.1:1"
[[routes]]
class = ["service", "transactional"]
accounts = "service"
[[routes]]
lane = "google"
accounts = "google"
[[routes]]
accounts = "main"
"""
EVERYBODY = {"version": 1, "rule": {"field": "contact.email", "is": "set"}}


@pytest.fixture
def settings(tmp_path, database_url):
    def read(text=FILE):
        file = tmp_path / "accounts.toml"
        file.write_text(text)
        env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_DATABASE_URL": database_url}
        return from_environment(env | ({"POSTROOM_ACCOUNTS": str(file)} if text else {}))

    return read


def a_due_campaign(stores, topic_class=TopicClass.MARKETING):
    now = utc_now()
    with stores.sessions.begin() as session:
        topic = a_topic(session, topic_class)
        for domain in ("gmail.com", "gmx.de", "example.com"):
            a_contact(session, topic=topic, email=f"{topic_class.value}@{domain}")
        if segments.find(session, "all") is None:
            segments.save(session, "all", "All", EVERYBODY, author="test", now=now)
        campaign = a_campaign(session, topic=topic, segment_id=segments.find(session, "all"))
        schedule.schedule(session, campaign, actor="test", now=now)
    return campaign


def accounts_of(stores, campaign):
    with stores.readers() as session:
        query = (
            sa.select(chunks.c.lane, chunks.c.account)
            .join(runs, runs.c.id == chunks.c.run_id)
            .where(runs.c.campaign_id == campaign)
        )
        return dict(session.execute(query).all())


def test_the_worker_freezes_each_run_by_the_accounts_file(stores, settings):
    news, service = a_due_campaign(stores), a_due_campaign(stores, TopicClass.SERVICE)
    worker = Worker(stores, settings())
    for _ in range(3):
        worker.tick_runs()
    assert accounts_of(stores, news) == {"google": "google", "gmx": "main", "other": "main"}
    assert set(accounts_of(stores, service).values()) == {"service"}


def test_without_the_file_all_is_as_it_was(stores, settings):
    news = a_due_campaign(stores)
    worker = Worker(stores, settings(""))
    for _ in range(2):
        worker.tick_runs()
        worker.tick_accounts()
    assert set(accounts_of(stores, news).values()) == {"main"}
    with stores.readers() as session:
        assert session.execute(sa.select(accounts)).all() == []


def test_what_was_frozen_before_there_was_a_file_goes_on_by_its_routes(stores, settings):
    news = a_due_campaign(stores)
    for _ in range(2):
        Worker(stores, settings("")).tick_runs()
    Worker(stores, settings(FILE.replace("main", "relay"))).tick_accounts()
    assert accounts_of(stores, news) == {"google": "google", "gmx": "relay", "other": "relay"}


@pytest.mark.parametrize(("address", "account"), [("me@gmail.com", "google"), ("me@example.com", "main")])
def test_a_test_mail_goes_as_the_campaigns_mail_to_such_an_address_would(stores, settings, address, account):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        campaign = a_campaign(session, topic=topic)
        contact = a_contact(session, topic=topic)
        routing = routing_of(settings())
        testing.send_test(session, campaign, contact=contact, address=address, now=utc_now(), routing=routing)
    assert list(accounts_of(stores, campaign).values()) == [account]


def test_the_mail_that_asks_for_a_confirmation_goes_by_the_routes_too(
    stores, settings, tmp_path, monkeypatch
):
    scene = a_form_scene(stores, tmp_path, monkeypatch)
    scene.sign_up("new@gmail.com")
    with stores.sessions.begin() as session:
        asking.write_mails(session, scene.now, routing_of(settings()))
    with stores.readers() as session:
        assert session.scalars(sa.select(chunks.c.account)).all() == ["service"]
