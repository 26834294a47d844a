"""Double opt-in, from the form to the ledger: one mail, one button, one yes with its proof."""

import re
from email import message_from_bytes, policy
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from campaigns.config import from_environment
from campaigns.flows import audience, schedule
from campaigns.forms.spec import Asked
from campaigns.model import metadata
from campaigns.model.consent import consents, suppressions, tracking_choices, wordings
from campaigns.model.customers import addresses, attribute_facts, contacts, customers
from campaigns.model.events import events
from campaigns.model.forms import sign_ups
from campaigns.model.mail import messages, runs
from campaigns.model.service import cases
from campaigns.records import (
    attributes,
    campaign_desk,
    campaigns,
    consent,
    form_people,
    forms,
    segments,
    staff,
)
from campaigns.records import suppressions as never
from campaigns.records.consent import Provenance
from campaigns.records.sign_ups import SignUpState
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ConsentState, ContactId, Gate, TopicClass
from tests.factories import SECRET, a_campaign, a_contact, a_run, a_topic
from tests.forms.scene import link_of, puzzle_of, solved, stamp_of
from tests.web.public.scene import on_sqlite
from tests.web.sales.conftest import NO_PASSWORD, enlist
from web.app import create_app

ADA = "ada@example.com"


def words_of(mail) -> str:
    parsed = message_from_bytes(mail.data, policy=policy.default)
    return f"{parsed.as_string()}\n" + "\n".join(
        part.get_content() for part in parsed.walk() if part.get_content_maintype() == "text"
    )


def test_a_yes_on_the_mails_page_grants_with_proof_of_both_steps(scene):
    mail = scene.mail_to(ADA)
    scene.pass_(hours=1)
    answer = scene.confirm(mail)
    assert answer.status_code == 200
    assert "You are signed up" in answer.get_data(as_text=True)
    (contact,) = scene.rows(contacts)
    assert (contact.email, contact.email_hash) == (ADA, never.address_hash(SECRET, ADA))
    assert contact.locale == "en"
    assert scene.rows(addresses) == []
    asked, granted = scene.rows(consents)
    assert [asked.state, granted.state] == ["pending", "granted"]
    assert granted.source == "form"
    assert "asked 2026-11-22 09:00:05 UTC from 203.0.113.0/24" in granted.proof
    assert "confirmed by mail 1.1 2026-11-22 10:00:05 UTC from 198.51.100.0/24" in granted.proof
    assert "Mozilla" in granted.proof
    (wording,) = scene.rows(wordings)
    assert wording.text == "Yes, Harbour & Vine may write to me about\nNews 0\nLetters"
    assert granted.wording_id == wording.id
    assert [row.kind for row in scene.rows(events)] == ["consent granted"]
    assert scene.counts() == {"shown": 1, "posted": 1, "confirmed": 1}


@on_sqlite
def test_no_get_ever_confirms(scene):
    mail = scene.mail_to(ADA)
    for method in (scene.client.get, scene.client.head, scene.client.options):
        method(link_of(mail))
    assert scene.state(scene.rows(contacts)[0].id) is ConsentState.PENDING
    assert scene.rows(contacts)[0].email is None


def test_a_second_press_of_the_button_changes_nothing(scene):
    mail = scene.mail_to(ADA)
    scene.confirm(mail)
    before = scene.rows(consents), scene.rows(events)
    assert "You are signed up" in scene.confirm(mail).get_data(as_text=True)
    assert (scene.rows(consents), scene.rows(events)) == before


def test_who_is_stopped_by_anothers_no_is_asked_again_and_their_yes_counts(scene):
    with scene.stores.sessions.begin() as session:
        ben, ada = (a_contact(session, email=ADA, topic=scene.topics[0]) for _ in range(2))
        left = Provenance(scene.now, "import")
        consent.withdraw(session, ContactId(ada), scene.topics[0], left, now=scene.now)
    mail = scene.mail_to(ADA)
    scene.confirm(mail)
    with scene.stores.readers() as session:
        newest, *_ = consent.ledger(session, ContactId(ben))
    assert (newest.state, newest.source, newest.at > left.at) == (ConsentState.GRANTED, "form", True)
    scene.pass_(days=2)
    scene.sign_up(ADA)
    scene.work()
    assert scene.newest().reason == "already"


