"""The pages of segments, content and caught mails."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from html import unescape

import pytest

from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.records import attributes, catalog, segments, template_files, templates
from campaigns.templates import preflight
from campaigns.templates.render import compile_source, prepare
from campaigns.templates.samples import sample_names
from campaigns.values import Attachment, BodyKind, Source
from tests.pictures import a_png
from tests.web.marketing.conftest import HOSTILE
from web.marketing import examples
from web.marketing.sources import BLANK

GERMANY = '{"version": 1, "rule": {"field": "contact.country", "is": "=", "value": "DE"}}'
BROKEN = '{"version": 1, "rule": {"all": [{"field": "contact.contry", "is": "=", "value": "DE"}, {"consent": "no such", "is": 7}]}}'


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def test_a_segment_is_written_counted_and_changed_by_versions(desktop):
    page = desktop.post("/segments/", name="Germans ß", rule=GERMANY)
    assert "Version 1, key germans-ss." in page
    assert "<strong>0</strong>" in page
    with desktop.stores.readers() as session:
        made = segments.find(session, "germans-ss")
    page = desktop.post(f"/segments/{made}", rule='{"version": 1, "rule": {"everyone": true}}')
    assert "Version 2, key germans-ss." in page
    assert "<strong>4</strong>" in page
    assert "Germans ß" in desktop.get("/segments/")


def test_two_segments_of_one_name_get_two_keys(desktop):
    desktop.post("/segments/", name="Same", rule=GERMANY)
    desktop.post("/segments/", name="Same", rule=GERMANY)
    with desktop.stores.readers() as session:
        assert [row.key for row in segments.listing(session) if row.name == "Same"] == ["same", "same-2"]


def test_all_that_is_wrong_with_a_rule_is_told_and_what_was_typed_stays(desktop):
    page = desktop.post("/segments/", 422, name="", rule=BROKEN)
    for words in (
        "name: is empty or too long.",
        "rule.all[0].field",
        "Did you mean &#39;contact.country&#39;?",
        "rule.all[1]",
    ):
        assert words in page
    assert "contact.contry" in page
    with desktop.stores.readers() as session:
        assert len(segments.listing(session)) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "rule": NaN}', "null", "[" * 20000])
def test_what_is_no_rule_is_refused_with_a_reason(desktop, text):
    assert "finding-bad" in desktop.post("/segments/count", 200, part=True, rule=text)
    desktop.post(f"/segments/{desktop.segment}", 422, rule=text)


def test_a_rule_is_counted_before_it_is_saved(desktop):
    part = desktop.post("/segments/count", 200, part=True, rule='{"version": 1, "rule": {"everyone": true}}')
    assert "<strong>4</strong>" in part
    assert "All contacts" in part


def test_a_template_begins_with_a_starter_in_both_languages(desktop):
    page = desktop.post("/content/", name="Our letter", start="newsletter")
    assert "Our letter" in page
    with desktop.stores.readers() as session:
        [row] = [row for row in templates.listing(session) if row.key == "our-letter"]
        assert row.languages == ("de", "en")
    answer = desktop.client.get(f"/content/{row.id}/mail/de")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "<!doctype html>" in answer.get_data(as_text=True).lower()


@pytest.mark.parametrize("start", ["mjml", "html", "text"])
def test_an_empty_template_is_one_that_nothing_speaks_against_but_its_preheader(desktop, start):
    page = desktop.post("/content/", name="Empty", start=start)
    assert "must be mended" not in page


def test_a_name_and_a_start_are_both_asked_for(desktop):
    page = desktop.post("/content/", 422, name=" ", start="nothing")
    assert "2 things to put right" in page


def test_a_source_that_does_not_compile_says_where_and_saves_nothing(desktop):
    form = {
        "language": "en",
        "kind": "html",
        "subject": "Hi {{ contact.nme }}",
        "body": "<p>one</p>\n<p>{% if contact.city %}two</p>",
        "preheader": "",
        "text": "",
    }
    page = desktop.post(f"/content/{desktop.template}/edit", 422, **form)
    assert "subject line 1" in page
    assert "Line 2</a>" in page
    assert "{{ contact.nme }}" in page
    with desktop.stores.readers() as session:
        assert [row.version for row in templates.listing(session)] == [1]


def test_a_saved_source_is_a_new_version_and_the_other_languages_stay(desktop):
    form = {
        "kind": "text",
        "subject": "Hallo",
        "preheader": "",
        "text": "",
        "body": "Hallo {{ contact.given_name|default('Sie') }}\r\n{{ links.unsubscribe }} {{ sender.postal_address }}",
    }
    page = desktop.post(f"/content/{desktop.template}/edit", language="de", **form)
    assert "Hallo" in page
    with desktop.stores.readers() as session:
        [row] = templates.listing(session)
        assert (row.version, row.languages) == (2, ("de", "en"))
        version = templates.newest_version(session, row.id)
        assert "\r" not in templates.sources(session, version)[0].body
    desktop.post(f"/content/{desktop.template}/edit", 422, language="nonsense tag", **form)
    assert "A further language." in desktop.get(f"/content/{desktop.template}/edit?language=")


@pytest.mark.parametrize(
    "path",
    [
        "/segments/99",
        "/content/99",
        "/content/99/edit",
        "/content/99/mail/en",
        "/content/starters/none",
        "/reports/99",
        "/campaigns/99",
        "/caught/none",
        "/caught/../secret.key",
    ],
)
def test_what_is_not_there_is_not_found(desktop, path):
    desktop.get(path, 404)


@pytest.fixture
def mails(desktop):
    folder = desktop.settings.data / "caught"
    caught.prepare(folder)
    for name in ("Ada", "Grace"):
        raw = (
            f"From: Shop <shop@x.example>\r\nTo: {name}@x.example\r\nSubject: {HOSTILE} {name}\r\n"
            "Content-Type: text/html; charset=utf-8\r\n\r\n<h1>Hi</h1><script>alert(1)</script>"
        )
        envelope = caught.Envelope("b@x.example", (f"{name}@x.example",), datetime(2026, 11, 22, tzinfo=UTC))
        caught.store(folder, [(envelope, raw.encode())])
    (folder / caught.PORT).write_text("2525")  # as a catcher does that listens
    return [mail.name for mail in caught.mails(folder)]


def test_caught_mails_are_listed_searched_and_read_without_running_anything(desktop, mails):
    page = desktop.get("/caught/")
    assert page.count("/caught/0") == 2
    assert "<script>alert" not in page
    assert desktop.get("/caught/?q=grace").count("/caught/0") == 1
    for part in ("mail", "headers", "source", "no such part"):
        assert "<script>alert" not in desktop.get(f"/caught/{mails[0]}?part={part}")
    framed = desktop.client.get(f"/caught/{mails[0]}/html")
    assert "default-src 'none'" in framed.headers["Content-Security-Policy"]
    raw = desktop.client.get(f"/caught/{mails[0]}/raw")
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert raw.mimetype == "message/rfc822"


def test_with_a_real_mail_server_nothing_is_shown_as_caught(desktop, mails):
    (desktop.settings.data / "caught" / caught.PORT).write_text("1")
    assert "Nothing is caught here" in desktop.get("/caught/")
    desktop.get(f"/caught/{mails[0]}", 404)


PNG = a_png()
SHOWING = {
    "language": "en",
    "kind": "html",
    "subject": "Hello",
    "body": '<p><img src="cid:logo.png" alt="">{{ links.unsubscribe }}</p>',
}


def attach(desktop, template, name, data, **fields):
    """Post as a browser does; the client's own way leaves a file open when the upload is large."""
    fields = {"csrf_token": desktop.csrf, **fields}
    parts = [
        f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    ]
    parts.append(f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n')
    body = "--=b\r\n" + "--=b\r\n".join(parts)
    return desktop.client.post(
        f"/content/{template}/files",
        data=body.encode() + data + b"\r\n--=b--\r\n",
        content_type='multipart/form-data; boundary="=b"',
        headers={"Referer": "http://localhost/"},
        follow_redirects=True,
    )


@pytest.fixture
def template(desktop):
    desktop.post("/content/", name="With files", start="html")
    with desktop.stores.readers() as session:
        return templates.find(session, "with-files")


def files_of(desktop, template):
    with desktop.stores.readers() as session:
        return template_files.of_version(session, templates.newest_version(session, template))


def test_a_picture_is_added_shown_and_kept_by_the_versions_after_it(desktop, template):
    page = desktop.post(f"/content/{template}/edit", 422, **SHOWING)
    assert "cid:logo.png names no picture" in page
    page = attach(desktop, template, "logo.png", PNG, within="1").get_data(as_text=True)
    assert "<code>cid:logo.png</code>" in page
    desktop.post(f"/content/{template}/edit", **SHOWING)
    assert files_of(desktop, template) == (Attachment("logo.png", "image/png", PNG, "logo.png"),)
    mail = desktop.get(f"/content/{template}/mail/en")
    assert f"data:image/png;base64,{b64encode(PNG).decode()}" in mail


def test_a_picture_that_a_language_shows_stays_and_others_are_removed(desktop, template):
    attach(desktop, template, "logo.png", PNG, within="1")
    attach(desktop, template, "Preise <2027>.pdf", b"%PDF-1.4")
    desktop.post(f"/content/{template}/edit", **SHOWING)
    assert "names no picture" in desktop.post(f"/content/{template}/files/remove", 422, name="logo.png")
    page = desktop.post(f"/content/{template}/files/remove", name="Preise <2027>.pdf")
    assert "Preise &lt;2027&gt;.pdf was removed." in page
    assert [one.name for one in files_of(desktop, template)] == ["logo.png"]


@pytest.mark.parametrize(
    ("name", "data", "within", "words"),
    [
        ("prices.exe", b"MZ", "", "refuse files of this kind"),
        ("empty.pdf", b"", "", "is empty"),
        ("large.pdf", bytes(2_000_001), "", "2.0 MB is the most"),
        ("logo.svg", b"<svg/>", "1", "is no such picture"),
        ("logo.png", b"not a picture", "1", "is no such picture"),
        ("x" * 117 + ".pdf", b"%PDF", "", "cannot be written"),
    ],
)
def test_a_file_that_mails_cannot_carry_is_refused_and_says_why(desktop, template, name, data, within, words):
    answer = attach(desktop, template, name, data, within=within)
    assert answer.status_code == 422
    assert words in answer.get_data(as_text=True)
    assert files_of(desktop, template) == ()


def test_a_template_carries_no_two_files_of_one_name_and_no_more_than_fit(desktop, template):
    attach(desktop, template, "a.pdf", b"%PDF")
    assert "two have the same name" in attach(desktop, template, "A.pdf", b"%PDF").get_data(as_text=True)
    attach(desktop, template, "b.pdf", bytes(2_000_000))
    answer = attach(desktop, template, "c.pdf", bytes(2_000_000))
    assert "4.0 MB is the most" in answer.get_data(as_text=True)
    assert len(files_of(desktop, template)) == 2


def test_a_file_is_not_taken_without_the_pages_token(desktop, template):
    assert attach(desktop, template, "a.pdf", b"%PDF", csrf_token="x").status_code == 400
    assert files_of(desktop, template) == ()


@pytest.mark.parametrize("kind", sorted(BLANK))
def test_only_its_own_words_speak_against_an_empty_template(kind):
    found = preflight.check(compile_source(BLANK[kind]), BLANK[kind])
    said = [str(one) for one in found if one.level is not preflight.Level.HINT]
    assert len(said) == (2 if kind == "text" else 3)
    assert all("what a new template begins with" in one for one in said)


def test_a_template_opens_in_the_readers_language_and_says_todays_date(desktop):
    desktop.post("/content/", name="Our letter", start="newsletter")
    with desktop.stores.readers() as session:
        number = templates.find(session, "our-letter")
    english = desktop.get(f"/content/{number}")
    assert 'href="/content/1/edit?language=en"'.replace("/1/", f"/{number}/") in english
    german = desktop.client.get(f"/content/{number}", headers={"Accept-Language": "de"})
    assert f'href="/content/{number}/edit?language=de"' in german.get_data(as_text=True)
    body = "<html><body><p>{{ today }} {{ links.unsubscribe }}</p></body></html>"
    form = {
        "language": "en",
        "kind": "html",
        "subject": "{{ today }}",
        "preheader": "P",
        "body": body,
        "text": "",
    }
    shown = desktop.post(f"/content/{desktop.template}/edit", **form)
    said = prepare(compile_source(Source(BodyKind.HTML, "{{ today }}", body)))
    assert said.render(sample_names("en", utc_now().date())).subject in shown


def test_each_example_of_a_rule_is_whole_as_it_stands_and_holds_in_this_store(desktop):
    with desktop.stores.sessions.begin() as session:
        attributes.define(session, {"points": "number", "vip": "boolean"}, now=utc_now())
        catalog.put_on_sale(session, catalog.Offer("T-1", "Tea", "tea", 100, "EUR", ""))
    page = desktop.get("/segments/new")
    shown = [unescape(text) for text in re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)]
    with desktop.stores.readers() as session:
        keys = [one.key for one in examples.examples(session)]
        for text in shown:
            assert segments.read(session, json.loads(text))
    assert len(shown) == len(keys)
    assert {"role", "attribute", "birthday", "spent", "goods", "consent", "without"} <= set(keys)


def test_an_example_is_put_into_the_form_without_a_script_and_saves_nothing(desktop):
    page = desktop.post("/segments/examples/spent", 200, name="Big spenders", rule="{")
    assert 'value="Big spenders"' in page
    assert "nothing is saved yet" in page
    assert "&#34;spent&#34;" in page
    page = desktop.post(f"/segments/examples/birthday?segment={desktop.segment}", 200, rule="{")
    assert "anniversary" in page
    assert f'action="/segments/{desktop.segment}"' in page
    with desktop.stores.readers() as session:
        assert [row.version for row in segments.listing(session)] == [1]
    desktop.post("/segments/examples/none", 404, rule="{")


def test_no_example_lets_a_segment_stand_on_itself(desktop):
    with desktop.stores.readers() as session:
        (row,) = segments.listing(session)
        assert "without" not in [one.key for one in examples.examples(session, but=row.key)]
