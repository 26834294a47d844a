"""The rules against made-up visits whose makers are known; labelled/scenarios.py says how they were made."""

from functools import cache
from pathlib import Path

import pytest

from campaigns.tracking.files import judge_lines, read_lines
from campaigns.tracking.ranges import NONE, read_ranges
from campaigns.tracking.scoring import score, three_signals
from tests.rooms.tracking.labelled import scenarios, third

FOLDER = Path(scenarios.__file__).parent
RANGES = read_ranges(FOLDER / "networks.csv")
THIRD_RANGES = read_ranges(FOLDER / "third_networks.csv")
SETS = ["labelled", "heldout", "third"]
NETWORKS = ["loaded", "none"]


@cache
def lines_of(half):
    lines, problems = read_lines((FOLDER / f"{half}.jsonl").read_text(encoding="utf-8").splitlines())
    assert problems == []
    return lines


def ranges_of(half, networks):
    if networks == "none":
        return NONE
    return THIRD_RANGES if half == "third" else RANGES


@cache
def said_of(half, networks):
    judgements = judge_lines(lines_of(half), ranges=ranges_of(half, networks))
    return [judgement.verdict for judgement in judgements]


def scored(half, networks):
    return {one.name: one for one in score(lines_of(half), said_of(half, networks))}


@pytest.mark.parametrize("half", [scenarios.TUNED, scenarios.HELD_OUT], ids=lambda half: half.name)
def test_the_files_are_what_the_scenarios_write(half) -> None:
    assert (FOLDER / f"{half.name}.jsonl").read_text(encoding="utf-8") == scenarios.text_of(half)


def test_the_third_file_is_what_its_models_write() -> None:
    assert (FOLDER / "third.jsonl").read_text(encoding="utf-8") == third.text()


@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("half", SETS)
def test_the_verdicts_are_right_with_published_networks_and_without_them(half, networks) -> None:
    found = scored(half, networks)
    for who in ("clicks of people", "human", "machine", "privacy"):
        assert found[who].true > 50
        assert found[who].precision >= 0.97, who
        assert found[who].recall >= 0.97, who


@pytest.mark.parametrize("half", SETS)
def test_where_links_are_not_https_people_are_found_as_well(half) -> None:
    """Browsers say less there, so a little less is known of machines."""
    lines = [line._replace(secure=False) for line in lines_of(half)]
    said = [judgement.verdict for judgement in judge_lines(lines)]
    found = {one.name: one for one in score(lines, said)}
    assert found["clicks of people"].recall >= 0.97
    assert found["clicks of people"].precision >= 0.97
    assert found["machine"].recall >= 0.96


@pytest.mark.parametrize("half", SETS)
def test_the_rule_of_three_signals_calls_most_machines_people(half) -> None:
    lines = lines_of(half)
    ranges = ranges_of(half, "loaded")
    found = {one.name: one for one in score(lines, [three_signals(line, ranges) for line in lines])}
    assert found["clicks of people"].precision < 0.5
    assert found["machine"].recall < 0.5


def test_the_sets_share_no_message_and_hold_hundreds() -> None:
    messages = [{line.message for line in lines_of(half)} for half in SETS]
    assert not set.intersection(*messages)
    assert min(map(len, messages)) >= 300


def table():
    """The table of docs/VERDICTS.md."""
    yield "| set, networks | rule | clicks of people: precision, recall | machine: precision, recall |"
    yield "|---|---|---|---|"
    for half in SETS:
        lines = lines_of(half)
        for words in NETWORKS:
            ranges = ranges_of(half, words)
            theirs = [three_signals(line, ranges) for line in lines]
            for rule, said in (("ours", said_of(half, words)), ("three signals", theirs)):
                found = {one.name: one for one in score(lines, said)}
                cells = (
                    f"{one.precision or 0:.3f}, {one.recall:.3f}"
                    for one in (found["clicks of people"], found["machine"])
                )
                yield f"| {half}, {words} | {rule} | {' | '.join(cells)} |"


def test_the_page_for_marketers_holds_these_very_numbers() -> None:
    page = (Path(__file__).parents[3] / "docs" / "VERDICTS.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
