"""The record's page: nothing hostile gets through, all that happened is told, acts leave their mark."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.model.customers import contacts
from campaigns.model.events import hits
from campaigns.model.mail import campaigns as campaign_table
from campaigns.records import cases, consent, customers, history, segments, staff, suppressions, tasks
from campaigns.records.customers.stream import GROUPS
from campaigns.records.staff import Desk
from campaigns.values import ContactId, EventKind, Fact, Verdict
from tests.factories import NOW, a_campaign
from tests.web.sales.conftest import HOSTILE, Shop, press, text_of


def kept(shop: Shop):
    """What the store holds of the customer now."""
    with shop.stores.readers() as session:
        return customers.summary(session, shop.lived.customer, NOW)


def newest(shop: Shop):
    with shop.stores.readers() as session:
        return history.timeline(session, customer=shop.lived.customer, limit=1)[0]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_hostile_words_stay_words_wherever_they_stand(shop: Shop):
    client = shop.at(Desk.ADMIN)
    with shop.stores.sessions.begin() as session:
        cases.open_case(
            session, cases.NewCase(shop.lived.customer, "complaint", HOSTILE), actor=HOSTILE, now=NOW
        )
        tasks.create(
            session, tasks.NewTask(shop.lived.customer, None, HOSTILE, HOSTILE, None), actor=HOSTILE, now=NOW
        )
    record = f"/customers/{shop.lived.customer}"
    for path in (
        record,
        f"{record}/stream",
        "/customers",
        "/customers?q=%3Cscript",
        "/cases",
        "/tasks?view=unowned",
        f"/lookup?q={HOSTILE}x",
    ):
        page = text_of(client.get(path, follow_redirects=True))
        assert "alert(1)" in page, path
        assert "<script>alert" not in page, path
        assert "<img" not in page.replace('<img src="/static/', ""), path


def test_every_kind_of_event_is_told_in_words(shop: Shop):
    page = text_of(shop.at(Desk.SALES).get(f"/customers/{shop.lived.customer}"))
    assert page.count('class="stream-what"') == len(EventKind) + 1
    for kind in EventKind:
        assert f'stream-what">{kind.value}<' not in page
    assert "– a mail proxy, not a person" in page


def test_a_mail_that_was_not_sent_says_why_in_plain_words(shop: Shop):
    page = plain(text_of(shop.at(Desk.SALES).get(f"/customers/{shop.lived.customer}?show=mail")))
    assert "Not mailed: no consent to News" in page


def test_the_stream_is_narrowed_to_a_group(shop: Shop):
    client = shop.at(Desk.SALES)
    for group, kinds in GROUPS.items():
        page = text_of(client.get(f"/customers/{shop.lived.customer}?show={group}"))
        assert page.count('class="stream-what"') == len(kinds) + (group == "mail"), group


def test_what_machines_did_can_be_hidden(shop: Shop):
    client = shop.at(Desk.SALES)
    with shop.stores.sessions.begin() as session:
        history.record(
            session,
            Fact(
                EventKind.OPENED, NOW, "h", shop.lived.contact, None, shop.lived.run, 1, verdict=Verdict.HUMAN
            ),
        )
    page = text_of(client.get(f"/customers/{shop.lived.customer}?people=1&show=mail"))
    assert page.count('class="stream-what"') == 2  # the person's, and the unsent mail
    assert "– a person" in page


def test_reading_on_by_link_and_by_part_shows_each_line_once(shop: Shop):
    client = shop.at(Desk.SALES)
    with shop.stores.sessions.begin() as session:
        for number in range(95):
            customers.note(
                session,
                shop.lived.customer,
                f"note number {number:03}.",
                actor="a",
                now=NOW + timedelta(hours=number // 7),
                once=f"n{number}",
            )
    found, path, parts = [], f"/customers/{shop.lived.customer}?show=service", 0
    while path:
        page = text_of(client.get(path))
        found += re.findall(r"note number (\d+)", page)
        more = re.search(r'class="stream-more"><a class="btn" href="([^"]+)" hx-get="([^"]+)"', page)
        path = more[1 + parts % 2].replace("&amp;", "&") if more else None  # a link, then a part, in turn
        parts += 1
    assert found == [f"{number:03}" for number in sorted(range(95), key=lambda n: (n // 7, n), reverse=True)]
    assert parts == 3


def test_a_mark_of_nonsense_is_refused(shop: Shop):
    client = shop.at(Desk.SALES)
    nonsense = ("-1.0.0.0.0", "1.2.3.4." + "9" * 30, "١.0.0.0.0", "1e3.0.0.0.0")
    for mark in ("", "x", "1.2.3.4", "1.2.3.4.5.6", *nonsense):
        assert (
            client.get(f"/customers/{shop.lived.customer}", query_string={"from": mark}).status_code == 400
        ), mark


def test_a_customer_that_is_not_there_is_not_found(shop: Shop):
    client = shop.at(Desk.SALES)
    for path in (
        "999999",
        "999999/stream",
        "0",
        "99999999999999999999999",
        "99999999999999999999999/mail/1/1",
    ):
        assert client.get(f"/customers/{path}").status_code == 404, path


def test_a_mail_can_be_read_again_and_counts_for_nothing(shop: Shop):
    client = shop.at(Desk.MARKETING)
    path = f"/customers/{shop.lived.customer}/mail/{shop.lived.run}/1"
    assert f'href="{path}"' in text_of(client.get(f"/customers/{shop.lived.customer}"))
    assert "Hello &lt;script&gt;alert(1)" in text_of(client.get(path))
    body = client.get(f"{path}/body")
    assert "sandbox" in body.headers["Content-Security-Policy"]
    assert "script-src" not in body.headers["Content-Security-Policy"]
    mail = text_of(body)
    assert "Hello &lt;script&gt;alert(1)" in mail
    assert "/c/" not in mail
    assert "/u/" not in mail
    assert "/o/" not in mail
    assert '<a href="#/1">' in mail
    with shop.stores.readers() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(hits)) == 0


def test_a_mail_of_somebody_else_is_not_found_here(shop: Shop):
    client = shop.at(Desk.ADMIN)
    for customer, run, seq in (
        (shop.lived.elsewhere, shop.lived.run, 1),
        (shop.lived.customer, shop.lived.run, 2),
        (shop.lived.customer, 10**9, 1),
    ):
        assert client.get(f"/customers/{customer}/mail/{run}/{seq}").status_code == 404
        assert client.get(f"/customers/{customer}/mail/{run}/{seq}/body").status_code == 404


def test_a_mail_to_somebody_who_was_forgotten_is_not_shown(shop: Shop):
    with shop.stores.sessions.begin() as session:
        session.execute(sa.text("update contacts set erased_at = created_at, email = null"))
    page = text_of(shop.at(Desk.ADMIN).get(f"/customers/{shop.lived.customer}/mail/{shop.lived.run}/1"))
    assert "cannot be shown any more" in page


def test_a_campaign_that_was_deleted_keeps_its_name(shop: Shop):
    with shop.stores.sessions.begin() as session:
        session.execute(sa.update(campaign_table).values(deleted_at=NOW))
    assert "Mailed: Sale" in plain(text_of(shop.at(Desk.SALES).get(f"/customers/{shop.lived.customer}")))


# ---- acts ----


def test_a_note_is_written_once_however_often_it_is_sent(shop: Shop):
    client = shop.at(Desk.SALES)
    form = {"note-text": "Called,\r\nreached nobody", "note-channel": "call", "once": "abc123"}
    for _ in range(2):
        answer = press(client, f"/customers/{shop.lived.customer}/note", **form)
        assert (answer.status_code, answer.location) == (303, f"/customers/{shop.lived.customer}")
    with shop.stores.readers() as session:
        notes = history.timeline(session, customer=shop.lived.customer, kinds=["note"])
    assert [note.detail for note in notes if note.detail.get("channel") == "call"] == [
        {"text": "Called,\nreached nobody", "channel": "call", "by": "sales@x.example"}
    ]
    assert "by <bdi>Sales</bdi>" in text_of(client.get(f"/customers/{shop.lived.customer}"))


def test_a_task_has_its_day_in_the_zone_of_who_made_it(shop: Shop):
    client = shop.at(Desk.SERVICE)
    client.set_cookie("zone", "Asia/Tokyo")
    press(
        client,
        f"/customers/{shop.lived.customer}/task",
        **{"task-title": "Call", "task-due": "2031-05-04", "once": "k"},
    )
    (task,) = kept(shop).tasks
    assert (task.title, task.due_at.isoformat()) == ("Call", "2031-05-04T14:59:00+00:00")


def test_a_complaint_opened_and_closed_from_the_page(shop: Shop):
    client = shop.at(Desk.SERVICE)
    answer = press(
        client,
        f"/customers/{shop.lived.customer}/case",
        **{"case-kind": "complaint", "case-subject": "Broken", "once": "c"},
    )
    assert answer.status_code == 303
    page = text_of(client.get(f"/customers/{shop.lived.customer}"))
    assert "nothing is promoted to this customer" in page
    case = kept(shop).complaint
    assert (
        press(client, f"/cases/{case.id}/close", outcome="Replaced").location
        == f"/customers/{shop.lived.customer}"
    )
    assert kept(shop).complaint is None
    assert press(client, f"/cases/{case.id}/close").status_code == 409


def test_marketing_is_held_until_a_day_and_let_go(shop: Shop):
    client = shop.at(Desk.SALES)
    press(
        client,
        f"/customers/{shop.lived.customer}/hold",
        **{"hold-until": "2031-05-04", "hold-reason": "Talks"},
    )
    assert kept(shop).customer.hold_until.isoformat() == "2031-05-04T00:00:00+00:00"
    assert "Marketing waits." in text_of(client.get(f"/customers/{shop.lived.customer}"))
    press(client, f"/customers/{shop.lived.customer}/hold", **{"hold-release": "1"})
    assert kept(shop).customer.hold_until is None


@pytest.mark.parametrize(("said", "state"), [("no", "withdrawn"), ("yes", "granted")])
def test_what_a_contact_said_is_written_down_with_who_and_how(shop: Shop, said, state):
    form = {
        "consent-contact": str(shop.lived.contact),
        "consent-topic": str(shop.lived.topic),
        "consent-reason": "On the phone",
    }
    press(shop.at(Desk.SALES), f"/customers/{shop.lived.customer}/consent", **form, **{"consent-said": said})
    with shop.stores.readers() as session:
        newest_word = consent.ledger(session, ContactId(shop.lived.contact))[0]
    assert newest_word.state == state
    if said == "no":
        assert (newest_word.source, newest_word.proof, newest_word.actor) == (
            "staff",
            "On the phone",
            "sales@x.example",
        )


def test_a_suppression_is_lifted_by_service_with_a_reason_and_not_by_sales(shop: Shop):
    with shop.stores.sessions.begin() as session:
        hashed = suppressions.address_hash(shop.app.extensions["settings"].secret, "person@example.com")
        suppressions.add(session, hashed, "hard bounce", now=NOW)
    path, form = (
        f"/customers/{shop.lived.customer}/lift",
        {"lift-contact": str(shop.lived.contact), "lift-reason": "New mailbox"},
    )
    sales, service = shop.at(Desk.SALES), shop.at(Desk.SERVICE)
    assert "the mailbox does not exist" in text_of(sales.get(f"/customers/{shop.lived.customer}"))
    assert "lift-reason" not in text_of(sales.get(f"/customers/{shop.lived.customer}"))
    assert press(sales, path, **form).status_code == 403
    assert kept(shop).persons[0].suppressed
    assert press(service, path, **(form | {"lift-reason": " "})).status_code == 422
    assert press(service, path, **form).status_code == 303
    assert kept(shop).persons[0].suppressed == ()


def test_a_role_is_added(shop: Shop):
    form = {"role-contact": str(shop.lived.contact), "role-role": "decider"}
    press(shop.at(Desk.SALES), f"/customers/{shop.lived.customer}/role", **form)
    assert [role.role for role in kept(shop).persons[0].roles] == ["decider"]


REFUSED = [
    ("note", {"note-text": "  ", "note-channel": "call"}, ["note-text"]),
    ("note", {"note-text": "x", "note-channel": "pigeon"}, ["note-channel"]),
    ("task", {"task-title": "", "task-due": ""}, ["task-title"]),
    ("task", {"task-title": "keep me", "task-due": "31.12.2030"}, ["task-due"]),
    ("task", {"task-title": "keep me", "task-due": "2020-01-31"}, ["task-due"]),
    ("task", {"task-title": "keep me", "task-due": "0001-01-01"}, ["task-due"]),
    ("task", {"task-title": "keep me", "task-due": "9999-12-31"}, ["task-due"]),
    ("case", {"case-kind": "", "case-subject": ""}, ["case-kind", "case-subject"]),
    ("hold", {"hold-until": "", "hold-reason": "keep me"}, ["hold-until"]),
    ("hold", {"hold-until": "2001-01-01", "hold-reason": "keep me"}, ["hold-until"]),
    ("consent", {"consent-reason": "keep me"}, ["consent-topic", "consent-said"]),
    ("role", {"role-contact": "1", "role-role": "keep me " * 9}, ["role-role"]),
]


def test_what_does_not_hold_opens_the_form_again_with_what_was_typed(shop: Shop):
    client, before = shop.at(Desk.SALES), newest(shop)
    for form, typed, wheres in REFUSED:
        answer = press(client, f"/customers/{shop.lived.customer}/{form}", **typed)
        page = text_of(answer).split('id="refused-title"')[1].split("</form>")[0]
        assert answer.status_code == 422
        assert "keep me" in page or "keep me" not in typed.values()
        assert [where for where in wheres if f'id="problem-{where}"' not in page] == []
    assert newest(shop) == before


def test_an_act_on_a_customer_who_is_not_there_is_not_found(shop: Shop):
    typed = {
        "note-text": "x", "task-title": "x", "case-kind": "request", "case-subject": "x", "hold-until": "2031-01-01",
        "hold-reason": "x", "consent-contact": "1", "consent-topic": "1", "consent-said": "no", "consent-reason": "x",
        "lift-contact": "1", "lift-reason": "x", "role-contact": "1", "role-role": "x",
    }  # fmt: skip
    client = shop.at(Desk.ADMIN)
    for form in ("note", "task", "case", "hold", "consent", "lift", "role"):
        assert press(client, f"/customers/999999/{form}", **typed).status_code == 404, form


def test_nothing_is_written_for_a_contact_of_another_customer(shop: Shop):
    for form, typed in (
        ("note", {"note-text": "x", "note-contact": str(shop.lived.contact)}),
        ("task", {"task-title": "x", "task-contact": str(shop.lived.contact)}),
        ("case", {"case-kind": "request", "case-subject": "x", "case-contact": str(shop.lived.contact)}),
        ("role", {"role-contact": str(shop.lived.contact), "role-role": "x"}),
    ):
        assert (
            press(shop.at(Desk.ADMIN), f"/customers/{shop.lived.elsewhere}/{form}", **typed).status_code
            == 404
        )
    with shop.stores.readers() as session:
        assert history.timeline(session, customer=shop.lived.elsewhere) == []


def test_service_forgets_a_contact_after_a_yes_and_nobody_else_may(shop: Shop):
    path = f"/customers/{shop.lived.customer}"
    form = {"erase-contact": str(shop.lived.contact)}
    for desk in (Desk.SALES, Desk.MARKETING):
        assert press(shop.at(desk), f"{path}/erase", **form, **{"erase-sure": "1"}).status_code == 403
        assert shop.at(desk).get(f"{path}/contacts/{shop.lived.contact}.json").status_code == 403
    assert "erase-sure" not in text_of(shop.at(Desk.SALES).get(path))
    client = shop.at(Desk.SERVICE)
    assert f'id="erase-sure-{shop.lived.contact}"' in text_of(client.get(path))
    answer = press(client, f"{path}/erase", **form)
    assert answer.status_code == 422
    assert 'id="problem-erase-sure"' in text_of(answer)
    elsewhere = f"/customers/{shop.lived.elsewhere}/erase"
    assert press(client, elsewhere, **form, **{"erase-sure": "1"}).status_code == 404
    assert press(client, f"{path}/erase", **form, **{"erase-sure": "1"}).status_code == 303
    page = plain(text_of(client.get(path)))
    assert "person@example.com" not in page
    assert "Forgotten on" in page
    assert newest(shop).kind == "erased"
    assert newest(shop).detail == {"by": "service@x.example"}


def test_all_that_is_kept_of_a_contact_comes_as_a_file(shop: Shop):
    client = shop.at(Desk.SERVICE)
    answer = client.get(f"/customers/{shop.lived.customer}/contacts/{shop.lived.contact}.json")
    assert answer.json["contact"]["email"] == "person@example.com"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (
        client.get(f"/customers/{shop.lived.elsewhere}/contacts/{shop.lived.contact}.json").status_code == 404
    )


def test_a_rep_takes_a_customer_and_finds_it_among_their_own(shop: Shop):
    path = f"/customers/{shop.lived.customer}"
    client = shop.at(Desk.SALES)
    assert "Take it myself" in text_of(client.get(path))
    with shop.stores.readers() as session:
        mine = next(one.id for one in staff.listing(session) if one.email == "sales@x.example")
    assert press(client, f"{path}/owner", **{"owner-owner": str(mine)}).status_code == 303
    assert "Take it myself" not in text_of(client.get(path))
    assert "Owner: Sales" in text_of(client.get(path))
    assert path in text_of(client.get("/customers?owner=me"))
    for wrong in ("999999", "x"):
        answer = press(client, f"{path}/owner", **{"owner-owner": wrong})
        assert answer.status_code == 422
        assert 'id="problem-owner-owner"' in text_of(answer)
    press(client, f"{path}/owner", **{"owner-owner": ""})
    assert "No owner" in text_of(client.get(path))


def test_the_record_names_only_campaigns_that_would_mail_this_customer(shop: Shop):
    with shop.stores.sessions.begin() as session:
        for city in ("Berlin", "Bristol"):
            rule = {"version": 1, "rule": {"field": "contact.city", "is": "=", "value": city}}
            segments.save(session, city, city, rule, author="test", now=NOW)
            over = {"topic": shop.lived.topic, "segment_id": segments.find(session, city)}
            number = a_campaign(session, **over)
            session.execute(
                sa.update(campaign_table)
                .where(campaign_table.c.id == number)
                .values(name=f"Letter to {city}", state="scheduled", due_at=NOW + timedelta(days=900))
            )
        session.execute(sa.update(contacts).values(city="Berlin"))
    page = text_of(shop.at(Desk.SALES).get(f"/customers/{shop.lived.customer}"))
    before, after = page.split("What marketing plans next")[1].split("not-planned")
    assert "Letter to Berlin" in before
    assert "Letter to Bristol" not in before
    assert "Letter to Bristol" in after
    assert "not in its segment" in plain(after)


def test_the_record_says_the_number_that_commands_ask_for(shop: Shop):
    page = plain(text_of(shop.at(Desk.SALES).get(f"/customers/{shop.lived.customer}")))
    assert f"Contact's number{shop.lived.contact}" in page.replace("&#39;", "'")
