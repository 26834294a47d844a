"""`postroom verdicts`: judge hits in a file, score the rules on labelled ones, or judge all hits again."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from campaigns.cli.numbers import many
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.lanes import OTHER, lane_of
from campaigns.flows import judging
from campaigns.records.rounds import Round
from campaigns.tracking.files import Line, judge_lines, read_lines
from campaigns.tracking.manners import is_secure
from campaigns.tracking.ranges import Ranges, read_ranges
from campaigns.tracking.scoring import Score, score, three_signals
from campaigns.tracking.verdicts import RULES_VERSION
from campaigns.values import Judgement


@click.command()
@click.argument(
    "file", metavar="[HITS.jsonl]", required=False, type=click.File(encoding="utf-8-sig", errors="replace")
)
@click.option("--score", "scored", is_flag=True, help="Say how right the verdicts are on labelled hits.")
@click.option("--again", is_flag=True, help="Judge the hits in the store again by the rules of today.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="With --again: only messages hit from that day on (UTC).",
)
@click.option(
    "--ranges",
    "place",
    type=click.Path(exists=True, path_type=Path),
    help="File or folder of published networks; with --again, else those of the installation.",
)
def verdicts(
    file: TextIO | None,
    scored: bool,  # noqa: FBT001 - click's shape
    again: bool,  # noqa: FBT001
    since: datetime | None,
    place: Path | None,
) -> None:
    """Say of each hit in HITS.jsonl who made it, and why: one JSON line a hit, without touching the store.

    A line: {"message": "any name of the mail", "at": "2026-11-22T09:00:00Z", "sent_at": …, "kind": "click"
    (or open, view, score), "link": 3, "links": 8 (of the mail), "method": "GET", "agent": …, "address": …,
    "headers": ["accept-language", …] (names only), "to": "ada@firm.example", "confirmed": true}. "t", seconds
    since the sending, may stand for "at"; "https": false says that the links were not https. All but the
    moment and the kind may be left out. Hits of one message are judged together, and by what came from the
    same networks and addresses to other messages of the file.

    With --score, lines that also tell the "truth" (human, machine or privacy) say how right the verdicts are,
    beside the usual rule of three signals. With --again, the store's hits are judged again.
    """
    if again == (file is not None) or (since is not None and not again) or (scored and again):
        raise click.UsageError("Name a file of hits (- for standard input), or say --again.")
    if again:
        _again(since, place)
        return
    lines, problems = read_lines(file or ())
    for problem in problems:
        click.echo(str(problem), err=True)
    ranges = _ranges(place)
    judged = judge_lines(lines, ranges=ranges, is_shared=lambda domain: lane_of(domain) != OTHER)
    if not lines and not problems:
        click.echo("There is no hit in it.", err=True)
    elif scored and all(line.truth is None for line in lines):
        raise click.ClickException('No line tells its "truth", so there is nothing to score.')
    elif scored:
        _tell_scores(lines, judged, ranges)
    else:
        for line, judgement in zip(lines, judged, strict=True):
            click.echo(_in_json(_told(line, judgement)))
    if problems:
        sys.exit(1)


def _ranges(place: Path | None, settings: Settings | None = None) -> Ranges:
    """The ranges named, else the installation's."""
    if place is None and settings is not None:
        place = settings.ranges
    return Ranges() if place is None else read_ranges(place)


def _in_json(told: Mapping[str, object]) -> str:
    """One line; half characters, which JSON can name and no terminal can write, stay named."""
    text = json.dumps(told, ensure_ascii=False)
    return text if _can_be_written(text) else json.dumps(told)


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(line: Line, judgement: Judgement) -> dict[str, object]:
    return {
        "line": line.number,
        "message": line.message,
        "verdict": judgement.verdict.value,
        "points": judgement.points,
        "reasons": list(judgement.reasons),
        "version": judgement.version,
    }


def _tell_scores(lines: Sequence[Line], judged: Sequence[Judgement], ranges: Ranges) -> None:
    labelled = sum(line.truth is not None for line in lines)
    messages = len({line.message for line in lines})
    click.echo(f"{labelled:,} labelled hits on {messages:,} messages, rules version {RULES_VERSION}")
    _table("verdicts", score(lines, [one.verdict for one in judged]))
    _table("three signals", score(lines, [three_signals(line, ranges) for line in lines]))


def _table(name: str, scores: Sequence[Score]) -> None:
    click.echo(f"{name:<18}{'hits':>7}{'called so':>11}{'right':>7}{'precision':>11}{'recall':>8}")
    for one in scores:
        precision, recall = ("-" if part is None else f"{part:.3f}" for part in (one.precision, one.recall))
        click.echo(f"  {one.name:<16}{one.true:>7,}{one.said:>11,}{one.right:>7,}{precision:>11}{recall:>8}")


def _again(since: datetime | None, place: Path | None) -> None:
    moment = None if since is None else since.replace(tzinfo=UTC)
    with opened() as (settings, stores):
        ranges = _ranges(place, settings)
        with stores.sessions.begin() as session:
            over = judging.open_round(session, moment, now=utc_now())
        if over.done:
            click.echo(f"Going on with the round of {over.started_at:%d %B %Y %H:%M}.", err=True)
        while over.finished_at is None:
            with stores.sessions.begin() as session:
                over = judging.go_on(
                    session,
                    over,
                    utc_now(),
                    ranges=ranges,
                    default=settings.tracking,
                    secure=is_secure(settings.public_url),
                )
            click.echo(f"{over.share:4.0%}  {many(over.judged, 'hit')} judged again", err=True)
    _tell_round(over)


def _tell_round(over: Round) -> None:
    click.echo(f"{many(over.judged, 'hit')} judged again by rules version {over.version}.")
    for what, count in over.changed.items():
        click.echo(f"  {what:<20}{count:>9,}")
    if not over.changed:
        click.echo("No verdict changed.")
