"""Whoever leaves by any page that a mail leads to stands in the report on it; who takes it back does not."""

from pathlib import Path

import pytest

from campaigns.clock import utc_now
from campaigns.records import reports
from campaigns.records.reports import PeopleList
from campaigns.wiring import Stores
from tests.web.public.scene import Scene, a_scene, on_sqlite

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
KEEP = {"do": "take back"}
EVERYTHING = {"do": "leave everything"}


@pytest.fixture
def scene(stores: Stores, tmp_path: Path) -> Scene:
    return a_scene(stores, tmp_path)


def left(scene: Scene) -> int:
    """How many left by the report, whose list holds the same people."""
    with scene.stores.readers() as session:
        counted = reports.run_report(session, scene.run, utc_now()).unsubscribed
        listed = reports.people(session, scene.run, PeopleList.UNSUBSCRIBED)
    assert [person.contact for person in listed] == [scene.contact] * counted
    assert all(person.address == "ada@example.com" and person.at is not None for person in listed)
    return counted


def ticks(scene: Scene, *topics: int) -> dict[str, object]:
    return {"shown": [scene.topic, scene.other_topic], "topic": list(topics), "do": "save"}


def test_leaving_everything_by_the_preferences_page_counts_once(scene: Scene) -> None:
    assert left(scene) == 0
    scene.post(scene.path("p"), EVERYTHING)
    assert left(scene) == 1


def test_leaving_one_topic_by_its_tick_counts_until_the_tick_is_back(scene: Scene) -> None:
    scene.post(scene.path("p"), ticks(scene, scene.other_topic))
    assert left(scene) == 1
    scene.post(scene.path("p"), ticks(scene, scene.topic))  # the one is back, but now the other is gone
    assert left(scene) == 1
    scene.post(scene.path("p"), ticks(scene, scene.topic, scene.other_topic))
    assert left(scene) == 0


def test_a_mistake_that_was_taken_back_does_not_count_and_the_next_leaving_does(scene: Scene) -> None:
    told = []
    for data in (ONE_CLICK, KEEP, ONE_CLICK, KEEP):
        scene.post(scene.path("u"), data)
        told.append(left(scene))
    assert told == [1, 0, 1, 0]


@on_sqlite
def test_leaving_by_the_link_and_then_everything_is_one_person(scene: Scene) -> None:
    scene.post(scene.path("u"), ONE_CLICK)
    scene.post(scene.path("p"), EVERYTHING)
    assert left(scene) == 1


@on_sqlite
def test_new_wishes_and_a_choice_of_tracking_are_no_leaving(scene: Scene) -> None:
    scene.post(scene.path("p"), ticks(scene, scene.topic, scene.other_topic))
    scene.post(scene.path("p"), {"do": "track", "level": "off"})
    assert left(scene) == 0
