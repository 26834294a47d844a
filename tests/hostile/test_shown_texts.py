"""Everything that came from outside is text when it is shown (facts 6.1, 6.6; ASVS 1.2.1, 3.2.1)."""

import pytest

from campaigns.records.staff import Desk
from tests.hostile.house import MARK, PAYLOAD, House, Seen

#: Pages that show a mail itself: they are frames, shut in by their policy.
FRAMES = {"campaigns.mail", "templates.mail", "templates.starter", "customers.mail_body", "catcher.html"}
FILES = {"catcher.raw", "reports.export", "alive.healthz", "health.readyz"}


def test_the_payload_breaks_out_where_it_is_not_escaped():
    assert Seen(f"<p title='{PAYLOAD}'>{PAYLOAD}</p>").faults()
    assert Seen("<script>alert(1)</script>").faults() == ["an inline script"]
    assert Seen('<a href=" JavaScript:x">').faults()
    assert not Seen("<p>&lt;script&gt;</p><script src='/static/x.js'></script>").faults()


def test_no_page_of_any_desk_lets_a_text_become_anything_else(either_house: House):
    client, shown, faults = either_house.at(Desk.ADMIN), 0, []
    for rule in either_house.rules():
        if "GET" not in rule.methods or rule.endpoint in FRAMES | FILES:
            continue
        answer = client.get(either_house.path(rule))
        page = answer.get_data(as_text=True)
        assert answer.status_code < 500, f"{rule}: {answer.status_code}"
        faults += [f"{rule}: {fault}" for fault in Seen(page).faults()]
        if "343" in page and "7*7*7" not in page:
            faults.append(f"{rule}: a text was evaluated")
        shown += MARK in page
    assert faults == []
    assert shown >= 25, "the payload is hardly shown anywhere: the house is not hostile enough"


def test_no_page_lets_what_is_asked_become_anything_else(house: House):
    client = house.at(Desk.ADMIN)
    asked = dict.fromkeys(("q", "search", "state", "next", "language", "contact", "stage", "owner", "kind", "page", "way"),
                          f"<{MARK}>\"'><svg onload=x>")  # fmt: skip
    for rule in house.rules():
        if "GET" not in rule.methods or rule.endpoint in FRAMES | FILES:
            continue
        answer = client.get(house.path(rule), query_string=asked)
        assert Seen(answer.get_data(as_text=True)).faults() == [], rule


@pytest.mark.parametrize("endpoint", sorted(FRAMES))
def test_a_mail_is_shown_only_in_a_sandbox_that_runs_and_asks_nothing(house: House, endpoint: str):
    (rule,) = [rule for rule in house.rules() if rule.endpoint == endpoint]
    path = house.path(rule) if endpoint != "templates.starter" else "/content/starters/newsletter"
    answer = house.at(Desk.ADMIN).get(path)
    assert answer.status_code == 200, endpoint
    policy = answer.headers["Content-Security-Policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert "sandbox" in directives
    assert "allow-scripts" not in directives["sandbox"]
    assert "allow-same-origin" not in directives["sandbox"]
    assert directives["default-src"] == "'none'"
    assert directives["form-action"] == "'none'"
    assert directives["frame-ancestors"] in {"'self'", "'none'"}
    assert "script-src" not in directives


def test_the_archive_of_a_mail_is_a_sandbox_on_the_origin_without_cookies(house: House):
    from campaigns.tracking.tokens import Keyring, Purpose

    token = Keyring(house.settings.secret).sign(Purpose.VIEW, house.lived.run, 1, house.lived.contact)
    answer = house.public.test_client().get(f"/v/{token}")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-scripts" not in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


def test_the_raw_mail_is_a_file_and_no_page(house: House):
    answer = house.at(Desk.ADMIN).get(f"/caught/{house.ids['name']}/raw")
    assert answer.mimetype in {"text/plain", "message/rfc822"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_public_pages_show_texts_as_texts_too(either_house: House):
    from campaigns.tracking.tokens import Keyring, Purpose

    client, keyring = either_house.public.test_client(), Keyring(either_house.settings.secret)
    pages = {"u": Purpose.UNSUBSCRIBE, "p": Purpose.PREFERENCES, "s": Purpose.SURVEY, "y": Purpose.CONFIRM}
    for path, purpose in pages.items():
        token = keyring.sign(purpose, either_house.lived.run, 1, either_house.lived.contact)
        answer = client.get(f"/{path}/{token}")
        assert answer.status_code < 500, path
        assert Seen(answer.get_data(as_text=True)).faults() == [], path
    form = client.get("/f/form").get_data(as_text=True)
    assert MARK in form
    assert Seen(form).faults() == []
    offered = client.get("/f/form/offer")
    assert offered.mimetype == "application/json"
