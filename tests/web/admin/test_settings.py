"""Topics and senders: an empty installation comes to what a campaign needs through its pages alone."""

import pytest

from campaigns.records import consent, senders
from campaigns.records.staff import Desk
from campaigns.values import TopicClass
from tests.web.marketing.conftest import HOSTILE

SENDER = {
    "name": "Shop",
    "address": "Hello@Shop.example",
    "reply_to": "",
    "bounce_domain": "bounce.shop.example",
    "postal_address": "Shop\r\n1 High Street",
}


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def topics_of(office):
    with office.stores.readers() as session:
        return consent.all_topics(session)


def senders_of(office):
    with office.stores.readers() as session:
        return senders.listing(session)


def test_a_topic_is_made_and_changed_but_not_its_key_and_class(office):
    assert "No topic yet" in office.get("/settings/")
    page = office.post("/settings/topics", name="Our  letter ß", topic_class="service", public="1")
    assert "Our letter ß" in page
    [made] = topics_of(office)
    assert (made.key, made.topic_class, made.public) == ("our-letter-ss", TopicClass.SERVICE, True)
    form = {"name": "Letter", "description": "Weekly", "key": "other", "topic_class": "marketing"}
    office.post(f"/settings/topics/{made.id}", **form)
    assert topics_of(office) == [made._replace(name="Letter", description="Weekly", public=False)]


def test_all_that_is_wrong_with_a_topic_is_told_at_once_and_nothing_saved(office):
    office.post("/settings/topics", name="One", key="news", topic_class="marketing")
    form = {"name": " ", "key": "News!", "topic_class": "all", "description": "x" * 1001}
    page = office.post("/settings/topics", 422, **form)
    assert office.problems(page) == {"name", "key", "topic_class", "description"}
    assert 'value="News!"' in page
    again = office.post("/settings/topics", 422, name="Two", key="news", topic_class="marketing")
    assert office.problems(again) == {"key"}
    office.post(f"/settings/topics/{topics_of(office)[0].id}", 422, name="")
    assert [one.name for one in topics_of(office)] == ["One"]


def test_a_sender_is_added_changed_and_its_domain_warned_of(office):
    assert "No sender yet" in office.get("/settings/")
    page = office.post("/settings/senders", **SENDER)
    assert "may send for shop.example" in page
    [(number, made)] = senders_of(office)
    assert (made.address, made.reply_to) == ("hello@shop.example", None)
    assert made.postal_address == "Shop\n1 High Street"
    office.post(f"/settings/senders/{number}", **SENDER | {"bounce_domain": "rück.shop.example"})
    [(_, changed)] = senders_of(office)
    assert changed.bounce_domain == "xn--rck-hoa.shop.example"
    assert "Mail must be allowed to come from this domain" in office.get(f"/settings/senders/{number}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "shop.example"),
        ("address", "a b@shop.example"),
        ("address", "käse@shop.example"),
        ("address", "a@b@shop.example"),
        ("reply_to", "x@-"),
        ("bounce_domain", "b@shop.example"),
        ("bounce_domain", "localhost"),
        ("bounce_domain", "a..b"),
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("postal_address", " "),
    ],
)
def test_what_no_mail_could_be_sent_from_is_refused(office, field, value):
    page = office.post("/settings/senders", 422, **SENDER | {field: value})
    assert office.problems(page) == {field}
    assert senders_of(office) == []


def test_all_that_is_wrong_with_a_sender_is_told_at_once(office):
    form = {"name": "", "address": "x", "reply_to": "y", "bounce_domain": "z", "postal_address": ""}
    assert office.problems(office.post("/settings/senders", 422, **form)) == set(form)


def test_a_hostile_name_is_only_a_name(office):
    office.post("/settings/topics", name=HOSTILE, description=HOSTILE, topic_class="marketing")
    office.post("/settings/senders", **SENDER | {"name": HOSTILE, "postal_address": HOSTILE})
    paths = (
        "/settings/",
        f"/settings/topics/{topics_of(office)[0].id}",
        f"/settings/senders/{senders_of(office)[0][0]}",
    )
    for page in map(office.get, paths):
        assert "<script>alert" not in page
        assert "{{ 7 * 7 }}" in page


@pytest.mark.parametrize("desk", [Desk.MARKETING, Desk.SALES, Desk.SERVICE])
@pytest.mark.parametrize("path", ["/settings/", "/settings/topics/new", "/settings/senders/new", "/staff/"])
def test_only_administrators_see_the_settings(office, desk, path):
    client = office.at(desk)
    assert client.get(path).status_code == 403
    assert f'href="{path}"' not in client.get("/account/password").get_data(as_text=True)


@pytest.mark.parametrize("path", ["/settings/topics", "/settings/senders", "/staff/", "/account/password"])
def test_a_form_without_its_token_changes_nothing(office, path):
    assert office.client.post(path, data=SENDER | {"topic_class": "marketing"}).status_code == 400
    assert (topics_of(office), senders_of(office)) == ([], [])


@pytest.mark.parametrize("path", ["/settings/topics/99", "/settings/senders/99", "/staff/99"])
def test_what_is_not_there_is_not_found(office, path):
    office.get(path, 404)
    office.post(path, 404, **SENDER, desks="sales")
    office.get(f"{path}{'9' * 30}", 404)


def test_the_pages_speak_german(office):
    office.post("/language", locale="de", next="/settings/")
    assert "Noch kein Thema" in office.get("/settings/")
    assert "ist keine Domain." in office.post("/settings/senders", 422, **SENDER | {"bounce_domain": "x"})


@pytest.mark.parametrize("address", ["/settings/topics", "/settings/senders"])
def test_reloading_where_a_form_was_sent_leads_to_its_page(office, address):
    answer = office.client.get(address)
    assert (answer.status_code, answer.location) == (302, "/settings/")
