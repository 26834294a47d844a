"""What a form gives away, and how much of it anybody gets: nothing, and little (list bombing)."""

import base64
import json
import re
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from campaigns.delivery.lanes import LANES
from campaigns.flows import asking
from campaigns.forms import flags, visits
from campaigns.forms.spec import Asked, Spec, is_web_address, origin_of
from campaigns.forms.stamp import Fault, Stamp, Stamper, digest_of, new_stamp
from campaigns.forms.typed import clean, read_fields
from campaigns.model.customers import contacts
from campaigns.model.forms import form_limits, sign_ups
from campaigns.records import consent, form_mails, forms
from campaigns.records import sign_ups as records
from campaigns.records import suppressions as never
from campaigns.records.consent import Provenance
from campaigns.records.sign_ups import Posted
from campaigns.values import ContactId
from tests.factories import NOW, SECRET, a_contact
from tests.forms.scene import SHOP, WORDS, puzzle_of, solved, stamp_of
from tests.timed import until
from tests.web.public.scene import on_sqlite
from tests.web.public.scene import settings as settings_of
from web.hits import application

ADA = "ada@example.com"


def another_form(scene) -> int:
    with scene.stores.sessions.begin() as session:
        one = forms.get(session, scene.form)
        made = forms.add(session, "other", "Other", one.spec, sender=one.sender_id, template=one.template_id,
                         actor="test", now=scene.now)  # fmt: skip
        forms.switch(session, made, on=True, now=scene.now)
    return made


def posted(scene, form: int, address: str) -> None:
    hashed = never.address_hash(SECRET, address)
    came = Posted(form, 1, address, address, hashed, "", {scene.topics[0]: "words"}, {}, "en", "", "", "")
    with scene.stores.sessions.begin() as session:
        records.add(session, came, now=scene.now)


