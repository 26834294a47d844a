"""An empty installation with somebody at each desk."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from campaigns.config import from_environment
from campaigns.records import staff
from campaigns.records.staff import Desk
from campaigns.wiring import Stores
from tests.web.conftest import token
from tests.web.marketing.conftest import sqlite_only  # noqa: F401 - a fixture
from tests.web.sales.conftest import NO_PASSWORD, enlist
from web.app import create_app


@dataclass
class Office:
    """The app on a store with nothing but people of ours, and the administrator's browser."""

    stores: Stores
    numbers: dict[Desk, int]
    at: Callable[[Desk], FlaskClient]
    client: FlaskClient

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        return answer.get_data(as_text=True)

    def post(self, path: str, status: int = 302, **form: Any) -> str:
        """Post a form as a browser does: with its token; gives the page that follows."""
        form["csrf_token"] = token(self.client, "/account/password")
        answer = self.client.post(path, data=form, headers={"Referer": "http://localhost/"})
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        if status != 302:
            return answer.get_data(as_text=True)
        follows = self.client.get(answer.headers["Location"], follow_redirects=True)
        return follows.get_data(as_text=True)

    def problems(self, page: str) -> set[str]:
        """The fields that a page complains of."""
        return set(re.findall(r'<a href="#field-(\w+)">', page))


@pytest.fixture
def office(stores: Stores, tmp_path: Path) -> Office:
    app = create_app(stores, from_environment({"POSTROOM_DATA": str(tmp_path / "data")}))
    with stores.sessions.begin() as session:
        numbers = {desk: enlist(session, desk) for desk in Desk}

    def at(desk: Desk) -> FlaskClient:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update(staff=numbers[desk], seal=staff.seal_of(NO_PASSWORD))
        return client

    return Office(stores, numbers, at, at(Desk.ADMIN))