@on_sqlite
def test_the_link_holds_for_seven_days(scene):
    mail = scene.mail_to(ADA)
    scene.pass_(days=7, seconds=1)
    answer = scene.confirm(mail)
    assert answer.status_code == 410
    assert "too old" in answer.get_data(as_text=True)
    assert f"/f/{scene.key}" in answer.get_data(as_text=True)
    assert scene.rows(contacts)[0].email is None


@pytest.mark.parametrize("purpose", [one for one in Purpose if one not in {Purpose.CONFIRM, Purpose.RETURN}])
@on_sqlite
def test_a_token_of_another_purpose_confirms_nothing(scene, purpose):
    scene.mail_to(ADA)
    contact = scene.rows(contacts)[0].id
    token = Keyring(SECRET).sign(purpose, 1, 1, contact)
    assert scene.client.post(f"/y/{token}").status_code == 404
    assert scene.state(contact) is ConsentState.PENDING


@on_sqlite
def test_a_token_of_another_contact_or_mail_confirms_nothing(scene):
    scene.mail_to(ADA)
    stranger = Keyring(SECRET).sign(Purpose.CONFIRM, 1, 1, 4711)
    with scene.stores.sessions.begin() as session:
        other = a_contact(session)
    for token in (
        stranger,
        *[Keyring(SECRET).sign(Purpose.CONFIRM, 1, seq, other) for seq in (1, 2)],
        "A" * 36,
    ):
        assert scene.client.post(f"/y/{token}").status_code == 404
    assert scene.rows(sign_ups)[0].state == SignUpState.MAILED


@on_sqlite
def test_the_mail_holds_nothing_of_what_was_typed(scene):
    scene.edit(fields=(Asked("given_name"), Asked("family_name")))
    scene.sign_up(ADA, given_name="Buy-Cheap", family_name="Casino Pills")
    scene.work()
    (mail,) = scene.mails()
    told = words_of(mail)
    assert "Buy-Cheap" not in told
    assert "Casino" not in told
    assert mail.rcpt_to == ADA
    assert "List-Unsubscribe" not in told  # transactional: there is nothing to leave yet


def test_what_was_typed_reaches_the_contact_only_with_the_yes(scene):
    with scene.stores.sessions.begin() as session:
        attributes.define(session, {"size": "text"}, now=scene.now)
    scene.edit(fields=tuple(map(Asked, ("given_name", "family_name", "country", "attributes.size"))))
    typed = {"given_name": "Ada", "family_name": "Byron", "country": "GB", "attributes.size": "M"}
    scene.sign_up(ADA, **typed)
    scene.work()
    (mail,) = scene.mails()
    assert scene.rows(contacts)[0].given_name is None
    scene.confirm(mail)
    (contact,) = scene.rows(contacts)
    assert (contact.given_name, contact.family_name, contact.country) == ("Ada", "Byron", "GB")
    assert contact.attributes == {"size": "M"}
    assert scene.rows(attribute_facts)[0].source == "form"
    assert scene.rows(customers)[0].name == "Ada Byron"
    assert scene.rows(sign_ups)[0].fields == {}


TYPED = {"given_name": "Mallory", "family_name": "King", "country": "GB", "attributes.size": "XXL"}


def asks_much(scene) -> None:
    with scene.stores.sessions.begin() as session:
        attributes.define(session, {"size": "text"}, now=scene.now)
    scene.edit(fields=tuple(map(Asked, TYPED)))


def typed_mail(scene):
    scene.sign_up(ADA, **TYPED)
    scene.work()
    return scene.mails()[0]


def test_a_form_teaches_nothing_of_a_contact_that_was_known_before(scene):
    """Whoever knows an address can post it: the owner's yes is about the topics, which is all they see."""
    asks_much(scene)
    with scene.stores.sessions.begin() as session:
        known = a_contact(session, email=ADA, given_name=None, family_name=None, country=None)
        attributes.learn(session, known, {"size": "M"}, at=scene.now, source=attributes.Source("staff", "x"))
    before = scene.rows(customers), scene.rows(attribute_facts)
    mail = typed_mail(scene)
    page = scene.get(link_of(mail)).get_data(as_text=True)
    assert not any(text in page for text in ("Mallory", "King", "United Kingdom", "XXL"))
    scene.confirm(mail)
    (contact,) = scene.rows(contacts)
    assert (contact.given_name, contact.family_name, contact.country) == (None, None, None)
    assert contact.attributes == {"size": "M"}
    assert (scene.rows(customers), scene.rows(attribute_facts)) == before
    assert scene.state(known) is ConsentState.GRANTED


