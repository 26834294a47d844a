"""Who may see and do what, lists, tasks, cases and the look-up."""

import pytest
import sqlalchemy as sa

from campaigns.records import cases, tasks
from campaigns.records.cases import NewCase
from campaigns.records.staff import Desk
from campaigns.records.tasks import NewTask
from tests.factories import NOW, a_contact, a_customer
from tests.web.sales.conftest import DESKS, HOSTILE, Shop, press, text_of

ALL, ACTING, LIFTING = set(DESKS), set(DESKS) - {Desk.MARKETING}, {Desk.SERVICE, Desk.ADMIN}
READS = {
    "/customers": ALL,
    "/customers/{customer}": ALL,
    "/customers/{customer}/stream": ALL,
    "/customers/{customer}/mail/{run}/1": ALL,
    "/customers/{customer}/mail/{run}/1/body": ALL,
    "/customers/{customer}/contacts/{contact}.json": LIFTING,
    "/tasks": ACTING,
    "/cases": ACTING,
    "/lookup": ACTING,
}
WRITES = {
    "/customers/{customer}/note": ACTING,
    "/customers/{customer}/task": ACTING,
    "/customers/{customer}/case": ACTING,
    "/customers/{customer}/hold": ACTING,
    "/customers/{customer}/consent": ACTING,
    "/customers/{customer}/role": ACTING,
    "/customers/{customer}/owner": ACTING,
    "/customers/{customer}/lift": LIFTING,
    "/customers/{customer}/erase": LIFTING,
    "/tasks/{task}/done": ACTING,
    "/tasks/{task}/take": ACTING,
    "/cases/{case}/close": ACTING,
    "/cases/{case}/take": ACTING,
}
OURS = {"customers", "tasks", "cases", "lookup"}


@pytest.fixture
def places(shop: Shop) -> dict[str, int]:
    with shop.stores.sessions.begin() as session:
        case = cases.open_case(session, NewCase(shop.lived.customer, "complaint", "Late"), actor="x", now=NOW)
        tasks.create(
            session, NewTask(shop.lived.customer, None, "Call", "", None, dedupe="d"), actor="x", now=NOW
        )
        task = tasks.listing(session, owner=None)[0][0].id
    named = {"customer": shop.lived.customer, "contact": shop.lived.contact, "run": shop.lived.run}
    return {**named, "case": case, "task": task}


@pytest.mark.parametrize("desk", DESKS)
def test_each_desk_sees_its_pages_and_no_others(shop: Shop, places, desk):
    client = shop.at(desk)
    answers = {path: client.get(path.format(**places)).status_code for path in READS}
    assert answers == {path: 200 if desk in who else 403 for path, who in READS.items()}


@pytest.mark.parametrize("desk", DESKS)
def test_each_desk_does_its_work_and_no_other(shop: Shop, places, desk):
    client = shop.at(desk)
    for path, who in WRITES.items():
        status = press(client, path.format(**places)).status_code
        assert (status != 403) == (desk in who), path


def test_every_page_and_act_of_these_desks_is_in_the_matrix(shop: Shop):
    rules = [rule for rule in shop.app.url_map.iter_rules() if rule.endpoint.partition(".")[0] in OURS]
    reads = sum("GET" in rule.methods for rule in rules)
    writes = sum("POST" in rule.methods for rule in rules)
    assert (reads, writes) == (len(READS), len(WRITES))


def test_a_stranger_is_led_to_the_login(shop: Shop, places):
    client = shop.app.test_client()
    for path in READS:
        assert client.get(path.format(**places)).location.startswith("/login")


def test_no_act_is_taken_without_the_pages_token(shop: Shop, places):
    client = shop.at(Desk.ADMIN)
    for path in WRITES:
        assert client.post(path.format(**places), data={"note-text": "x"}).status_code == 400, path


def test_marketing_reads_the_record_and_is_offered_no_act(shop: Shop, places):
    page = text_of(shop.at(Desk.MARKETING).get(f"/customers/{places['customer']}"))
    acts = [path.format(**places) for path in WRITES]
    assert [path for path in acts if f'action="{path}"' in page] == []


# ---- the list ----


def test_the_list_is_searched_and_narrowed(shop: Shop):
    with shop.stores.sessions.begin() as session:
        for number, stage in enumerate(("active", "lapsed")):
            a_contact(
                session,
                customer_id=a_customer(session, name=f"Zoë {number}", stage=stage, country="AT"),
                country="AT",
            )
    client = shop.at(Desk.SALES)
    found = text_of(client.get("/customers?q=zoë"))
    assert ("Zoë 0" in found, "Zoë 1" in found, "Elsewhere" in found) == (True, True, False)
    found = text_of(client.get("/customers?q=zoë&stage=lapsed&country=AT"))
    assert ("Zoë 0" in found, "Zoë 1" in found) == (False, True)
    assert '<option value="AT" selected>Austria</option>' in found
    assert "Nobody matches" in text_of(client.get("/customers?q=nobody"))
    assert "Elsewhere" not in text_of(client.get("/customers?owner=me"))


