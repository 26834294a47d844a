"""A message in the browser: as it was sent, shut in a sandbox, counted as a view and not as an open."""

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.model.customers import contacts
from campaigns.model.mail import template_bodies
from campaigns.tracking.tokens import Purpose
from tests.web.public.scene import Scene, on_sqlite


def test_the_message_is_shown_as_it_was_sent_and_counted(scene: Scene) -> None:
    page = scene.get(scene.path("v"))
    assert page.status_code == 200
    assert "Hello Ada" in page.text
    assert f"/c/{scene.token(Purpose.CLICK)}/1" in page.text
    assert f"/u/{scene.token(Purpose.UNSUBSCRIBE)}" in page.text
    assert "14 Quay Street" in page.text
    assert [(row.kind, row.link) for row in scene.hits()] == [("view", None)]


@on_sqlite
def test_the_pixel_and_the_hidden_link_are_left_out(scene: Scene) -> None:
    page = scene.get(scene.path("v")).text
    assert "/o/" not in page
    assert f"/c/{scene.token(Purpose.CLICK)}/0" not in page


@on_sqlite
def test_the_message_is_shut_in_a_sandbox(scene: Scene) -> None:
    policy = scene.get(scene.path("v")).headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


@on_sqlite
def test_what_a_contact_is_called_is_escaped(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(contacts).values(given_name="<script>alert(1)</script>"))
    assert "<script" not in scene.get(scene.path("v")).text


@on_sqlite
def test_a_plain_letter_is_shown_as_text(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        letter = {
            "compiled_html": None,
            "compiled_text": "Dear {{ contact.given_name }}, <b> https://shop.example/x",
        }
        session.execute(sa.update(template_bodies).values(**letter))
        session.execute(sa.update(contacts).values(given_name="<i>Ada"))
    page = scene.get(scene.path("v")).text
    assert "Dear &lt;i&gt;Ada, &lt;b&gt;" in page
    assert '<a href="https://shop.example/x"' in page


@on_sqlite
def test_what_can_no_longer_be_rendered_says_so(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(contacts).values(given_name=None))
    page = scene.get(scene.path("v"))
    assert page.status_code == 410
    assert "can no longer be shown" in page.text


@on_sqlite
def test_a_forgotten_contacts_message_is_not_shown(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(contacts).values(erased_at=utc_now()))
    page = scene.get(scene.path("v"))
    assert page.status_code == 410
    assert "Ada" not in page.text
