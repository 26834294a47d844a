"""Who may pass which door, and what every answer carries (facts 6.1, 6.6; ASVS 3.4, 3.5, 4.1.3, 8.x)."""

import pytest

from campaigns.records.staff import Desk
from tests.hostile.house import House

MARKETING, BOTH, NOBODY_ELSE = {Desk.MARKETING}, {Desk.SALES, Desk.SERVICE}, set()
#: Whose pages each blueprint's are. A new blueprint must choose; administrators see all.
DESKS = {
    **dict.fromkeys(("campaigns", "segments", "templates", "surveys", "forms", "halted", "reports", "doubts", "catcher"), MARKETING),
    **dict.fromkeys(("customers", "tasks", "lookup", "cases"), BOTH),
    **dict.fromkeys(("settings", "staff", "accounts", "lanes"), NOBODY_ELSE),
}  # fmt: skip
#: Where it is not the blueprint's: marketing reads customers, and only service takes an address off the list.
OWN = {"customers.lift": {Desk.SERVICE}} | {
    f"customers.{page}": BOTH | MARKETING for page in ("index", "show", "stream", "mail", "mail_body")
}
#: What asks for nobody's desk: the way in, one's own account, signs of life.
OPEN = {"auth", "shell", "account", "alive", "health"}
SHUT = {403, 404}


def blueprint_of(rule) -> str:
    return rule.endpoint.partition(".")[0]


def ask(house: House, client, rule, **more):
    """Ask as a script would that has a login, and the token of a form: only the desk can stand in the way."""
    method = next(iter(rule.methods - {"HEAD", "OPTIONS", "GET"}), "GET")
    if method != "GET":
        page = client.get("/a/page/that/is/not/there").get_data(as_text=True)
        csrf = page.split('name="csrf-token" content="')[1].split('"')[0] if "csrf-token" in page else ""
        more = {"data": {"csrf_token": csrf}, "headers": {"Referer": "http://localhost/"}} | more
    return client.open(house.path(rule), method=method, **more)


def test_every_blueprint_belongs_to_a_desk(house: House):
    assert {blueprint_of(rule) for rule in house.rules()} <= set(DESKS) | OPEN


@pytest.mark.parametrize("desk", [Desk.MARKETING, Desk.SALES, Desk.SERVICE])
def test_no_desk_passes_anothers_door(house: House, desk: Desk):
    client = house.at(desk)
    passed = [
        f"{rule} {rule.methods}"
        for rule in house.rules()
        if blueprint_of(rule) not in OPEN
        and desk not in OWN.get(rule.endpoint, DESKS[blueprint_of(rule)])
        and ask(house, client, rule).status_code not in SHUT
    ]
    assert passed == []


def test_nobody_passes_any_door_without_a_login(house: House):
    client = house.app.test_client()
    for rule in house.rules():
        if blueprint_of(rule) in OPEN - {"account", "shell"}:
            continue
        answer = ask(house, client, rule)
        shut = answer.status_code in {400, 401} or "/login" in answer.headers.get("Location", "")
        assert shut, f"{rule}: {answer.status_code}"


def test_no_post_of_a_desk_is_taken_without_the_token_of_its_page(house: House):
    client = house.at(Desk.ADMIN)
    for rule in house.rules():
        for method in rule.methods - {"HEAD", "OPTIONS", "GET"}:
            answer = client.open(house.path(rule), method=method, data={"name": "x"})
            assert answer.status_code == 400, f"{rule}: {answer.status_code}"


def test_no_get_changes_anything(house: House):
    """A page of elsewhere can make a browser ask; nothing may come of it."""
    import sqlalchemy as sa

    writes: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        if statement.lstrip()[:6].upper() in {"INSERT", "UPDATE", "DELETE"}:
            writes.append(statement)

    sa.event.listen(house.stores.engine, "before_cursor_execute", note)
    try:
        client = house.at(Desk.ADMIN)
        for rule in house.rules():
            if "GET" in rule.methods:
                client.get(house.path(rule))
    finally:
        sa.event.remove(house.stores.engine, "before_cursor_execute", note)
    assert [one for one in writes if "strays" not in one] == []


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "１", "1'--", "%00"])
def test_no_id_breaks_a_page(either_house: House, number: str):
    client = either_house.at(Desk.ADMIN)
    for rule in either_house.rules():
        if "GET" in rule.methods and rule.arguments:
            path = rule.rule
            for name in rule.arguments:
                path = path.replace(f"<int:{name}>", number).replace(f"<{name}>", number)
            answer = client.get(path)
            assert answer.status_code < 500, f"{path}: {answer.status_code}"


#: Every name that some page asks for, and some that none should: nothing of it may reach SQL as it is.
ASKED = ("q", "search", "sort", "order", "dir", "field", "filter", "state", "stage", "owner", "country", "kind", "page",
         "before", "after", "limit", "contact", "language", "campaign", "run", "which", "topic", "from", "to", "mine")  # fmt: skip
INJECTIONS = (
    "1' OR '1'='1",
    '") OR 1=1--',
    "name DESC; DROP TABLE contacts",
    "(SELECT 1)",
    "%",
    "\x00",
    "9" * 30,
    "é" * 300,
)


