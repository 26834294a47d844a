"""The rules against made-up visits whose makers are known; labelled/scenarios.py says how they were made."""

from pathlib import Path

import pytest

from campaigns.tracking.files import judge_lines, read_lines
from campaigns.tracking.ranges import NONE, read_ranges
from campaigns.tracking.scoring import score, three_signals
from tests.rooms.tracking.labelled import scenarios, third

FOLDER = Path(scenarios.__file__).parent
RANGES = read_ranges(FOLDER / "networks.csv")


def lines_of(half):
    lines, problems = read_lines((FOLDER / f"{half}.jsonl").read_text(encoding="utf-8").splitlines())
    assert problems == []
    return lines


def scored(half, ranges):
    lines = lines_of(half)
    said = [judgement.verdict for judgement in judge_lines(lines, ranges=ranges)]
    return {one.name: one for one in score(lines, said)}


@pytest.mark.parametrize("half", [scenarios.TUNED, scenarios.HELD_OUT], ids=lambda half: half.name)
def test_the_files_are_what_the_scenarios_write(half) -> None:
    assert (FOLDER / f"{half.name}.jsonl").read_text(encoding="utf-8") == scenarios.text_of(half)


def test_the_third_file_is_what_its_models_write() -> None:
    assert (FOLDER / "third.jsonl").read_text(encoding="utf-8") == third.text()


@pytest.mark.parametrize("half", ["labelled", "heldout"])
@pytest.mark.parametrize("who", ["clicks of people", "machine", "privacy"])
def test_with_published_networks_the_verdicts_are_right(half, who) -> None:
    one = scored(half, RANGES)[who]
    assert one.true > 50
    assert one.precision >= 0.97
    assert one.recall >= 0.97


@pytest.mark.parametrize("half", ["labelled", "heldout"])
def test_without_them_people_are_found_as_well_but_some_machines_pass_for_people(half) -> None:
    found = scored(half, NONE)
    assert found["clicks of people"].recall >= 0.97
    assert found["clicks of people"].precision >= 0.9
    assert found["machine"].precision >= 0.99
    assert found["machine"].recall >= 0.93


@pytest.mark.parametrize("half", ["labelled", "heldout"])
def test_the_rule_of_three_signals_calls_most_machines_people(half) -> None:
    lines = lines_of(half)
    found = {one.name: one for one in score(lines, [three_signals(line, RANGES) for line in lines])}
    assert found["clicks of people"].precision < 0.5
    assert found["machine"].recall < 0.5


def test_the_halves_share_no_message_and_hold_hundreds() -> None:
    messages = [{line.message for line in lines_of(half)} for half in ("labelled", "heldout")]
    assert not set.intersection(*messages)
    assert min(map(len, messages)) >= 300


def table():
    """The table of docs/VERDICTS.md."""
    yield "| half, networks | rule | clicks of people: precision, recall | machine: precision, recall |"
    yield "|---|---|---|---|"
    for half in ("labelled", "heldout"):
        lines = lines_of(half)
        for ranges, words in ((RANGES, "loaded"), (NONE, "none")):
            ours = [judgement.verdict for judgement in judge_lines(lines, ranges=ranges)]
            theirs = [three_signals(line, ranges) for line in lines]
            for rule, said in (("ours", ours), ("three signals", theirs)):
                found = {one.name: one for one in score(lines, said)}
                cells = (
                    f"{one.precision or 0:.3f}, {one.recall:.3f}"
                    for one in (found["clicks of people"], found["machine"])
                )
                yield f"| {half}, {words} | {rule} | {' | '.join(cells)} |"


def test_the_page_for_marketers_holds_these_very_numbers() -> None:
    page = (Path(__file__).parents[3] / "docs" / "VERDICTS.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