def test_the_owner_of_a_new_address_sees_what_was_typed_before_the_yes(scene):
    asks_much(scene)
    mail = typed_mail(scene)
    page = scene.get(link_of(mail)).get_data(as_text=True)
    above = page[: page.index('value="confirm"')]
    assert all(text in above for text in ("Mallory", "King", "United Kingdom", "XXL"))
    scene.confirm(mail)
    (contact,) = scene.rows(contacts)
    assert (contact.given_name, contact.attributes) == ("Mallory", {"size": "XXL"})


def test_a_yes_may_leave_out_what_was_typed(scene):
    asks_much(scene)
    scene.confirm(typed_mail(scene), data={"do": "bare"})
    (contact,) = scene.rows(contacts)
    assert (contact.email, contact.given_name, contact.attributes) == (ADA, None, {})
    assert scene.state(contact.id) is ConsentState.GRANTED


def test_what_people_of_ours_wrote_of_a_waiting_contact_stays(scene):
    asks_much(scene)
    mail = typed_mail(scene)
    with scene.stores.sessions.begin() as session:
        waiting = session.scalar(sa.select(contacts.c.id))
        attributes.learn(
            session, waiting, {"size": "M"}, at=scene.now, source=attributes.Source("staff", "x")
        )
    scene.confirm(mail)
    assert scene.rows(contacts)[0].attributes == {"size": "M"}


def test_who_came_by_another_way_meanwhile_learns_nothing_from_the_form(scene):
    asks_much(scene)
    mail = typed_mail(scene)
    with scene.stores.sessions.begin() as session:
        a_contact(session, email=ADA, given_name="Ada", family_name=None)
    scene.confirm(mail)
    (contact,) = scene.rows(contacts)
    assert (contact.given_name, contact.family_name, contact.attributes) == ("Ada", None, {})


@pytest.mark.parametrize("topic_class", [TopicClass.MARKETING, TopicClass.SERVICE])
@pytest.mark.parametrize("said", [ConsentState.GRANTED, ConsentState.WITHDRAWN])
def test_a_strangers_post_never_changes_what_a_contact_said(scene, topic_class, said):
    with scene.stores.sessions.begin() as session:
        topic, known = a_topic(session, topic_class), a_contact(session, email=ADA)
        how = Provenance(scene.now, "preferences", "test")
        consent.append(session, ContactId(known), topic, said, how, now=scene.now)
    scene.topics = [topic]
    scene.edit(topics=(topic,))
    scene.sign_up(ADA)
    scene.work()
    scene.mails()
    assert scene.state(known, topic) is said


def test_who_left_may_sign_up_again_by_this_proof(scene):
    with scene.stores.sessions.begin() as session:
        known = a_contact(session, email=ADA, topic=scene.topics[0])
        how = Provenance(scene.now, "unsubscribe", "test")
        consent.withdraw(session, ContactId(known), scene.topics[0], how, now=scene.now)
    scene.confirm(scene.mail_to(ADA))
    assert scene.state(known) is ConsentState.GRANTED


def test_who_has_said_yes_already_gets_no_mail(scene):
    with scene.stores.sessions.begin() as session:
        a_contact(session, email=ADA, topic=scene.topics[0])
    scene.sign_up(ADA)
    scene.work()
    assert scene.mails() == []
    assert (scene.newest().state, scene.newest().reason) == ("refused", "already")


def test_a_suppressed_address_gets_no_mail_and_we_see_why(scene):
    with scene.stores.sessions.begin() as session:
        never.add(session, never.address_hash(SECRET, ADA), "complaint", now=scene.now)
    scene.sign_up(ADA)
    scene.work()
    assert scene.mails() == []
    newest = scene.newest()
    assert (newest.reason, newest.masked, newest.address) == ("suppressed", "a…@example.com", None)
    assert scene.rows(contacts) == []
    assert scene.counts()["suppressed"] == 1


@pytest.mark.parametrize("known", [True, False])
def test_an_address_that_is_suppressed_after_the_post_gets_no_mail_either(scene, known):
    if known:
        with scene.stores.sessions.begin() as session:
            a_contact(session, email=ADA)
    scene.sign_up(ADA)
    scene.work()
    with scene.stores.sessions.begin() as session:
        never.add(session, never.address_hash(SECRET, ADA), "request", now=scene.now)
    assert scene.mails() == []
    assert [row.gate for row in scene.rows(messages)] == ["suppressed"]


