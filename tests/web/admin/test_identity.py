"""What the DNS says of a sender, on a page: asked of a real name server, with keys made and let."""

import ast
import re
from pathlib import Path

import dns.resolver
import pytest
from babel.messages.pofile import read_po

from campaigns.records import dkim_keys, senders
from campaigns.records.staff import Desk
from tests.factories import NOW, SENDER
from tests.name_server import NameServer, text_record
from tests.web.marketing.conftest import HOSTILE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


@pytest.fixture
def world(office):
    """What the DNS says; the app asks nobody else."""
    with NameServer({("bounce.shop.example", "TXT"): [text_record("v=spf1 +all")]}) as server:
        office.client.application.extensions["resolver"] = server.resolver()
        yield server.table


@pytest.fixture
def page(office):
    with office.stores.sessions.begin() as session:
        number = senders.add(session, SENDER, now=NOW)
    return f"/settings/senders/{number}/dns"


def keys_of(office):
    with office.stores.readers() as session:
        keys = dkim_keys.listing(session)
    return {key.selector: dkim_keys.states(keys)[key.id].value for key in keys}


def publish(world, html):
    for name, text in re.findall(r"<code[^>]*>(\S+_domainkey\S+)\. 3600 IN TXT (.+?)</code>", html):
        world[name, "TXT"] = [text.replace("&#34;", '"').removeprefix("( ").removesuffix(" )")]


def test_what_is_there_and_what_is_missing_is_shown_with_the_records_to_set(office, world, page):
    shown = office.get(page)
    assert "v=spf1 +all: everyone may send in your name" in shown
    assert "_dmarc.shop.example. 3600 IN TXT" in shown
    assert shown.count("must be mended") == 3
    assert "bounce.shop.example: MTA-STS" in shown
    assert page in office.get(page.removesuffix("/dns"))


def test_a_key_is_made_seen_and_followed_by_pages_alone(office, world, page):
    keys = page.replace("/dns", "/keys")
    made = office.post(keys)
    assert list(keys_of(office).values()) == ["waiting"]
    assert "waits for its record already" in office.post(keys)
    assert "is not there yet" in office.post(f"{keys}/check")
    publish(world, made)
    assert "signs from now on" in office.post(f"{keys}/check")
    assert list(keys_of(office).values()) == ["signing"]
    publish(world, office.post(keys))
    assert list(keys_of(office).values()) == ["signing", "waiting"]
    office.post(f"{keys}/check")
    assert list(keys_of(office).values()) == ["resting", "signing"]


def test_without_a_network_the_page_comes_and_says_so(office, page):
    nobody = dns.resolver.Resolver(configure=False)
    nobody.nameservers, nobody.port, nobody.lifetime = ["127.0.0.1"], 1, 0.3
    office.client.application.extensions["resolver"] = nobody
    shown = office.get(page)
    assert "No name server answered" in shown
    assert "Helpful" not in shown
    office.post(page.replace("/dns", "/keys"))
    assert "is not there yet" in office.post(page.replace("/dns", "/keys/check"))
    assert list(keys_of(office).values()) == ["waiting"]


def test_what_others_wrote_into_the_dns_is_only_text(office, world, page):
    world["_dmarc.shop.example", "TXT"] = [text_record(f"v=DMARC1; p={HOSTILE} %(x)s %s")]
    shown = office.get(page)
    assert "<script>alert" not in shown
    assert "%(x)s %s" in shown
    office.post("/language", locale="de", next=page)
    assert "ohne p= verlangt er nichts" in office.get(page)


@pytest.mark.parametrize("desk", [Desk.MARKETING, Desk.SALES, Desk.SERVICE])
def test_only_administrators_see_it(office, world, page, desk):
    assert office.at(desk).get(page).status_code == 403


def test_a_form_without_its_token_makes_no_key(office, page):
    assert office.client.post(page.replace("/dns", "/keys")).status_code == 400
    assert keys_of(office) == {}


def test_a_sender_that_is_not_there_is_not_found(office, world):
    office.get("/settings/senders/99/dns", 404)
    office.post("/settings/senders/99/keys", 404)
    office.post("/settings/senders/99/keys/check", 404)


def told_patterns():
    """Every sentence that a finding about a sender can be."""
    for name in ("senders", "welcome"):
        for node in ast.walk(ast.parse((ROOT / f"campaigns/doctor/{name}.py").read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "told":
                yield node.args[0].value


def test_every_finding_is_said_in_german():
    with (ROOT / "web/admin/translations/de/LC_MESSAGES/messages.po").open("rb") as file:
        german = {message.id: message.string for message in read_po(file, locale="de")}
    patterns = set(told_patterns())
    assert len(patterns) > 40
    assert [text for text in patterns if not german.get(text)] == []
