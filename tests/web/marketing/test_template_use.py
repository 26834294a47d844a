"""From a template's page to a campaign, and to what others say of it."""

import re
from dataclasses import replace

import pytest

from campaigns.clock import utc_now
from campaigns.records import templates
from tests.factories import a_template, template_of
from tests.web.marketing.outsiders import BODY, outsiders


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def test_a_template_begins_a_campaign(desktop):
    page = desktop.get(f"/content/{desktop.template}")
    assert f'href="/campaigns/new?template={desktop.template}"' in page
    form = desktop.get(f"/campaigns/new?template={desktop.template}")
    assert f'name="template" value="{desktop.template}"' in form
    desktop.post("/campaigns/", 422, name="", template=desktop.template)
    page = desktop.post("/campaigns/", name="From it", template=desktop.template)
    number = int(re.search(r"/campaigns/(\d+)/who", page)[1])
    assert desktop.campaign(number).template_id == desktop.template


@pytest.mark.parametrize("wanted", ["0", "999999", "x", "", "9" * 30])
def test_a_template_that_is_none_is_not_taken(desktop, wanted):
    assert 'name="template"' not in desktop.get(f"/campaigns/new?template={wanted}")
    page = desktop.post("/campaigns/", name="Bare", template=wanted)
    number = int(re.search(r"/campaigns/(\d+)/who", page)[1])
    assert desktop.campaign(number).template_id is None


def test_others_are_asked_about_a_template_and_their_answers_kept_for_its_version(desktop):
    app = desktop.client.application
    app.extensions["settings"] = replace(app.extensions["settings"], spam_url="off")
    with desktop.stores.sessions.begin() as session:
        number = template_of(session, a_template(session, html=BODY))
    with outsiders(app) as server:
        assert "Ask them" in desktop.get(f"/content/{number}")
        assert server.asked == []
        part = desktop.post(f"/content/{number}/outside", 200, part=True)
        assert "answers with 404" in part
        asked = len(server.asked)
        assert "answers with 404" in desktop.get(f"/content/{number}")
        assert len(server.asked) == asked
    with desktop.stores.sessions.begin() as session:
        row = next(one for one in templates.listing(session) if one.id == number)
        version = templates.newest_version(session, number)
        bodies = list(
            zip(templates.sources(session, version), templates.compiled(session, version), strict=True)
        )
        templates.save(session, row.key, row.name, bodies, author="a", now=utc_now())
    assert "answers with 404" not in desktop.get(f"/content/{number}")