def test_an_address_that_is_suppressed_before_the_yes_is_not_signed_up(scene):
    mail = scene.mail_to(ADA)
    with scene.stores.sessions.begin() as session:
        never.add(session, never.address_hash(SECRET, ADA), "complaint", now=scene.now)
    assert "blocked" in scene.confirm(mail).get_data(as_text=True)
    assert [row.state for row in scene.rows(consents)] == ["pending"]


def test_an_address_gets_one_mail_a_day_and_three_in_all_until_it_says_yes(scene):
    for day in range(6):
        scene.sign_up(ADA)
        scene.sign_up(ADA)
        scene.work()
        assert len(scene.mails()) == (1 if day < 3 else 0)
        scene.pass_(hours=24)
    reasons = [row.reason for row in scene.rows(sign_ups)]
    assert reasons.count("too soon") == 3
    assert reasons.count("too often") == 6
    assert len(scene.rows(contacts)) == 1


def test_three_mails_are_three_even_after_what_was_unconfirmed_is_forgotten(scene):
    for _ in range(5):
        scene.sign_up(ADA)
        scene.work()
        scene.pass_(days=15)
        scene.forget()
    assert len(scene.rows(messages)) == 3
    assert scene.rows(contacts) == []


def test_a_yes_opens_the_count_of_mails_anew(scene):
    for _ in range(3):
        mail = scene.mail_to(ADA)
        scene.pass_(hours=25)
    scene.confirm(mail)
    with scene.stores.sessions.begin() as session:
        how = Provenance(scene.now, "unsubscribe", "test")
        consent.withdraw(session, ContactId(scene.rows(contacts)[0].id), scene.topics[0], how, now=scene.now)
    scene.pass_(hours=25)
    assert scene.mail_to(ADA)


@pytest.mark.parametrize("topic_class", [TopicClass.SERVICE, TopicClass.TRANSACTIONAL])
def test_until_the_yes_no_campaign_reaches_the_address_that_needs_no_consent(scene, topic_class):
    scene.mail_to(ADA)
    with scene.stores.sessions.begin() as session:
        key = "all"
        segments.save(
            session, key, key, {"version": 1, "rule": {"everyone": True}}, author="t", now=scene.now
        )
        segment = segments.find(session, key)
        topic = a_topic(session, topic_class)
        campaign = a_campaign(session, topic=topic, segment_id=segment)
        run = a_run(session, campaign)
        version = segments.newest_version(session, segment)
        session.execute(sa.update(runs).where(runs.c.id == run).values(segment_version_id=version))
    with scene.stores.sessions.begin() as session:
        audience.freeze_open_runs(session, scene.now)
    stopped = [row.gate for row in scene.rows(messages) if row.run_id == run]
    assert stopped == [Gate.NO_ADDRESS.value]


def test_what_nobody_confirmed_is_gone_after_14_days(scene):
    scene.edit(fields=(Asked("given_name"),))
    scene.sign_up(ADA, given_name="Ada")
    scene.work()
    scene.mails()
    scene.pass_(days=13)
    assert scene.forget() == 0
    scene.pass_(days=1, minutes=1)
    assert scene.forget() == 1
    for table in (contacts, customers, addresses, consents, events):
        assert scene.rows(table) == [], table.name
    (kept,) = scene.rows(sign_ups)
    assert (kept.state, kept.address, kept.masked, kept.network, kept.agent) == ("expired", None, "", "", "")
    assert [row.address for row in scene.rows(messages)] == [None]
    assert scene.forget() == 0


def test_a_known_contact_never_goes_with_an_unconfirmed_sign_up(scene):
    with scene.stores.sessions.begin() as session:
        known = a_contact(session, email=ADA, source="form")
    scene.mail_to(ADA)
    scene.pass_(days=15)
    scene.forget()
    assert [row.id for row in scene.rows(contacts)] == [known]


def test_whatever_names_a_contact_is_looked_for_before_one_goes():
    """A table that will name contacts or customers must choose: gone with them, or a reason to stay."""
    naming = {
        (table.name, key.parent.name)
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name in {"contacts", "customers"}
    }
    gone = {("consents", "contact_id"), ("addresses", "contact_id")}
    reasons = {("contacts", "customer_id"), ("orders", "customer_id"), ("cases", "customer_id"), ("tasks", "customer_id"),
               ("attribute_facts", "contact_id"), ("responses", "contact_id"), ("roles", "contact_id"), ("roles", "customer_id"),
               ("tracking_choices", "contact_id")}  # fmt: skip
    assert naming == gone | reasons