def test_an_address_of_nonsense_shows_a_list_all_the_same(shop: Shop):
    client = shop.at(Desk.SALES)
    for query in ("page=0", "page=-1", "page=x&q=a", "page=" + "9" * 40, "page=999999999999999999&q=a", "before=x", "owner=x",
                  "owner=999999999999999999", "stage=%00", "country=%00", "q=%00", "q=%FF", "page=٣", "before=0"):  # fmt: skip
        assert client.get(f"/customers?{query}").status_code == 200, query
    for path in (
        "/tasks?page=999999999999999999",
        "/cases?page=999999999999999999",
        "/tasks?view=x",
        "/cases?kind=x&state=x",
    ):
        assert client.get(path).status_code == 200, path


def test_the_list_is_leafed_through_by_link(shop: Shop):
    with shop.stores.sessions.begin() as session:
        for number in range(60):
            a_customer(session, name=f"Leaf {number:02}")
    client = shop.at(Desk.SALES)
    first = text_of(client.get("/customers"))
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = text_of(client.get(following))
    assert ("Leaf 59" in first, "Leaf 10" in first, "Leaf 09" in second, "Leaf 10" in second) == (
        True,
        True,
        True,
        False,
    )
    assert 'rel="next"' not in second


def test_an_empty_store_says_what_customers_are(shop: Shop):
    client = shop.at(Desk.SALES)
    with shop.stores.sessions.begin() as session:
        for table in ("consents", "messages", "contacts", "customers"):
            session.execute(sa.text(f"delete from {table}"))
    assert "No customers yet" in text_of(client.get("/customers"))
    assert "No open cases" in text_of(client.get("/cases"))
    assert "Nothing to do" in text_of(client.get("/tasks"))


# ---- tasks and cases ----


def test_a_task_is_taken_done_and_gone_from_the_list(shop: Shop, places):
    client = shop.at(Desk.SALES)
    assert "Call" in text_of(client.get("/tasks?view=unowned"))
    press(client, f"/tasks/{places['task']}/take")
    assert "Call" in text_of(client.get("/tasks"))
    answer = press(client, f"/tasks/{places['task']}/done", outcome="Reached", next="//evil.example/")
    assert answer.location == "/"
    assert "Nothing to do" in text_of(client.get("/tasks"))
    assert "Call" in text_of(client.get("/tasks?view=done"))
    assert "Reached" in text_of(client.get(f"/customers/{places['customer']}"))


def test_cases_are_narrowed_taken_and_closed(shop: Shop, places):
    client = shop.at(Desk.SERVICE)
    assert "Late" in text_of(client.get("/cases?kind=complaint"))
    assert "Late" not in text_of(client.get("/cases?kind=return"))
    press(client, f"/cases/{places['case']}/take")
    assert "<bdi>Service</bdi>" in text_of(client.get("/cases"))
    press(client, f"/cases/{places['case']}/close", next="/cases")
    assert "Late" not in text_of(client.get("/cases"))
    assert "Late" in text_of(client.get("/cases?state=closed"))


# ---- the look-up ----


def test_a_single_match_opens_the_record_at_once(shop: Shop):
    client = shop.at(Desk.SERVICE)
    assert client.get("/lookup?q=person@example.com").location == f"/customers/{shop.lived.customer}"
    assert client.get("/lookup", query_string={"q": HOSTILE}).location == f"/customers/{shop.lived.customer}"


def test_several_matches_are_listed_and_none_says_what_to_try(shop: Shop):
    with shop.stores.sessions.begin() as session:
        for number in range(2):
            a_customer(session, name=f"Zoë {number}")
    client = shop.at(Desk.SERVICE)
    assert text_of(client.get("/lookup?q=zoë")).count("/customers/") >= 2
    assert "Nobody matches" in text_of(client.get("/lookup?q=nobody"))


def test_the_pages_speak_german(shop: Shop, places):
    client, german = shop.at(Desk.SERVICE), {"Accept-Language": "de"}
    assert "Vorgänge" in text_of(client.get("/cases", headers=german))
    page = text_of(client.get(f"/customers/{places['customer']}", headers=german))
    assert "Nicht angeschrieben: keine Einwilligung zu" in page
    assert "ein Mail-Proxy, kein Mensch" in page
