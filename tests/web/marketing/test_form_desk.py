"""The marketer's page of sign-up forms: made whole or not at all, switched, looked at."""

import re
from html import unescape

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import asking
from campaigns.model.mail import messages
from campaigns.records import attributes, forms, senders, sign_ups, templates
from campaigns.records.sign_ups import Posted
from campaigns.records.staff import Desk
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from campaigns.values import BodyKind, Source
from tests.factories import NOW, a_template, template_of
from tests.web.marketing.conftest import HOSTILE

WORDS = {
    "title_en": "Hear from us", "wording_en": "Yes, write to me about", "button_en": "Sign up",
    "intro_en": "", "thanks_en": "", "title_de": "", "intro_de": "", "wording_de": "", "button_de": "", "thanks_de": "",
}  # fmt: skip


def make(desktop, **over):
    form = {
        "name": "Newsletter",
        "topic": desktop.topic,
        "sender": desktop.sender,
        "template": "",
        **WORDS,
    } | over
    return desktop.post("/forms/", **form)


def the_form(desktop) -> forms.SignUpForm:
    with desktop.stores.readers() as session:
        return forms.listing(session)[0]


def test_an_empty_page_offers_the_first_form(desktop):
    assert "Make the first form" in desktop.get("/forms/")


def test_a_form_is_made_switched_off_with_our_own_confirmation_mail(desktop):
    page = make(desktop)
    assert "takes nobody in until you switch it on" in page
    made = the_form(desktop)
    assert (made.key, made.is_on, made.spec.topics) == ("newsletter", False, (desktop.topic,))
    assert list(made.spec.words) == ["en"]
    assert f"{desktop.settings.public_url}/f/newsletter" in page
    with desktop.stores.readers() as session:
        assert templates.find(session, "sign-up-confirmation") == made.template_id
    assert "takes sign-ups from now on" in desktop.post(f"/forms/{made.id}/switch", on="1")
    assert the_form(desktop).is_on


def test_everything_that_is_wrong_is_said_at_once(desktop):
    page = desktop.post("/forms/", 422, name="", after="http://evil.example", origins="https://a.example/x *",
                        title_en="T", wording_en="", button_en="")  # fmt: skip
    for words in ("Topics: are missing", "Name: is empty or too long", "Sender: is missing", "no https:// address",
                  "What people agree to (English): is missing", "Button (English): is missing", "do not hold"):  # fmt: skip
        assert words in page, words
    assert desktop.get("/forms/").count("row-name") == 0


def test_a_template_that_a_stranger_could_fill_is_no_confirmation_mail(desktop):
    with desktop.stores.sessions.begin() as session:
        greets = Source(
            BodyKind.TEXT, "Hi {{ contact.given_name }}", "{{ links.confirm }} {{ sender.postal_address }}"
        )
        templates.save(session, "greets", "Greets", [(greets, compile_source(greets))], author="t", now=NOW)
        number = templates.find(session, "greets")
        plain = template_of(session, a_template(session))
    page = desktop.post(
        "/forms/", 422, name="N", topic=desktop.topic, sender=desktop.sender, template=number, **WORDS
    )
    assert "names contact.given_name, which a stranger may have written" in unescape(page)
    page = desktop.post(
        "/forms/", 422, name="N", topic=desktop.topic, sender=desktop.sender, template=plain, **WORDS
    )
    assert "has no {{ links.confirm }}" in unescape(page)
    assert ">Greets<" not in desktop.get("/forms/new")


