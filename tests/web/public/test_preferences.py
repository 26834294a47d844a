"""The contact's own page of topics: what was shown is what can change, and only by POST."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import judging
from campaigns.model.consent import topics, tracking_choices, wordings
from campaigns.model.customers import activity, contacts
from campaigns.model.events import hit_counts
from campaigns.records import consent, suppressions
from campaigns.tracking.tokens import Purpose
from campaigns.values import ConsentState, TopicClass
from campaigns.wiring import Stores
from tests.factories import SECRET
from tests.web.public.scene import Scene, a_scene, on_sqlite


def ticked(page: str) -> set[int]:
    boxes = page.split('type="checkbox" name="topic" value="')[1:]
    return {int(box.split('"')[0]) for box in boxes if " checked" in box.split(">")[0]}


@on_sqlite
def test_the_page_shows_each_topic_as_it_stands_and_changes_nothing(scene: Scene) -> None:
    page = scene.get(scene.path("p"))
    assert page.status_code == 200
    assert "News &amp; &lt;offers&gt;" in page.text
    assert "Concerts." in page.text
    assert ticked(page.text) == {scene.topic}
    assert len(scene.ledger()) == 1


@on_sqlite
def test_the_page_says_for_which_address_it_is_without_showing_it(scene: Scene) -> None:
    page = scene.get(scene.path("p")).text
    with scene.stores.readers() as session:
        addresses = session.execute(sa.select(contacts.c.email)).scalars().all()
    assert any(f"It is for {one[0]}…@{one.partition('@')[2]}." in page for one in addresses)
    assert not any(one in page for one in addresses)


def test_ticks_grant_and_missing_ticks_withdraw(scene: Scene) -> None:
    data = {"shown": [scene.topic, scene.other_topic], "topic": [scene.other_topic], "do": "save"}
    page = scene.post(scene.path("p"), data)
    assert page.status_code == 200
    assert "Saved." in page.text
    assert ticked(page.text) == {scene.other_topic}
    assert scene.state() is ConsentState.WITHDRAWN
    assert scene.state(scene.other_topic) is ConsentState.GRANTED
    said = {line.topic: line for line in scene.ledger()[:2]}
    words = {row.id: row.text for row in scene.rows(wordings)}
    assert (
        words[said[scene.other_topic].wording or 0]
        == "Yes, Harbour & Vine <b> may write to me about\nEvents\nConcerts."
    )
    assert all(
        (line.source, line.proof) == ("preferences", f"message {scene.run}.1, page") for line in said.values()
    )
    assert {row.kind for row in scene.events()} == {"consent granted", "consent withdrawn"}


def test_the_same_post_again_changes_nothing(scene: Scene) -> None:
    data = {"shown": [scene.topic, scene.other_topic], "topic": [scene.other_topic]}
    for _ in range(3):
        scene.post(scene.path("p"), data)
    assert len(scene.ledger()) == 3
    assert len(scene.events()) == 2


@on_sqlite
def test_a_topic_that_was_not_shown_stays_as_it_is(scene: Scene) -> None:
    scene.post(scene.path("p"), {"shown": [scene.other_topic], "topic": []})
    scene.post(scene.path("p"), {"topic": [scene.other_topic]})
    scene.post(scene.path("p"), {})
    assert scene.state() is ConsentState.GRANTED
    assert scene.state(scene.other_topic) is None


@on_sqlite
@pytest.mark.parametrize("number", ["999", "-1", "٣", "1e3", "9" * 40, "<b>"])
def test_topics_that_do_not_exist_are_passed_over(scene: Scene, number: str) -> None:
    assert scene.post(scene.path("p"), {"shown": [number], "topic": [number]}).status_code == 200
    assert len(scene.ledger()) == 1


@on_sqlite
def test_a_private_topic_is_neither_shown_nor_granted(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(topics).where(topics.c.id == scene.other_topic).values(public=False))
    assert "Concerts." not in scene.get(scene.path("p")).text
    scene.post(scene.path("p"), {"shown": [scene.other_topic], "topic": [scene.other_topic]})
    assert scene.state(scene.other_topic) is None


def test_leaving_everything_is_a_no_to_each_topic_that_can_be_left(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(topics).where(topics.c.id == scene.other_topic).values(public=False))
        orders = consent.add_topic(session, "orders", "Orders", TopicClass.TRANSACTIONAL, now=utc_now()).id
        care = consent.add_topic(session, "care", "Care", TopicClass.SERVICE, now=utc_now()).id
    assert ticked(scene.get(scene.path("p")).text) == {scene.topic, care}
    for _ in range(2):
        page = scene.post(scene.path("p"), {"do": "leave everything"})
    assert "unsubscribed from everything" in page.text
    assert ticked(page.text) == set()
    assert [scene.state(one) for one in (scene.topic, scene.other_topic, care)] == [
        ConsentState.WITHDRAWN
    ] * 3
    assert scene.state(orders) is None
    assert len(scene.events("consent withdrawn")) == 3


def test_a_blocked_address_is_told_so_since_no_tick_reaches_it(scene: Scene) -> None:
    assert "blocked" not in scene.get(scene.path("p")).text
    with scene.stores.sessions.begin() as session:
        hashed = suppressions.address_hash(SECRET, "ada@example.com")
        suppressions.add(session, hashed, "complaint", now=utc_now(), actor="test")
    assert "your address is blocked here" in scene.get(scene.path("p")).text


@on_sqlite
def test_a_forgotten_contact_says_nothing_more(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        session.execute(sa.update(contacts).values(erased_at=utc_now()))
    assert (
        scene.post(scene.path("p"), {"shown": [scene.other_topic], "topic": [scene.other_topic]}).status_code
        == 200
    )
    assert scene.state(scene.other_topic) is None


@on_sqlite
def test_a_test_mail_changes_nothing(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, test=True)
    for data in ({"shown": [scene.topic]}, {"do": "leave everything"}, {"do": "track", "level": "off"}):
        assert "test mail" in scene.post(scene.path("p"), data).text
    assert len(scene.ledger()) == 1
    assert scene.rows(tracking_choices) == []


def level_shown(page: str) -> list[str]:
    boxes = page.split('type="radio" name="level" value="')[1:]
    return [box.split('"')[0] for box in boxes if " checked" in box.split(">")[0]]


@pytest.mark.parametrize("level", ["aggregate", "off", "individual"])
def test_how_closely_we_may_look_is_chosen_kept_with_its_wording_and_shown(scene: Scene, level: str) -> None:
    assert level_shown(scene.get(scene.path("p")).text) == ["individual"]
    page = scene.post(scene.path("p"), {"do": "track", "level": level})
    assert "Saved." in page.text
    assert level_shown(page.text) == [level]
    [word] = [row._asdict() for row in scene.rows(tracking_choices)]
    assert (word["level"], word["source"], word["actor"]) == (level, "preferences", "contact")
    assert word["proof"] == f"message {scene.run}.1, page"
    text = {row.id: row.text for row in scene.rows(wordings)}[word["wording_id"]]
    assert text.startswith("May Harbour & Vine <b> see what you do with these mails?\n")
    [event] = [row for row in scene.events() if "tracking" in row.detail]
    assert event.kind == ("consent granted" if level == "individual" else "consent withdrawn")
    scene.post(scene.path("p"), {"do": "track", "level": level})
    assert len(scene.rows(tracking_choices)) == 1


@pytest.mark.parametrize("level", ["aggregate", "off"])
def test_who_said_no_is_at_most_counted_without_a_name_from_then_on(scene: Scene, level: str) -> None:
    scene.get(scene.path("o"))
    scene.post(scene.path("p"), {"do": "track", "level": level})
    scene.get(scene.path("o"))
    scene.get(scene.path("c") + "/1")
    scene.get(scene.path("v"))
    assert [row.kind for row in scene.hits()] == ["open"]
    counted = [("click", 1, 1), ("open", -1, 1), ("view", -1, 1)] if level == "aggregate" else []
    assert [(row.kind, row.link, row.count) for row in scene.rows(hit_counts)] == counted


@pytest.mark.parametrize("level", ["aggregate", "off"])
@pytest.mark.parametrize("judged_before", [True, False])
def test_saying_no_tells_nothing_of_a_click_before_it(scene: Scene, level: str, judged_before: bool) -> None:
    def judge() -> list[tuple[str, str]]:
        with scene.stores.sessions.begin() as session:
            judging.judge_hits(session, utc_now() + timedelta(minutes=5))
        return [(row.kind, row.verdict) for row in scene.events("clicked")]

    scene.client.get(f"{scene.path('c')}/1", headers={"User-Agent": "SomeMail/1.0"})
    before = judge() if judged_before else []
    assert ("clicked", "human") not in before
    assert len(before) == judged_before
    scene.post(scene.path("p"), {"do": "track", "level": level})
    assert judge() == before
    scene.post(scene.path("p"), {"shown": [scene.topic, scene.other_topic], "topic": [scene.other_topic]})
    assert judge() == before
    assert [row.last_clicked_at for row in scene.rows(activity) if row.last_clicked_at] == []


@on_sqlite
@pytest.mark.parametrize("level", ["", "INDIVIDUAL", "all", "<b>", "off\0"])
def test_a_level_that_is_none_changes_nothing(scene: Scene, level: str) -> None:
    assert scene.post(scene.path("p"), {"do": "track", "level": level}).status_code == 200
    assert scene.rows(tracking_choices) == []


@on_sqlite
def test_the_page_in_a_browser_has_the_links_that_the_contact_chose(scene: Scene) -> None:
    scene.post(scene.path("p"), {"do": "track", "level": "aggregate"})
    page = scene.get(scene.path("v")).text
    nobody = scene.token(Purpose.CLICK, seq=0, contact=0)
    assert f"/c/{nobody}/1" in page
    assert f"/c/{nobody}/0" not in page
    assert "/o/" not in page
    scene.post(scene.path("p"), {"do": "track", "level": "off"})
    page = scene.get(scene.path("v")).text
    assert "/c/" not in page
    assert 'href="https://shop.example/a?x=1&amp;y=2"' in page


@on_sqlite
def test_links_of_nobody_in_particular_lead_where_the_run_says(scene: Scene) -> None:
    answer = scene.get(f"/c/{scene.token(Purpose.CLICK, seq=0, contact=0)}/1")
    assert answer.headers["Location"] == "https://shop.example/a?x=1&y=2"
    assert scene.get(f"/o/{scene.token(Purpose.OPEN, seq=0, contact=0)}").status_code == 200
    assert scene.hits() == []
    assert [(row.kind, row.count) for row in scene.rows(hit_counts)] == [("click", 1), ("open", 1)]
