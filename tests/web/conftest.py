"""The desks' app on a store of its own, with the gallery's pages and somebody at each desk."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from campaigns.config import Settings, from_environment
from campaigns.records import staff
from campaigns.records.staff import Desk, NewStaff, Staff
from campaigns.wiring import Stores, open_stores
from tests.web import gallery
from web.app import create_app

PASSWORD = "a few good words"


@pytest.fixture
def desk_settings(tmp_path: Path) -> Settings:
    return from_environment({"POSTROOM_DATA": str(tmp_path / "data")})


@pytest.fixture
def desk_stores(sqlite_pattern: Path, tmp_path: Path) -> Iterator[Stores]:
    shutil.copy(sqlite_pattern, tmp_path / "desk.db")
    opened = open_stores(f"sqlite:///{tmp_path / 'desk.db'}")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def app(desk_stores: Stores, desk_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr("web.app.BLUEPRINTS", ())  # the gallery's pages stand in for the desks'
    made = create_app(desk_stores, desk_settings)
    gallery.register(made)
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def enlist(stores: Stores, email: str, *desks: Desk) -> Staff:
    new = NewStaff(email, email.partition("@")[0].title(), PASSWORD, frozenset(desks))
    with stores.sessions.begin() as session:
        return staff.add(session, new, datetime(2026, 11, 22, tzinfo=UTC))


def token(client: FlaskClient, path: str = "/login") -> str:
    page = client.get(path).get_data(as_text=True)
    return page.split('name="csrf-token" content="')[1].split('"')[0]


def log_in(client: FlaskClient, email: str, password: str = PASSWORD, **more: str):
    form = {"email": email, "password": password, "csrf_token": token(client), **more}
    return client.post("/login", data=form, headers={"Referer": "http://localhost/login"})
