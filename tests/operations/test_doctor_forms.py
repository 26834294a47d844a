"""What the doctor says of sign-up forms."""

from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.doctor.findings import Level
from campaigns.doctor.forms import examine_forms
from campaigns.model.customers import contacts
from campaigns.records import forms
from tests.forms.scene import FormScene, a_form_scene


@pytest.fixture
def scene(stores, tmp_path, monkeypatch):
    return a_form_scene(stores, tmp_path, monkeypatch)


@pytest.fixture
def settings(scene, tmp_path):
    url = scene.stores.engine.url.render_as_string(hide_password=False)
    return from_environment({"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_DATABASE_URL": url})


def found(settings, now) -> dict[str, Level]:
    return {one.check: one.level for one in examine_forms(settings, now)}


def test_a_form_that_people_confirm_is_well(scene: FormScene, settings):
    assert found(settings, scene.now) == {"sign-up form letter": Level.OK}


def test_a_halted_form_is_told_and_what_to_do(scene: FormScene, settings):
    with scene.stores.sessions.begin() as session:
        forms.halt(session, scene.form, until=scene.now + timedelta(hours=1))
    (finding,) = examine_forms(settings, scene.now)
    assert finding.level is Level.WARN
    assert "halted until 2026-11-22 10:00 UTC" in finding.found
    assert finding.cure


def test_plain_http_is_told_where_a_form_is_on(scene: FormScene, settings):
    plain = replace(settings, public_url="http://news.shop.example")
    assert found(plain, scene.now)["sign-up forms"] is Level.WARN
    assert "sign-up forms" not in found(replace(plain, public_url="https://news.shop.example"), scene.now)


def test_the_command_forgets_what_nobody_confirmed_too(scene: FormScene, settings, monkeypatch):
    from campaigns.cli.retaining import retain

    scene.now = utc_now() - timedelta(days=15)
    scene.mail_to("ada@example.com")
    monkeypatch.setattr("campaigns.cli.opening.from_environment", lambda make: settings)
    ran = CliRunner().invoke(retain, ["--events", "24", "--yes"])
    assert ran.exit_code == 0, ran.output
    assert "1 sign-up that nobody confirmed was forgotten." in ran.output
    assert scene.rows(contacts) == []
