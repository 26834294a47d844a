"""A survey's page: GET stores no answer, POST takes all or says everything that is wrong, the last post holds."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import judging
from campaigns.model.customers import activity, attribute_facts, contacts
from campaigns.model.service import tasks
from campaigns.model.surveys import answers, responses
from campaigns.records import surveys
from campaigns.records.reports import run_report
from campaigns.records.reports.figures import SCORES
from campaigns.tracking.instrument import SURVEY_PAGE
from campaigns.wiring import Stores
from tests.web.public.scene import Scene, a_scene, on_sqlite

GOOD = {
    "nps": "9",
    "how": "foot",
    "liked": ["music", "advice"],
    "next": "LP-2",
    "why": "Because <b>\r\nI do.",
}


def judged(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        judging.judge_hits(session, utc_now() + timedelta(seconds=5))


def attributes(scene: Scene) -> dict[str, object]:
    return scene.rows(contacts)[0].attributes


def checked(page: str, name: str) -> list[str]:
    boxes = page.split(f'name="{name}" value="')[1:]
    return [box.split('"')[0] for box in boxes if " checked" in box.split(">")[0]]


@on_sqlite
def test_the_page_shows_all_five_types_and_stores_no_answer(scene: Scene) -> None:
    page = scene.get(scene.path("s"))
    assert page.status_code == 200
    for words in ("Your visit &lt;i&gt;", "Five questions", "Would you recommend us?", "not at all", "On foot", "The advice",
                  "Blue &lt;Train&gt;", "Kind of Blue", "<textarea"):  # fmt: skip
        assert words in page.text
    assert checked(page.text, "nps") == []
    assert scene.rows(responses) == scene.rows(answers) == scene.events() == []


def test_to_follow_the_surveys_link_is_a_click(scene: Scene) -> None:
    scene.get(scene.path("s"))
    [hit] = scene.hits()
    assert (hit.kind, hit.link) == ("click", SURVEY_PAGE)
    judged(scene)
    [event] = scene.events()
    assert (event.kind, event.verdict) == ("clicked", "human")
    assert scene.rows(responses) == []  # and no answer is begun by it


@on_sqlite
def test_to_post_the_page_again_and_again_is_no_click(scene: Scene) -> None:
    for answer in (GOOD, {}):
        scene.post(scene.path("s"), answer)
    assert scene.hits() == []


def test_a_click_on_the_survey_is_only_counted_where_nobody_may_look(scene: Scene) -> None:
    scene.post(scene.path("p"), {"do": "track", "level": "aggregate"})
    scene.get(scene.path("s"))
    scene.get(scene.path("s") + "?score=7")
    assert scene.hits() == []
    with scene.stores.readers() as session:
        report = run_report(session, scene.run, utc_now())
    assert (report.clicked.total, report.apart.clicked.others) == (0, 2)
    assert {line.number: line.unnamed for line in report.links if line.unnamed} == {SURVEY_PAGE: 1, SCORES: 1}


def test_a_post_becomes_answers_attributes_and_an_event(scene: Scene) -> None:
    page = scene.post(scene.path("s"), GOOD)
    assert page.status_code == 200
    assert "We read every word." in page.text
    [response] = scene.rows(responses)
    assert (response.survey_id, response.contact_id, response.run_id, response.seq) == (
        scene.survey,
        scene.contact,
        scene.run,
        1,
    )
    assert response.posted
    assert {(row.question, row.choice, row.number, row.text) for row in scene.rows(answers)} == {
        ("nps", None, 9.0, None),
        ("how", "foot", None, None),
        ("liked", "advice", None, None),
        ("liked", "music", None, None),
        ("next", "LP-2", None, None),
        ("why", None, None, "Because <b>\nI do."),
    }
    assert attributes(scene) == {"nps": 9, "liked": ["advice", "music"], "wishes": ["LP-2"]}
    assert {row.source for row in scene.rows(attribute_facts)} == {"survey"}
    [event] = scene.events("answered")
    assert (event.verdict, event.contact_id, event.customer_id) == ("human", scene.contact, scene.customer)
    assert event.detail["scores"] == {"nps": 9}
    assert scene.rows(tasks) == []


def test_the_same_post_twice_is_one(scene: Scene) -> None:
    for _ in range(2):
        assert scene.post(scene.path("s"), GOOD).status_code == 200
    assert len(scene.rows(responses)) == 1
    assert len(scene.rows(answers)) == 6
    assert len(scene.events("answered")) == 1
    assert len(scene.rows(attribute_facts)) == 3


def test_the_last_post_holds_and_takes_back_what_it_leaves_out(scene: Scene) -> None:
    scene.post(scene.path("s"), GOOD)
    again = scene.get(scene.path("s")).text
    assert "You have answered already" in again
    assert checked(again, "nps") == ["9"]
    assert checked(again, "liked") == ["advice", "music"]
    assert "Because &lt;b&gt;" in again
    scene.post(scene.path("s"), {"nps": "10", "how": "car"})
    assert {(row.question, row.choice, row.number) for row in scene.rows(answers)} == {
        ("nps", None, 10.0),
        ("how", "car", None),
    }
    assert attributes(scene) == {"nps": 10}
    assert len(scene.events("answered")) == 2


@on_sqlite
@pytest.mark.parametrize(
    ("change", "question", "words"),
    [
        ({"nps": ""}, "nps", "Please answer this question."),
        ({"nps": "11"}, "nps", "Please choose one number from 0 to 10."),
        ({"nps": ["1", "2"]}, "nps", "Please choose one number from 0 to 10."),
        ({"how": "plane"}, "how", "Please choose from the answers shown here."),
        ({"how": ["foot", "car"]}, "how", "Please choose from the answers shown here."),
        ({"liked": ["advice", "advice"]}, "liked", "Please choose from the answers shown here."),
        ({"next": "LP-9"}, "next", "Please choose from the answers shown here."),
        ({"why": "x" * 4001}, "why", "Your text has 4001 characters. Please use 4000 at most."),
    ],
)
def test_what_does_not_hold_is_told_beside_its_question_and_nothing_is_lost(
    scene: Scene, change: dict[str, object], question: str, words: str
) -> None:
    page = scene.post(scene.path("s"), {**GOOD, **change})
    assert page.status_code == 422
    assert f'id="p-{question}"' in page.text
    assert words in page.text
    assert page.text.count('class="problem"') == 1
    kept = {"nps": ["9"], "how": ["foot"], "liked": ["advice", "music"], "next": ["LP-2"]}
    assert all(checked(page.text, key) == held for key, held in kept.items() if key not in change)
    if question != "why":
        assert "Because &lt;b&gt;" in page.text
    assert scene.rows(responses) == scene.rows(answers) == scene.events() == []
    assert attributes(scene) == {}


@on_sqlite
def test_all_problems_are_told_at_once(scene: Scene) -> None:
    page = scene.post(scene.path("s"), {"why": "y" * 4001})
    assert "3 answers need another look" in page.text
    assert page.text.count('class="problem"') == 3


def test_a_clicked_score_is_chosen_on_the_page_but_is_no_answer(scene: Scene) -> None:
    page = scene.get(scene.path("s") + "?score=7")
    assert checked(page.text, "nps") == ["7"]
    assert "It counts once you send this page." in page.text
    [hit] = scene.hits()
    assert (hit.kind, hit.link) == ("score", 7)
    judged(scene)
    [event] = scene.events()
    assert (event.kind, event.verdict, event.detail["score"]) == ("score clicked", "human", 7)
    [response] = scene.rows(responses)
    assert not response.posted
    assert scene.rows(answers) == []
    assert attributes(scene) == {}


@on_sqlite
@pytest.mark.parametrize("score", ["11", "-1", "x", "", "٣", "1" * 500])
def test_a_score_that_is_none_is_passed_over(scene: Scene, score: str) -> None:
    page = scene.client.get(scene.path("s"), query_string={"score": score})
    assert page.status_code == 200
    assert checked(page.text, "nps") == []
    assert scene.hits() == []


@on_sqlite
def test_a_machine_that_follows_every_score_begins_no_response(scene: Scene) -> None:
    for score in range(11):
        scene.get(f"{scene.path('s')}?score={score}")
    judged(scene)
    assert {row.verdict for row in scene.events("score clicked")} == {"machine"}
    assert scene.rows(responses) == []


def test_a_post_confirms_that_a_person_clicked(scene: Scene) -> None:
    scene.client.get(scene.path("s") + "?score=9", headers={"User-Agent": "Unheard of"})
    judged(scene)
    assert [row.verdict for row in scene.events("score clicked")] == ["machine"]  # two weak signs
    assert [row.last_clicked_at for row in scene.rows(activity)] == []
    scene.post(scene.path("s"), GOOD)
    judged(scene)
    [event] = scene.events("score clicked")
    assert event.verdict == "human"
    assert [row.last_clicked_at for row in scene.rows(activity)] == [event.at]


@on_sqlite
@pytest.mark.parametrize(("score", "made"), [("0", 1), ("6", 1), ("7", 0), ("10", 0)])
def test_an_unhappy_customer_becomes_one_task_of_the_owner(scene: Scene, score: str, made: int) -> None:
    for why in ("Too slow", "Still too slow"):
        scene.post(scene.path("s"), {**GOOD, "nps": score, "why": why})
    found = scene.rows(tasks)
    assert len(found) == len(scene.events("task created")) == made
    if made:
        [response] = scene.rows(responses)
        assert (found[0].customer_id, found[0].contact_id, found[0].owner_id) == (
            scene.customer,
            scene.contact,
            77,
        )
        assert found[0].dedupe == f"survey:{response.id}"
        assert f"gave {score} of 10 and wrote: Too slow" in found[0].reason
        assert found[0].due_at is not None


@on_sqlite
def test_a_closed_survey_takes_no_more_answers(scene: Scene) -> None:
    with scene.stores.sessions.begin() as session:
        surveys.archive(session, scene.survey, now=utc_now())
    for answer in (scene.get(scene.path("s") + "?score=3"), scene.post(scene.path("s"), GOOD)):
        assert answer.status_code == 410
        assert "This survey is closed" in answer.text
    assert scene.rows(responses) == scene.hits() == []


@on_sqlite
def test_a_mail_without_a_survey_and_a_forgotten_contact_get_the_closed_page(
    stores: Stores, tmp_path: Path
) -> None:
    scene = a_scene(stores, tmp_path, survey=False)
    assert scene.post(scene.path("s"), GOOD).status_code == 410
    with stores.sessions.begin() as session:
        session.execute(sa.update(contacts).values(erased_at=utc_now()))
    assert scene.get(scene.path("s")).status_code == 410


@on_sqlite
def test_a_test_mail_shows_problems_and_thanks_but_stores_nothing(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, test=True)
    scene.get(scene.path("s") + "?score=3")
    assert scene.post(scene.path("s"), {}).status_code == 422
    page = scene.post(scene.path("s"), GOOD)
    assert "We read every word." in page.text
    assert "test mail" in page.text
    judged(scene)
    assert scene.rows(responses) == scene.rows(answers) == scene.events() == scene.rows(tasks) == []


@on_sqlite
def test_the_survey_speaks_the_contacts_language(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, locale="de-AT")
    page = scene.get(scene.path("s")).text
    assert "Würden Sie uns empfehlen?" in page
    assert "Antworten senden" in page
    assert "Wir lesen jedes Wort." in scene.post(scene.path("s"), GOOD).text
    assert scene.rows(responses)[0].language == "de-at"


@on_sqlite
def test_without_tracking_no_score_is_noted(stores: Stores, tmp_path: Path) -> None:
    scene = a_scene(stores, tmp_path, tracking=False)
    assert checked(scene.get(scene.path("s") + "?score=7").text, "nps") == ["7"]
    assert scene.hits() == []