@pytest.mark.parametrize("trace", ["case", "name", "consent", "colleague", "rep", "import", "tracking"])
def test_a_contact_that_somebody_made_more_of_stays(scene, trace):
    scene.mail_to(ADA)
    (contact,) = scene.rows(contacts)
    with scene.stores.sessions.begin() as session:
        if trace == "case":
            session.execute(
                sa.insert(cases).values(
                    customer_id=contact.customer_id, kind="question", subject="?", opened_at=scene.now
                )
            )
        elif trace == "name":
            session.execute(sa.update(contacts).values(phone="+441234"))
        elif trace == "consent":
            how = Provenance(scene.now, "staff", "by phone")
            consent.grant(session, ContactId(contact.id), scene.topics[0], how, now=scene.now)
        elif trace == "colleague":
            a_contact(session, customer_id=contact.customer_id)
        elif trace == "tracking":
            choice = {
                "contact_id": contact.id,
                "level": "off",
                "at": scene.now,
                "source": "preferences",
                "proof": "",
                "actor": "contact",
            }
            choice["recorded_at"] = scene.now
            session.execute(
                sa.insert(tracking_choices).values(
                    {k: v for k, v in choice.items() if k in tracking_choices.c}
                )
            )
        elif trace == "rep":
            session.execute(sa.update(customers).values(owner_id=1))
        else:
            session.execute(sa.update(contacts).values(import_id=1))
    scene.pass_(days=15)
    scene.forget()
    assert contact.id in [row.id for row in scene.rows(contacts)]


def test_refused_sign_ups_go_after_14_days_too(scene):
    with scene.stores.sessions.begin() as session:
        never.add(session, never.address_hash(SECRET, ADA), "request", now=scene.now)
    scene.sign_up(ADA)
    scene.work()
    scene.pass_(days=15)
    assert scene.forget() == 1
    assert scene.rows(sign_ups) == []
    assert len(scene.rows(suppressions)) == 1


def test_who_came_by_another_way_meanwhile_gets_the_yes_and_no_double_stays(scene):
    mail = scene.mail_to(ADA)
    with scene.stores.sessions.begin() as session:
        imported = a_contact(session, email=ADA)
    # the token names the waiting contact; the yes goes to the one whose address it is by now
    assert scene.confirm(mail).status_code == 200
    assert scene.state(imported) is ConsentState.GRANTED
    assert [row.id for row in scene.rows(contacts)] == [imported]


@on_sqlite
def test_two_forms_ask_one_waiting_contact(scene):
    scene.mail_to(ADA)
    scene.pass_(hours=25)
    scene.mail_to(ADA)
    assert len(scene.rows(contacts)) == 1


def test_all_mails_of_a_day_are_one_run_and_the_next_day_another(scene):
    for number in range(3):
        scene.mail_to(f"person{number}@example.com")
    scene.pass_(hours=24)
    scene.mail_to("late@example.com")
    assert [(row.kind, row.audience) for row in scene.rows(runs)] == [("form", 3), ("form", 1)]


def test_a_days_run_stays_open_for_more_and_ends_with_its_day(scene):
    scene.mail_to(ADA)
    with scene.stores.sessions.begin() as session:
        assert schedule.finish_runs(session, scene.now) == []
    scene.pass_(hours=24)
    with scene.stores.sessions.begin() as session:
        assert len(schedule.finish_runs(session, scene.now)) == 1
    scene.mail_to("late@example.com")


def test_a_forms_campaign_stands_in_no_list(scene):
    scene.mail_to(ADA)
    with scene.stores.readers() as session:
        assert campaigns.listing(session) == []
        assert campaign_desk.page(session, []) == []
        assert campaigns.due(session, scene.now) == []


def test_what_cannot_be_dealt_with_keeps_no_other_from_its_mail(scene, monkeypatch):
    scene.sign_up("bad@example.com")
    scene.sign_up(ADA)
    make = form_people.make_pending

    def fail_for_one(session, address, *rest, **more):
        if address.startswith("bad"):
            raise RuntimeError("a defect")
        return make(session, address, *rest, **more)

    monkeypatch.setattr("campaigns.records.form_people.make_pending", fail_for_one)
    scene.work()
    told = {row.masked: (row.state, row.reason) for row in scene.rows(sign_ups)}
    assert told == {"b…@example.com": ("refused", "failed"), "a…@example.com": ("mailed", "")}


