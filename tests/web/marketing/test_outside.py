"""What others say of a mail: asked by the button only, told in words, kept for a while, calm without a network."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from campaigns.clock import utc_now
from campaigns.records.staff import Desk
from tests.delivery.fetching.web_server import WebServer
from tests.name_server import NameServer
from tests.web.marketing.outsiders import BODY, leading_outside, outsiders, rspamd
from web.marketing.campaigns.outside import outside_of


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


@pytest.fixture
def app(desktop):
    made = desktop.client.application
    made.extensions["settings"] = replace(made.extensions["settings"], spam_url="off")
    return made


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_nobody_is_asked_until_somebody_says_so(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app) as server:
        for path in ("", "/check", "/outside", "/review"):
            page = desktop.get(f"/campaigns/{number}{path}")
        assert "Ask them" in page
        assert server.asked == []


def test_what_is_wrong_with_links_and_pictures_is_told_with_the_words_around(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app):
        page = plain(desktop.post(f"/campaigns/{number}/outside", 200, part=True))
    for words in (
        "The link http://shop.example/gone does not work: its server answers with 404.",
        "Our summer catalogue",
        "The link http://nobody.example/ does not work: there is no such host.",
        "The link http://inner.example/ does not work: it leads to a machine of a private network.",
        "The link http://shut.example/ does not work: nobody answers there.",
        "The link http://shop.example/moved leads on to another host, other-shop.example.",
        "The picture http://shop.example/large.png has 2.5 MB",
        "http://shop.example/large.png can be seen through",
        "What stands at the picture http://shop.example/page.png is none (text/html).",
        "No spam filter was asked.",
    ):
        assert words in page
    assert "shop.example/alive" not in page
    assert "secret body" not in page


def test_answers_are_kept_so_that_looking_again_asks_nobody(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app) as server:
        desktop.post(f"/campaigns/{number}/outside", 200, part=True)
        asked = len(server.asked)
        assert asked
        for path in ("/outside", "/review"):
            assert "answers with 404" in desktop.get(f"/campaigns/{number}{path}")
        desktop.post(f"/campaigns/{number}/outside", 200, part=True)
        assert len(server.asked) == asked


def test_answers_about_a_mail_that_was_changed_are_not_shown(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app):
        desktop.post(f"/campaigns/{number}/outside", 200, part=True)
        desktop.fill(number, template_id=desktop.template)
        assert "answers with 404" not in desktop.get(f"/campaigns/{number}/outside")


def test_old_answers_are_not_shown(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app):
        desktop.post(f"/campaigns/{number}/outside", 200, part=True)
    rounds = outside_of(app).rounds
    rounds[number] = rounds[number]._replace(at=utc_now() - timedelta(minutes=11))
    assert "answers with 404" not in desktop.get(f"/campaigns/{number}/outside")


def test_without_scripts_the_button_leads_to_the_review(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app):
        page = desktop.post(f"/campaigns/{number}/outside")
    assert "answers with 404" in page
    assert 'id="outside"' in page


def test_the_spam_filters_points_are_shown_in_its_words_and_harmlessly(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app), WebServer(rspamd) as filter_:
        url = f"http://127.0.0.1:{filter_.port}"
        app.extensions["settings"] = replace(app.extensions["settings"], spam_url=url)
        page = desktop.post(f"/campaigns/{number}/outside", 200, part=True)
    assert "rspamd takes the mail for spam: 7.5 points, refused from 15.0 on." in plain(page)
    assert "3.0 All capital letters in subject SUBJ_ALL_CAPS" in plain(page)
    assert "-0.5" in plain(page)
    assert "<script>" not in page
    assert "No points" not in page
    assert "POST /checkv2" in filter_.asked[0]


def test_a_filter_that_does_not_answer_is_told(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app), WebServer(lambda *_: b"HTTP/1.1 500 No\r\n\r\n") as filter_:
        url = f"http://127.0.0.1:{filter_.port}"
        app.extensions["settings"] = replace(app.extensions["settings"], spam_url=url)
        page = desktop.post(f"/campaigns/{number}/outside", 200, part=True)
    assert "The spam filter gave no judgement" in page


def test_without_a_network_there_is_one_calm_word(desktop, app):
    number = leading_outside(desktop)
    with NameServer({}) as gone:
        resolver = gone.resolver()
    resolver.lifetime = 0.3
    with outsiders(app) as server:
        fetcher = app.extensions["fetcher"]
        app.extensions["fetcher"] = replace(fetcher, resolver=resolver)
        app.extensions["resolver"] = resolver
        page = plain(desktop.post(f"/campaigns/{number}/outside", 200, part=True))
    assert server.asked == []
    assert page.count("could not be checked") == 1
    assert page.count("could not be asked") == 1
    assert "does not work" not in page
    assert "Nobody objects" in page


def test_what_the_dns_lacks_is_told_of_the_sender(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app):
        page = plain(desktop.post(f"/campaigns/{number}/outside", 200, part=True))
    assert "bounce.shop.example: MX: no server takes mail: what bounces is never known." in page


def test_only_one_round_is_asked_at_a_time(desktop, app):
    number = leading_outside(desktop)
    held = outside_of(app)
    with outsiders(app) as server, held.asking:
        page = desktop.post(f"/campaigns/{number}/outside", 200, part=True)
        assert "Others are being asked just now" in page
        assert server.asked == []


def test_a_campaign_without_a_template_asks_nobody(desktop, app):
    with outsiders(app) as server:
        desktop.post(f"/campaigns/{desktop.create()}/outside", 200, part=True)
        assert server.asked == []


def test_it_is_said_in_german(desktop, app):
    number = leading_outside(desktop)
    with desktop.client.session_transaction() as cookie:
        cookie["locale"] = "de"
    with outsiders(app):
        page = plain(desktop.post(f"/campaigns/{number}/outside", 200, part=True))
        check = plain(desktop.get(f"/campaigns/{number}/check"))
    assert "Der Link http://shop.example/gone geht nicht: sein Server antwortet mit 404." in page
    assert "diesen Rechnernamen gibt es nicht" in page
    assert "2,5 MB" in page
    assert "ist nicht verschlüsselt" in check
    assert "is not encrypted" not in check


def test_others_than_marketers_ask_nobody(desktop, app):
    number = leading_outside(desktop)
    with outsiders(app) as server:
        for desk in (Desk.SALES, Desk.SERVICE):
            assert desktop.at(desk).get(f"/campaigns/{number}/outside").status_code == 403
        assert desktop.client.post(f"/campaigns/{number}/outside").status_code == 400
        assert server.asked == []


def test_findings_that_are_alike_are_folded(desktop, app):
    many = "".join(f'<a href="http://shop.example/{at}">Shop {at}</a>' for at in range(40))
    number = leading_outside(desktop, BODY.replace("<img", many + "<img", 1))
    page = desktop.get(f"/campaigns/{number}/check")
    assert page.count('<li class="finding-warn"') < 8
    assert "and 45 more like it" in page
    assert "… and so on." in page
