"""Leaving a topic: GET shows, POST acts at once and for good, and a mistake is undone as easily."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import intake
from campaigns.model.consent import wordings
from campaigns.model.mail import campaigns, messages
from campaigns.records import consent
from campaigns.records.consent import Provenance
from campaigns.tracking.tokens import Purpose, Token
from campaigns.values import ConsentState, ContactId, TopicClass
from campaigns.wiring import Stores
from tests.web.public.scene import Scene, a_scene, on_sqlite

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@on_sqlite
def test_get_and_head_change_nothing(scene: Scene) -> None:
    page = scene.get(scene.path("u"))
    assert page.status_code == 200
    assert "Unsubscribe from “News &amp; &lt;offers&gt;”?" in page.text
    assert "Harbour &amp; Vine &lt;b&gt;" in page.text
    assert '<form method="post">' in page.text
    scene.client.head(scene.path("u"))
    scene.client.options(scene.path("u"))
    assert scene.state() is ConsentState.GRANTED
    assert len(scene.ledger()) == 1
    assert scene.events() == []


@pytest.mark.parametrize("multipart", [False, True])
def test_a_one_click_post_acts_without_cookie_or_redirect(scene: Scene, *, multipart: bool) -> None:
    kind = "multipart/form-data" if multipart else "application/x-www-form-urlencoded"
    answer = scene.client.post(scene.path("u"), data=ONE_CLICK, content_type=kind)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "You are unsubscribed" in answer.text
    assert scene.state() is ConsentState.WITHDRAWN
    newest = scene.ledger()[0]
    assert (newest.source, newest.proof, newest.actor) == (
        "unsubscribe",
        f"message {scene.run}.1, one-click post",
        "contact",
    )
    [event] = scene.events("unsubscribed")
    assert (event.run_id, event.seq, event.contact_id, event.customer_id) == (
        scene.run,
        1,
        scene.contact,
        scene.customer,
    )
    assert event.detail == {"how": "one-click post", "topic": scene.topic}


@on_sqlite
@pytest.mark.parametrize("body", [b"", b"\xff\xfe%%%", b"do=nonsense", b"a" * 5000])
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_a_request_to_leave_is_never_refused_for_its_form(scene: Scene, body: bytes, kind: str) -> None:
    answer = scene.client.post(
        scene.path("u"), input_stream=BytesIO(body), content_length=len(body), content_type=kind
    )
    assert answer.status_code == 200
    assert scene.state() is ConsentState.WITHDRAWN


def test_leaving_again_says_so_and_writes_nothing_more(scene: Scene) -> None:
    for _ in range(3):
        assert scene.post(scene.path("u"), ONE_CLICK).status_code == 200
    assert "You are unsubscribed" in scene.get(scene.path("u")).text
    assert len(scene.ledger()) == 2
    assert len(scene.events("unsubscribed")) == 1


def test_posts_at_the_same_time_are_one(scene: Scene) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: scene.post(scene.path("u"), ONE_CLICK).status_code, range(6)))
    assert answers == [200] * 6
    assert len(scene.ledger()) == 2
    assert len(scene.events("unsubscribed")) == 1


def test_a_mistake_is_taken_back_with_the_wording_as_proof(scene: Scene) -> None:
    scene.post(scene.path("u"), ONE_CLICK)
    page = scene.post(scene.path("u"), {"do": "take back"})
    assert page.status_code == 200
    assert "You are subscribed again" in page.text
    newest = scene.ledger()[0]
    assert (newest.state, newest.source) == (ConsentState.GRANTED, "preferences")
    [wording] = scene.rows(wordings)
    assert wording.id == newest.wording
    assert wording.text == "Please keep sending me “News & <offers>” from Harbour & Vine <b>"
    assert len(scene.events("consent granted")) == 1
    scene.post(scene.path("u"), {"do": "take back"})
    assert len(scene.ledger()) == 3


def test_leaving_once_more_after_a_new_yes_is_an_event_of_its_own(scene: Scene) -> None:
    for data in (ONE_CLICK, {"do": "take back"}, ONE_CLICK, ONE_CLICK):
        scene.post(scene.path("u"), data)
    assert scene.state() is ConsentState.WITHDRAWN
    assert len(scene.events("unsubscribed")) == 2


def test_a_no_outweighs_a_yes_that_some_wrong_clock_dated_later(scene: Scene) -> None:
    later = utc_now() + timedelta(hours=2)
    with scene.stores.sessions.begin() as session:
        consent.grant(
            session, ContactId(scene.contact), scene.topic, Provenance(later, "import"), now=utc_now()
        )
    scene.post(scene.path("u"), ONE_CLICK)
    assert scene.state() is ConsentState.WITHDRAWN
    scene.post(scene.path("u"), {"do": "take back"})
    assert scene.state() is ConsentState.GRANTED


@on_sqlite
def test_taking_back_grants_nothing_to_who_did_not_leave(scene: Scene) -> None:
    scene.post(scene.path("u"), {"do": "take back"})
    assert len(scene.ledger()) == 1


def test_a_deleted_campaign_and_a_purged_message_can_still_be_left(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(campaigns).values(deleted_at=utc_now()))
        session.execute(sa.delete(messages))
    assert scene.get(scene.path("u")).status_code == 200
    assert scene.post(scene.path("u"), ONE_CLICK).status_code == 200
    assert scene.state() is ConsentState.WITHDRAWN


@on_sqlite
def test_a_mail_about_ones_own_order_is_not_left(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, topic_class=TopicClass.TRANSACTIONAL)
    for answer in (scene.get(scene.path("u")), scene.post(scene.path("u"), ONE_CLICK)):
        assert answer.status_code == 200
        assert "This was not a mailing" in answer.text
    assert scene.events() == []


@on_sqlite
def test_a_test_mail_changes_nothing_and_says_so(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, test=True)
    for data in (ONE_CLICK, {"do": "take back"}):
        assert "test mail" in scene.post(scene.path("u"), data).text
    assert scene.state() is ConsentState.GRANTED
    assert scene.events() == []


@on_sqlite
def test_the_page_speaks_the_contacts_language_else_the_browsers(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, locale="de-AT")
    assert "abbestellen?" in scene.get(scene.path("u")).text
    with scene.stores.sessions.begin() as session:
        session.execute(sa.text("UPDATE contacts SET locale = 'fr'"))
    assert "abbestellen?" in scene.get(scene.path("u"), headers={"Accept-Language": "de"}).text
    assert "Unsubscribe from" in scene.get(scene.path("u"), headers={"Accept-Language": "fr"}).text


@on_sqlite
@pytest.mark.parametrize("page", ["u", "p", "s"])
def test_pages_are_quiet_and_locked_down(scene: Scene, page: str) -> None:
    headers = scene.get(scene.path(page)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers
    assert "<script" not in scene.get(scene.path(page)).text


@on_sqlite
def test_a_body_too_large_is_refused_kindly(scene: Scene) -> None:
    answer = scene.post(scene.path("p"), {"x": "a" * 2_000_000})
    assert answer.status_code == 413
    assert "<h1>" in answer.text


def test_mail_and_page_share_one_event(scene: Scene) -> None:
    scene.post(scene.path("u"), ONE_CLICK)
    with scene.stores.sessions.begin() as session:
        token = Token(Purpose.RETURN, scene.run, 1, scene.contact)
        intake.unsubscribe(session, token, how="mail", now=utc_now() + timedelta(hours=2))
    assert len(scene.events("unsubscribed")) == 1
