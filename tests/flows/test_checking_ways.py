"""What a campaign's ways out cannot carry is told before it goes, by the accounts that its own routes lead to."""

import json

import pytest
from click.testing import CliRunner

from campaigns.cli import _root
from campaigns.delivery.routes import Route, Routing
from campaigns.flows import checking
from campaigns.model.customers import contacts
from campaigns.records import campaigns, templates
from campaigns.templates.render import compile_source
from campaigns.values import Account, Attachment, BodyKind, Source
from campaigns.wiring import open_stores
from tests.factories import HTML, NOW
from tests.flows.test_checking import SIGNING, ready

PICTURE = Attachment("logo.png", "image/png", b"\x89PNG\r\n\x1a\n", "logo.png")
SHOWN = HTML.replace("</body>", '<img src="cid:logo.png" alt="Us" width="9"></body>')
ACCOUNTS = {name: Account(name, name) for name in ("smtp", "brevo", "postmark")}
SMTP, BREVO, POSTMARK = ({name: 1.0} for name in ("smtp", "brevo", "postmark"))
EACH = "Its mails go through {}, which shows no pictures within a mail: each would fail."
SOME = "What goes through {} fails, for it shows no pictures within a mail."
CURE = " Link to the pictures instead, or choose a route to another account."


def with_files(session, *files):
    source = Source(BodyKind.HTML, "Hi", SHOWN if files else HTML, "A few words before")
    made = compile_source(source, files)
    version = templates.save(session, "t", "T", [(source, made)], author="t", now=NOW, files=files)
    return version, templates.find(session, "t")


def told(session, campaign, *routes):
    campaign = campaigns.get(session, campaign)
    routing = Routing(ACCOUNTS, routes)
    found = checking.check(
        session, campaign, reach={"mailable": 1}, signing=SIGNING, routing=routing, now=NOW
    )
    return [(one.level.value, one.words) for one in found if "accounts" in one.values]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([Route(SMTP)], []),
        ([Route(POSTMARK)], []),
        ([Route(BREVO)], [("blocker", EACH.format("brevo"))]),
        ([Route(BREVO, ("smtp",))], [("blocker", EACH.format("brevo"))]),
        ([Route(SMTP | BREVO)], [("warning", SOME.format("brevo"))]),
        ([Route(SMTP, ("brevo",))], [("warning", SOME.format("brevo"))]),
        ([Route(BREVO, lanes=frozenset({"google"})), Route(SMTP)], [("warning", SOME.format("brevo"))]),
        ([Route(BREVO, classes=frozenset({"transactional"})), Route(SMTP)], []),
        ([Route(BREVO, senders=frozenset({"other.example"})), Route(SMTP)], []),
        ([Route(BREVO, senders=frozenset({"shop.example"})), Route(SMTP)], [("blocker", EACH.format("brevo"))]),
    ],
)  # fmt: skip
def test_pictures_within_a_mail_are_held_against_the_accounts_that_its_routes_lead_to(
    session, routes, expected
):
    template = with_files(session, PICTURE)[1]
    campaign, _ = ready(session, template_id=template)
    assert told(session, campaign, *routes) == expected


def test_a_file_beside_the_text_is_no_picture_within_it(session):
    template = with_files(session)[1]
    campaign, _ = ready(session, template_id=template)
    assert told(session, campaign, Route(BREVO)) == []


def test_addresses_beyond_ascii_are_counted_where_an_account_cannot_write_to_them(session):
    campaign, _ = ready(session, people=[{}, {"email": "josé@example.com"}, {"email": "x@xn--bcher-kva.de"}])
    assert session.query(contacts).count() == 3
    assert told(session, campaign, Route(SMTP)) == []
    for routes in ([Route(POSTMARK)], [Route(SMTP, ("postmark",))]):
        [(level, words)] = told(session, campaign, *routes)
        assert level == "warning"
        assert words == "1 people have addresses beyond ASCII, which postmark cannot write to."


def test_the_command_tells_it_of_a_template_too(sqlite_pattern, tmp_path, monkeypatch):
    store = tmp_path / "data" / "postroom.db"
    store.parent.mkdir()
    store.write_bytes(sqlite_pattern.read_bytes())
    stores = open_stores(f"sqlite:///{store}")
    with stores.sessions.begin() as opened:
        with_files(opened, PICTURE)
    stores.engine.dispose()
    (tmp_path / "accounts.toml").write_text('[accounts.main]\nkind = "brevo"\nkey = "k"\n')
    monkeypatch.setenv("POSTROOM_DATA", str(store.parent))
    monkeypatch.setenv("POSTROOM_ACCOUNTS", str(tmp_path / "accounts.toml"))
    monkeypatch.delenv("POSTROOM_DATABASE_URL", raising=False)
    said = json.loads(CliRunner().invoke(_root, ["check", "t", "--json"]).output)
    [one] = [one for one in said["findings"] if "within a mail" in one["what"]]
    assert (one["level"], one["what"]) == ("warning", EACH.format("main"))
