"""What the settings write, on each database."""

from campaigns.records import consent, responses, senders, staff
from campaigns.records.staff import Desk
from tests.web.admin.test_settings import SENDER


def test_an_empty_installation_gets_all_that_a_campaign_needs(office):
    office.post("/settings/topics", name="Letter", topic_class="marketing", public="1")
    office.post("/settings/senders", **SENDER)
    office.post(
        "/surveys/",
        name="Visit",
        form='{"version": 1, "title": "T", "questions": [{"key": "why", "type": "text", "text": "W"}]}',
    )
    form = {"email": "New@shop.example", "name": "New", "password": "a few good words", "desks": "sales"}
    office.post("/staff/", **form)
    with office.stores.readers() as session:
        [topic], [(sender, _)] = consent.all_topics(session), senders.listing(session)
        [person] = [one for one in staff.listing(session) if one.email == "new@shop.example"]
        assert responses.counts(session) == {}
    office.post(f"/settings/topics/{topic.id}", name="Weekly letter")
    office.post(f"/settings/senders/{sender}", **SENDER | {"name": "Store"})
    office.post(f"/staff/{person.id}", name="Newer", desks=["sales", "service"])
    office.post(f"/staff/{person.id}/active", active="0")
    with office.stores.readers() as session:
        assert consent.topic_by_id(session, topic.id)._replace(id=0) == topic._replace(
            id=0, name="Weekly letter", public=False
        )
        assert senders.get(session, sender).name == "Store"
        [changed] = [one for one in staff.listing(session) if one.id == person.id]
        assert (changed.name, changed.desks, changed.active) == ("Newer", {Desk.SALES, Desk.SERVICE}, False)