@pytest.mark.parametrize("turn", range(3))
def test_no_sort_filter_or_field_reaches_the_database_as_it_is(either_house: House, turn: int):
    client = either_house.at(Desk.ADMIN)
    asked = {name: INJECTIONS[(at * 3 + turn) % len(INJECTIONS)] for at, name in enumerate(ASKED)}
    for rule in either_house.rules():
        if "GET" in rule.methods and rule.endpoint != "health.readyz":  # that says 503 without a worker
            answer = client.get(either_house.path(rule), query_string=asked)
            assert answer.status_code < 500, f"{rule}: {answer.status_code}"


def wants(answer) -> dict[str, bool]:
    policy = answer.headers.get("Content-Security-Policy", "")
    return {
        "policy": policy.startswith(("default-src 'none'", "sandbox")) and "unsafe-eval" not in policy,
        "no inline script": "script-src 'unsafe-inline'" not in policy,
        "framed by ours at most": "frame-ancestors" in policy,
        "base-uri": "base-uri 'none'" in policy,
        "nosniff": answer.headers.get("X-Content-Type-Options") == "nosniff",
        "referrer": answer.headers.get("Referrer-Policy") in {"same-origin", "no-referrer"},
        "opener": answer.headers.get("Cross-Origin-Opener-Policy") == "same-origin",
        "permissions": "camera=()" in answer.headers.get("Permissions-Policy", ""),
        "cache": "no-store" in answer.headers.get("Cache-Control", "") or "max-age" in answer.headers["Cache-Control"],
        "server": not any(word in answer.headers.get("Server", "").lower() for word in ("python", "werkzeug")),
    }  # fmt: skip


def test_every_answer_of_the_desks_carries_the_headers(house: House):
    client = house.at(Desk.ADMIN)
    answers = {str(rule): client.get(house.path(rule)) for rule in house.rules() if "GET" in rule.methods}
    answers |= {
        "404": client.get("/nothing"), "405": client.delete("/login"), "400": client.post("/campaigns/"),
        "static": client.get("/static/postroom.css", buffered=True), "lost static": client.get("/static/../app.py", buffered=True),
        "nobody": house.app.test_client().get("/campaigns/"), "413": client.post("/login", data=b"x" * 40_000_000),
    }  # fmt: skip
    lacking = [
        f"{name}: {want}"
        for name, answer in answers.items()
        for want, given in wants(answer).items()
        if not given
    ]
    assert lacking == []


def test_every_answer_of_the_public_pages_carries_the_headers_and_no_cookie(house: House):
    client = house.public.test_client()
    paths = ["/", "/f/form", "/f/nothing", "/f/form/offer", "/u/x", "/p/x", "/s/x", "/v/x", "/y/x", "/c/x/1", "/robots.txt",
             "/healthz", "/static/public.css", "/static/vendor/altcha-3.2.2/altcha.min.js", "/nothing", "/n", "/hooks/main/guessed"]  # fmt: skip
    for path in paths:
        for method in ("GET", "POST", "OPTIONS"):
            answer = client.open(path, method=method, data={} if method == "POST" else None, buffered=True)
            assert answer.status_code < 500, path
            assert "Set-Cookie" not in answer.headers, path
            lacking = [want for want, given in wants(answer).items() if not given]
            answer.close()
            assert lacking == [], f"{method} {path}"


def test_a_cookie_of_the_desks_means_nothing_on_the_public_origin(house: House):
    from campaigns.tracking.tokens import Keyring, Purpose

    token = Keyring(house.settings.secret).sign(Purpose.PREFERENCES, house.lived.run, 1, house.lived.contact)
    with house.public.test_request_context(f"/p/{token}", headers={"Cookie": "postroom=anything"}):
        assert "session" not in house.public.blueprints
    assert not any(name.startswith(("auth", "account")) for name in house.public.view_functions)


def test_a_forged_host_stands_nowhere_in_an_answer(house: House):
    """Links in mails and redirects are made of the settings, never of what a request says (host header)."""
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "Forwarded": "host=evil.example",
    }
    for client in (house.at(Desk.ADMIN), house.app.test_client()):
        for rule in house.rules():
            if "GET" in rule.methods:
                answer = client.get(house.path(rule), headers=forged)
                assert "evil.example" not in answer.headers.get("Location", ""), rule
                assert "evil.example" not in answer.get_data(as_text=True), rule
    for path in ("/f/form", "/f/form/offer", "/u/x", "/robots.txt"):
        assert "evil.example" not in house.public.test_client().get(path, headers=forged).get_data(
            as_text=True
        ), path


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)",
     "/%0d%0aSet-Cookie:x=y", "/\r\nLocation: https://evil.example", "https:evil.example", "///evil.example", "/login@evil.example//", "http://[::1"],
)  # fmt: skip
def test_after_the_login_one_goes_to_a_path_of_ours(house: House, target: str):
    for answer in (
        house.at(Desk.ADMIN).get("/login", query_string={"next": target}),
        ask(house, house.at(Desk.ADMIN), next(r for r in house.rules() if r.endpoint == "auth.choose_language"),
            data={"locale": "de", "next": target, "csrf_token": ""}),
    ):  # fmt: skip
        location = answer.headers.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert "\n" not in location


def test_a_click_leads_only_where_the_run_says(house: House):
    from campaigns.tracking.tokens import Keyring, Purpose

    good = Keyring(house.settings.secret).sign(Purpose.CLICK, house.lived.run, 1, house.lived.contact)
    client = house.public.test_client()
    for path in (f"/c/{good}/999?url=https://evil.example", f"/c/{good}/https://evil.example", "/c/x?url=//evil.example",
                 f"/c/{good[:-1]}A/1", f"/c/{good}/-1"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "Location" not in answer.headers