def test_a_form_is_edited_and_counts_its_versions(desktop):
    make(desktop)
    form = the_form(desktop)
    with desktop.stores.sessions.begin() as session:
        attributes.define(session, {"size": "text", "places": "list"}, now=NOW)
    page = desktop.get(f"/forms/{form.id}/edit")
    assert "ask attributes.size" in page
    assert "ask attributes.places" not in page
    more = {
        "ask given_name": "asked",
        "ask attributes.size": "required",
        "origins": "https://www.shop.example",
    }
    desktop.post(f"/forms/{form.id}", name="Letter", topic=desktop.topic, sender=desktop.sender,
                 template=form.template_id, after="https://www.shop.example/hi", **WORDS, **more)  # fmt: skip
    changed = the_form(desktop)
    assert (changed.version, changed.name, changed.key) == (2, "Letter", "newsletter")
    assert [(one.key, one.required) for one in changed.spec.fields] == [
        ("given_name", False),
        ("attributes.size", True),
    ]
    page = desktop.get(f"/forms/{form.id}/edit")
    assert 'value="https://www.shop.example/hi"' in page


def test_a_form_that_is_put_away_is_gone(desktop):
    make(desktop)
    number = the_form(desktop).id
    desktop.post(f"/forms/{number}/archive")
    desktop.get(f"/forms/{number}", 404)
    desktop.get("/forms/4711", 404)


def test_a_halted_form_is_an_alarm_on_every_page_of_marketers_and_administrators(desktop):
    make(desktop)
    number = the_form(desktop).id
    assert "Forms halted" not in desktop.get("/forms/")
    with desktop.stores.sessions.begin() as session:
        forms.switch(session, number, on=True, now=NOW)
        forms.halt(
            session, number, until=asking.HALT + forms.get(session, number).updated_at.replace(year=2099)
        )
    for client in (desktop.client, desktop.at(Desk.ADMIN)):
        assert "Forms halted" in client.get("/campaigns/").get_data(as_text=True)
    assert "Hardly anybody confirms." in desktop.get(f"/forms/{number}")


def test_the_piece_of_html_is_safe_to_paste(desktop):
    page = make(desktop, name=HOSTILE, button_en=HOSTILE, **{"ask given_name": "asked"})
    snippet = unescape(page.split('<pre class="code"')[1].split(">", 1)[1].split("</pre>")[0])
    assert "<script>" not in snippet
    assert "&lt;script&gt;" in snippet
    assert 'name="given_name"' in snippet


def figure(page: str, label: str) -> str:
    return re.search(rf'<dt>{label}</dt>\s*<dd><span class="stat-value">([^<]*)', page)[1]


def test_a_mail_counts_once_it_went_out(desktop):
    make(desktop)
    now, number = utc_now(), the_form(desktop).id
    with desktop.stores.sessions.begin() as session:
        forms.switch(session, number, on=True, now=now)
        topics = {desktop.topic: "words"}
        came = Posted(number, 1, "a@b.example", "a…", b"hash", "", topics, {}, "en", "", "", "")
        sign_ups.add(session, came, now=now)
        asking.write_mails(session, now)
    page = desktop.get(f"/forms/{number}")
    assert "Mail waits" in page
    assert figure(page, "Mails") == "0"
    with desktop.stores.sessions.begin() as session:
        session.execute(sa.update(messages).values(state="sent", at=now))
    page = desktop.get(f"/forms/{number}")
    assert "Mail sent" in page
    assert figure(page, "Mails") == "1"


def test_posts_of_pieces_on_other_pages_are_no_share_of_what_was_shown(desktop):
    make(desktop)
    number = the_form(desktop).id
    with desktop.stores.sessions.begin() as session:
        forms.count(session, number, "shown", now=utc_now())
        forms.count(session, number, "posted", now=utc_now(), times=4)
    page = desktop.get(f"/forms/{number}")
    assert figure(page, "Posted") == "4"
    assert not re.search(r"400[.0]*\s?%", page)


def test_other_desks_stay_outside(desktop):
    for desk in (Desk.SALES, Desk.SERVICE):
        assert desktop.at(desk).get("/forms/").status_code == 403


def test_the_starter_itself_fits(desktop):
    with desktop.stores.sessions.begin() as session:
        bodies = [(one, compile_source(one)) for one in (starters.load("confirmation"),)]
        templates.save(session, "own", "My own", bodies, author="t", now=NOW)
        assert senders.listing(session)
    assert ">My own<" in desktop.get("/forms/new")