@contextmanager
def statements(stores):
    """The statements that a store is given, with nothing of their values."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        seen.append(re.sub(r"\s+", " ", statement))

    sa.event.listen(stores.engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(stores.engine, "before_cursor_execute", note)


def everyone(scene) -> dict[str, str]:
    """Addresses that we know very different things about."""
    with scene.stores.sessions.begin() as session:
        a_contact(session, email="granted@example.com", topic=scene.topics[0])
        left = a_contact(session, email="withdrawn@example.com", topic=scene.topics[0])
        how = Provenance(scene.now + timedelta(seconds=1), "unsubscribe", "test")
        consent.withdraw(session, ContactId(left), scene.topics[0], how, now=scene.now)
        a_contact(session, email="known@example.com")
        never.add(session, never.address_hash(SECRET, "suppressed@example.com"), "complaint", now=scene.now)
    for _ in range(2):
        scene.sign_up("limited@example.com", client="198.51.100.1")
        scene.work()
    return {
        name: f"{name}@example.com"
        for name in ("granted", "withdrawn", "known", "suppressed", "limited", "new")
    }


def test_a_post_is_answered_the_same_whatever_we_know_of_the_address(scene):
    answers = {}
    for number, (name, address) in enumerate(everyone(scene).items()):
        data = scene.fill(address)
        with statements(scene.stores) as seen:
            answer = scene.send(data, client=f"203.0.113.{number + 1}")
        headers = {key: value for key, value in answer.headers if key != "X-Request-ID"}
        answers[name] = (answer.status_code, answer.get_data(), headers, tuple(seen))
    assert len(answers) == 6
    one = answers["new"]
    assert all(answer == one for answer in answers.values())
    assert not any("contacts" in statement or "suppressions" in statement for statement in one[3])


def test_what_became_of_each_is_told_to_people_of_ours_only(scene):
    for number, address in enumerate(everyone(scene).values()):
        scene.sign_up(address, client=f"203.0.113.{number + 1}")
    scene.work()
    told = {row.masked[0]: row.reason for row in scene.rows(sign_ups) if row.id > 2}
    assert told == {"g": "already", "w": "", "k": "", "s": "suppressed", "l": "too soon", "n": ""}


def test_a_network_has_ten_posts_an_hour_whatever_the_addresses(scene):
    codes = [scene.sign_up(f"p{n}@example.com").status_code for n in range(12)]
    assert codes == [200] * 10 + [429] * 2
    assert scene.counts()["network"] == 2
    assert scene.sign_up("other@example.com", client="203.0.113.8").status_code == 200
    scene.pass_(hours=1)
    assert scene.sign_up("later@example.com").status_code == 200


def test_an_ipv6_network_is_one_visitor(scene):
    codes = [
        scene.sign_up(f"p{n}@example.com", client=f"2001:db8:1:2::{n:x}").status_code for n in range(1, 13)
    ]
    assert codes.count(429) == 2
    assert scene.sign_up("x@example.com", client="2001:db8:1:3::1").status_code == 200


def test_two_processes_share_one_count(scene, tmp_path):
    url = scene.stores.engine.url.render_as_string(hide_password=False)
    first, second = scene.client, Client(application(scene.stores, settings_of(tmp_path, url)))
    codes = []
    for n in range(12):
        scene.client = second if n % 2 else first
        codes.append(scene.sign_up(f"p{n}@example.com").status_code)
    assert codes.count(429) == 2


def test_a_form_has_a_limit_whatever_the_networks(scene, monkeypatch):
    monkeypatch.setattr(visits, "SOLVED", visits.Limits(10, 5))
    codes = [scene.sign_up(f"p{n}@example.com", client=f"198.51.{n}.1").status_code for n in range(7)]
    assert codes == [200] * 5 + [429] * 2
    assert scene.counts()["crowd"] == 2


def test_without_a_script_the_second_page_takes_it_under_stricter_limits(scene):
    codes = []
    for n in range(5):
        first = scene.sign_up(f"p{n}@example.com", solve=False)
        page = first.get_data(as_text=True)
        assert "Please check, then send" in page
        assert f'value="p{n}@example.com"' in page
        answer = scene.send(scene.fill(f"p{n}@example.com", solve=False, page=page))
        codes.append(answer.status_code)
    assert codes == [200, 200, 200, 429, 429]
    assert {row.flags for row in scene.rows(sign_ups)} == {"plain"}


def test_the_second_page_too_needs_its_time(scene):
    page = scene.sign_up(ADA, solve=False).get_data(as_text=True)
    answer = scene.send({"address": ADA, "stamp": stamp_of(page)})
    assert "Please check, then send" in answer.get_data(as_text=True)
    assert scene.rows(sign_ups) == []


def test_a_post_without_our_stamp_as_from_another_site_leads_to_the_second_page(scene):
    answer = scene.send({"address": ADA}, headers={"Origin": "https://elsewhere.example"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "Please check, then send" in page
    assert scene.rows(sign_ups) == []
    scene.send(scene.fill(ADA, page=page))
    assert len(scene.rows(sign_ups)) == 1


def test_a_stamp_is_good_for_one_post(scene):
    data = scene.fill(ADA)
    answers = [scene.send({**data, "address": f"p{n}@example.com"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [row.masked for row in scene.rows(sign_ups)] == ["p…@example.com"]


def test_a_solution_is_good_for_its_own_page_only(scene):
    other = solved(puzzle_of(scene.page()))
    data = scene.fill(ADA) | {"altcha": other}
    assert "Please check" in scene.send(data).get_data(as_text=True)
    assert scene.rows(sign_ups) == []


@pytest.mark.parametrize(
    "solution", ["", "x", "e30=", "bnVsbA==", "W10=", "A" * 5000, "eyJjaGFsbGVuZ2UiOnt9fQ=="]
)
@on_sqlite
def test_no_nonsense_is_a_solution(scene, solution):
    assert "Please check" in scene.send(scene.fill(ADA) | {"altcha": solution}).get_data(as_text=True)


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("parameters", "cost", 20.0),
        ("parameters", "keyLength", 32.0),
        ("parameters", "keyLength", True),
        ("solution", "counter", 1.5),
        ("solution", "counter", -1),
        ("solution", "counter", 2**32),
        ("solution", "counter", "1"),
        ("solution", "counter", None),
        ("solution", "derivedKey", 7),
    ],
)
@on_sqlite
def test_a_genuine_puzzle_with_odd_numbers_is_not_solved(scene, where, name, value):
    filled = scene.fill(ADA)
    told = json.loads(base64.b64decode(filled["altcha"]))
    (told["challenge"]["parameters"] if where == "parameters" else told["solution"])[name] = value
    odd = base64.b64encode(json.dumps(told).encode()).decode()
    answer = scene.send(filled | {"altcha": odd})
    assert (answer.status_code, "Please check" in answer.get_data(as_text=True)) == (200, True)


def test_a_filled_trap_is_thanked_and_nothing_more(scene):
    answer = scene.sign_up(ADA, more="http://buy.example")
    assert answer.get_data() == scene.sign_up("b@example.com").get_data()
    assert [row.masked for row in scene.rows(sign_ups)] == ["b…@example.com"]
    assert scene.counts()["honeypot"] == 1


def test_a_page_that_says_something_else_by_now_is_shown_again(scene):
    data = scene.fill(ADA)
    scene.edit(words={"en": WORDS["en"].__class__("T", "Yes, sell my address", "Go")})
    answer = scene.send(data)
    assert "Yes, sell my address" in answer.get_data(as_text=True)
    assert scene.rows(sign_ups) == []


@pytest.mark.parametrize("told", ["10.0.0.1", "1.2.3.4, 5.6.7.8", "<script>"])
@on_sqlite
def test_a_stranger_cannot_say_which_network_it_comes_from(scene, told):
    data = scene.fill(ADA)
    environ = {"REMOTE_ADDR": "203.0.113.77"}
    scene.client.post(
        f"/f/{scene.key}", data=data, headers={"X-Forwarded-For": told}, environ_overrides=environ
    )
    assert scene.newest().network == "203.0.113.0/24"


@pytest.mark.parametrize(
    "name",
    [
        "http://win.example",
        "www.win.example",
        "Win at casino.example now",
        "a/b",
        "x" * 81,
        "<b>Ada</b>",
        "a@b.example",
    ],
)
@on_sqlite
def test_a_name_is_no_billboard(scene, name):
    scene.edit(fields=(Asked("given_name"),))
    answer = scene.sign_up(ADA, given_name=name)
    assert answer.status_code == 422
    assert scene.rows(sign_ups) == []


def test_signs_of_markup_are_told_as_such_and_not_as_a_web_address():
    _values, problems = read_fields(Spec((1,), WORDS, (Asked("given_name"),)), {"given_name": "<b>"}, {})
    assert [one.what for one in problems] == ["may hold none of < > { }."]


@pytest.mark.parametrize(
    "name", ["Anna-Lena", "O'Brien", "محمد", "St. John", "J. R. R.", "Đặng Thị Hồng", "नेहा", "Dr.med. Ada"]
)
def test_a_name_is_a_name(name):
    values, problems = read_fields(Spec((1,), WORDS, (Asked("given_name"),)), {"given_name": name}, {})
    assert problems == []
    assert values["given_name"] == clean(name)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_what_is_typed_never_keeps_what_cannot_be_seen(text):
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]", clean(text))


def test_few_yeses_halt_a_form_and_people_of_ours_see_it(scene):
    for n in range(35):
        scene.sign_up(f"p{n}@example.com", client=f"198.51.{n}.1")
    scene.work()
    mails = scene.mails()
    assert len(mails) == 35
    scene.pass_(minutes=15)
    scene.sign_up(ADA, client="192.0.2.1")
    scene.work()
    assert scene.newest().reason == "halted"
    with scene.stores.readers() as session:
        assert forms.how_many_halted(session, scene.now) == 1
        assert forms.get(session, scene.form).is_halted(scene.now)
    scene.pass_(hours=1, minutes=1)
    scene.sign_up(ADA, client="192.0.2.1")
    scene.work()
    assert scene.newest().state == "mailed"


def test_while_nothing_can_be_sent_no_form_is_halted(scene):
    """A mail that waits in the outbox cannot have been answered."""
    for n in range(30):
        posted(scene, scene.form, f"p{n}@example.com")
    scene.work()
    scene.pass_(minutes=15)
    posted(scene, scene.form, ADA)
    scene.work()
    assert (scene.newest().state, scene.newest().reason) == ("mailed", "")
    with scene.stores.readers() as session:
        assert form_mails.sent(session, [scene.form], since=NOW) == {}
        assert set(form_mails.mail_states(session, records.newest(session, scene.form)).values()) == {
            "queued"
        }
        assert forms.how_many_halted(session, scene.now) == 0
    scene.mails()  # the server is back; people have time to answer from now on
    scene.pass_(minutes=9)
    posted(scene, scene.form, "b@example.com")
    scene.work()
    assert scene.newest().state == "mailed"
    scene.pass_(minutes=2)
    posted(scene, scene.form, "c@example.com")
    scene.work()
    assert scene.newest().reason == "halted"
    with scene.stores.readers() as session:
        assert form_mails.sent(session, [scene.form], since=NOW) == {scene.form: 31}


def test_mails_that_went_out_late_are_still_a_burst(scene, monkeypatch):
    monkeypatch.setattr(asking, "MOST_UNTRIED", 5)
    for n in range(5):
        posted(scene, scene.form, f"p{n}@example.com")
    scene.work()
    scene.pass_(hours=3)
    scene.mails()
    posted(scene, scene.form, ADA)
    scene.work()
    assert scene.newest().state == "posted"


def test_enough_yeses_keep_a_form_going(scene):
    for n in range(31):
        scene.sign_up(f"p{n}@example.com", client=f"198.51.{n}.1")
    scene.work()
    for mail in scene.mails()[:4]:
        scene.confirm(mail)
    scene.pass_(minutes=15)
    scene.sign_up(ADA, client="192.0.2.1")
    scene.work()
    assert scene.newest().state == "mailed"


def test_a_burst_waits_until_people_had_time_to_answer(scene, monkeypatch):
    monkeypatch.setattr(asking, "MOST_UNTRIED", 5)
    for n in range(8):
        scene.sign_up(f"p{n}@example.com", client=f"198.51.{n}.1")
    scene.work()
    assert sorted(row.state for row in scene.rows(sign_ups)) == ["mailed"] * 5 + ["posted"] * 3
    scene.pass_(minutes=11)
    scene.work()
    assert [row.state for row in scene.rows(sign_ups)] == ["mailed"] * 8


def test_a_flooded_form_keeps_nobody_of_another_waiting(scene):
    other = another_form(scene)
    for n in range(160):
        posted(scene, scene.form, f"p{n}@example.com")
    posted(scene, other, ADA)
    for _ in range(6):
        scene.work()
    states = {row.form_id: row.state for row in scene.rows(sign_ups)}
    assert states[other] == "mailed"
    assert [row.state for row in scene.rows(sign_ups)].count("mailed") == asking.MOST_UNTRIED + 1


def test_two_forms_that_are_posted_one_address_at_once_write_one_mail(scene, monkeypatch):
    other = another_form(scene)
    for form in (scene.form, other):  # their campaigns are there already, so nothing else makes workers wait
        posted(scene, form, f"first{form}@example.com")
    scene.work()
    monkeypatch.setattr(asking, "AT_ONCE", 1)
    for form in (scene.form, other):
        posted(scene, form, ADA)
    with scene.stores.sessions.begin() as session:
        asking.write_mails(session, scene.now)
        second = Thread(target=scene.work)
        second.start()
        second.join(1)  # on SQLite it waits for us
    second.join()
    scene.work()
    told = [row.reason for row in scene.rows(sign_ups)[2:]]
    assert told == ["", "too soon"]
    assert len(scene.rows(contacts)) == 3


@on_sqlite
def test_a_burst_over_all_forms_waits_too(scene, monkeypatch):
    monkeypatch.setattr(asking, "MOST_UNTRIED_IN_ALL", 3)
    for n in range(5):
        scene.sign_up(f"p{n}@example.com", client=f"198.51.{n}.1")
    scene.work()
    assert sorted(row.state for row in scene.rows(sign_ups)) == ["mailed"] * 3 + ["posted"] * 2


def test_counters_of_networks_are_bounded_and_name_nobody():
    keys = {
        visits.counter_key(b"k" * 32, "network", visits.counted_as(f"2001:db8:{n:x}::1"), buckets=50)
        for n in range(2000)
    }
    assert len(keys) == 50


def test_old_counters_are_forgotten(scene):
    scene.sign_up(ADA)
    assert len(scene.rows(form_limits)) == 3
    scene.pass_(hours=5)
    scene.forget()
    assert scene.rows(form_limits) == []


def test_pages_that_are_asked_for_at_once_are_counted_in_one_commit(scene, monkeypatch):
    """Whoever asks for a form again and again makes the store write no more often than it can."""
    book = scene.client.application.book
    store, begun, go = book.store, Event(), Event()
    sizes = []

    def slowly(entries):
        sizes.append(len(entries))
        begun.set()
        go.wait(240)
        store(entries)

    monkeypatch.setattr(book, "store", slowly)

    def ask(path):
        Client(scene.client.application).get(path)

    def start(path):
        asking_ = Thread(target=ask, args=(path,))
        asking_.start()
        return asking_

    first = start(f"/f/{scene.key}")
    assert begun.wait(120)
    rest = [start(f"/f/{scene.key}{more}") for more in ("", "/offer") * 4]
    until(lambda: len(book._waiting) >= len(rest))
    go.set()
    for one in (first, *rest):
        one.join()
    assert sizes == [1, len(rest)]
    assert scene.counts() == {"shown": 1 + len(rest)}


def test_a_form_is_shown_though_its_use_cannot_be_counted(scene, monkeypatch):
    def fail(_entries):
        raise RuntimeError("a full disk")

    monkeypatch.setattr(scene.client.application.book, "store", fail)
    answer = scene.get(f"/f/{scene.key}")
    assert answer.status_code == 200
    assert "Hear from us" in answer.get_data(as_text=True)


# ---- sites that ask by script


def offer(scene, **headers):
    return scene.client.get(f"/f/{scene.key}/offer", headers=headers)


def post_json(scene, data, **headers):
    return scene.client.post(f"/f/{scene.key}", json=data, headers=headers)


def answer_to(scene, got) -> dict:
    scene.pass_(seconds=5)
    told = got.get_json()
    return {
        "address": ADA,
        "topics": scene.topics,
        "stamp": told["stamp"],
        "altcha": solved(told["challenge"]),
    }


def test_a_site_that_may_ask_signs_up_by_json(scene):
    scene.edit(origins=(SHOP,))
    got = offer(scene, Origin=SHOP)
    assert got.headers["Access-Control-Allow-Origin"] == SHOP
    answer = post_json(scene, answer_to(scene, got), Origin=SHOP)
    assert (answer.status_code, answer.get_json()["status"]) == (202, "received")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "Origin" in answer.headers["Vary"]
    assert scene.newest().flags == "script"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{SHOP}.evil.example", "http://www.shop.example"]
)
@on_sqlite
def test_no_other_site_may_ask(scene, origin):
    scene.edit(origins=(SHOP,))
    refused = offer(scene, Origin=origin)
    assert refused.status_code == 403
    data = answer_to(scene, offer(scene, Origin=SHOP))
    answers = [
        refused,
        post_json(scene, data, Origin=origin),
        scene.client.options(f"/f/{scene.key}", headers={"Origin": origin}),
    ]
    assert answers[1].status_code == 403
    assert not any("Access-Control-Allow-Origin" in answer.headers for answer in answers)
    assert scene.rows(sign_ups) == []


def test_a_browser_may_ask_before_it_posts(scene):
    scene.edit(origins=(SHOP,))
    asked = scene.client.options(f"/f/{scene.key}", headers={"Origin": SHOP})
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert "Access-Control-Allow-Credentials" not in asked.headers


@pytest.mark.parametrize("missing", ["stamp", "altcha"])
@on_sqlite
def test_a_script_without_stamp_or_work_gets_nowhere(scene, missing):
    data = answer_to(scene, offer(scene))
    answer = post_json(scene, {**data, missing: ""})
    assert answer.status_code == 422
    assert answer.get_json()["problems"][0]["where"] == missing
    assert scene.rows(sign_ups) == []


@pytest.mark.parametrize(
    "body", ["[]", "1", "{", "null", '{"address": {"$gt": ""}, "topics": "all"}', '{"a":' * 3000]
)
@on_sqlite
def test_no_json_breaks_it(scene, body):
    answer = scene.client.post(f"/f/{scene.key}", data=body, content_type="application/json")
    assert answer.status_code in {400, 422}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=90))
def test_no_text_is_a_stamp(text):
    read = Stamper(SECRET).read(text, form=1, digest=b"12345678", now=NOW)
    assert read is Fault.FORGED


def test_a_stamp_of_another_form_time_or_text_is_refused():
    stamper, digest = Stamper(SECRET), digest_of("words")
    text = stamper.sign(new_stamp(1, digest, NOW))
    later = NOW + timedelta(seconds=10)
    assert isinstance(stamper.read(text, form=1, digest=digest, now=later), Stamp)
    assert stamper.read(text, form=2, digest=digest, now=later) is Fault.FORGED
    assert stamper.read(text, form=1, digest=digest_of("other"), now=later) is Fault.CHANGED
    assert stamper.read(text, form=1, digest=digest, now=NOW) is Fault.QUICK
    assert stamper.read(text, form=1, digest=digest, now=NOW + timedelta(hours=5)) is Fault.OLD
    assert stamper.read(text, form=1, digest=digest, now=NOW - timedelta(hours=5)) is Fault.OLD
    assert Stamper(b"another").read(text, form=1, digest=digest, now=later) is Fault.FORGED


@pytest.mark.parametrize(
    "address",
    ["http://shop.example", "javascript:alert(1)", "//evil.example", "https://a@evil.example", "https://", "https:/x",
     "https://shop.example\\@evil.example", "https://shop.example/\n", "data:text/html,x", "https://shöp.example"],
)  # fmt: skip
def test_only_a_plain_https_address_is_a_place_to_go_afterwards(address):
    assert not is_web_address(address)


@pytest.mark.parametrize(
    ("address", "origin"),
    [("https://Shop.Example/x?y", "https://shop.example"), ("https://shop.example:8443", "https://shop.example:8443"),
     ("http://shop.example", ""), ("http://localhost:8000", "http://localhost:8000"), ("https://*", ""),
     ("https://a@b.example", ""), ("null", ""), ("https://shop.example; script-src *", ""), ("https://[", "")],
)  # fmt: skip
def test_an_origin_is_read_as_browsers_write_it(address, origin):
    assert origin_of(address) == origin


def test_addresses_of_tasks_and_for_throwing_away_are_known():
    assert flags.is_role("postmaster@example.com")
    assert flags.is_role("info+x@example.com")
    assert not flags.is_role("infonaut@example.com")
    assert flags.is_disposable("a@mailinator.com")
    assert flags.is_disposable("a@b.c.mailinator.com")
    assert not flags.is_disposable("a@mailinator.com.shop.example")
    assert not flags.is_disposable("a@ourmailinator.com")


def test_the_list_of_domains_for_throwing_away_is_long_and_holds_nobodys_mailbox():
    listed = flags._disposable()
    assert len(listed) > 10_000
    assert all(one == one.strip().lower() and one.isascii() and "." in one for one in listed)
    assert not [
        domain for domain in (*LANES, "duck.com", "shop.example") if flags.is_disposable(f"ada@{domain}")
    ]