@on_sqlite
def test_a_form_speaks_german(scene):
    page = scene.page("?lang=de")
    assert '<html lang="de"' in page
    assert "Von uns hören" in page
    scene.pass_(seconds=5)
    data = {"address": ADA, "stamp": stamp_of(page), "altcha": solved(puzzle_of(page))}
    answer = scene.client.post(f"/f/{scene.key}?lang=de", data=data)
    assert "Schauen Sie jetzt in Ihr Postfach" in answer.get_data(as_text=True)
    scene.work()
    (mail,) = scene.mails()
    assert "Waren Sie das?" in words_of(mail)
    assert "Sie sind angemeldet" in scene.confirm(mail).get_data(as_text=True)
    assert scene.rows(wordings)[0].language == "de"
    assert scene.rows(contacts)[0].locale == "de"


@on_sqlite
def test_where_to_go_afterwards_is_the_marketers_word_alone(scene):
    scene.edit(after="https://www.shop.example/welcome?from=form")
    mail = scene.mail_to(ADA)
    link = link_of(mail)
    shown = scene.client.get(f"{link}?next=https://evil.example")
    assert "form-action 'self' https://www.shop.example;" in shown.headers["Content-Security-Policy"]
    answer = scene.client.post(f"{link}?next=https://evil.example", data={"next": "https://evil.example"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://www.shop.example/welcome?from=form"


@on_sqlite
def test_a_form_that_is_off_takes_nothing(scene):
    data = scene.fill(ADA)
    with scene.stores.sessions.begin() as session:
        forms.switch(session, scene.form, on=False, now=scene.now)
    assert scene.send(data).status_code == 404
    assert scene.get(f"/f/{scene.key}").status_code == 404
    assert scene.rows(sign_ups) == []


@on_sqlite
def test_what_was_posted_before_a_form_went_off_gets_no_mail(scene):
    scene.sign_up(ADA)
    with scene.stores.sessions.begin() as session:
        forms.switch(session, scene.form, on=False, now=scene.now)
    scene.work()
    assert scene.newest().reason == "off"


@on_sqlite
def test_role_addresses_are_flagged_and_disposable_ones_refused_where_wished(scene):
    scene.sign_up("info@example.com")
    assert scene.newest().flags == "role"
    scene.sign_up("x@mailinator.com")
    assert scene.newest().flags == "disposable"
    scene.edit(refuse_disposable=True)
    answer = scene.sign_up("y@sub.mailinator.com")
    assert answer.status_code == 422
    assert re.search("address that you keep", answer.get_data(as_text=True))


def test_two_workers_at_one_address_write_one_mail(scene):
    for _ in range(3):
        scene.sign_up(ADA)
    begun = Barrier(2)

    def work():
        begun.wait()
        for _ in range(2):
            scene.work()

    workers = [Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(scene.rows(messages)) == 1
    assert len(scene.rows(contacts)) == 1
    assert sorted(row.reason for row in scene.rows(sign_ups)) == ["", "too soon", "too soon"]


def test_a_yes_proves_that_a_mail_in_doubt_arrived(scene):
    mail = scene.mail_to(ADA)
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(messages).values(state="unknown", at=scene.now))
        session.execute(sa.update(runs).values(unknown=1, sent=0))
    scene.pass_(minutes=5)
    scene.confirm(mail)
    assert [row.state for row in scene.rows(messages)] == ["sent"]
    assert [(row.sent, row.unknown) for row in scene.rows(runs)] == [(1, 0)]


@on_sqlite
def test_the_page_of_doubts_shows_a_confirmation_mail_in_doubt(scene, tmp_path):
    scene.mail_to(ADA)
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(messages).values(state="unknown", at=scene.now))
        session.execute(sa.update(runs).values(unknown=1, sent=0))
        number = enlist(session, Desk.MARKETING)
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "data")})
    client = create_app(scene.stores, settings).test_client()
    with client.session_transaction() as cookie:
        cookie.update(staff=number, seal=staff.seal_of(NO_PASSWORD))
    page = client.get("/doubts/")
    assert page.status_code == 200
    assert "Letter" in page.get_data(as_text=True)
    (campaign,) = {row.campaign_id for row in scene.rows(runs)}
    assert client.get(f"/campaigns/{campaign}").headers["Location"] == f"/forms/{scene.form}"
    assert client.get(f"/forms/{scene.form}").status_code == 200
