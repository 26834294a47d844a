"""The labelled visits come to the same in a store as in a file, come what may in between, and judged again."""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli.verdicts import verdicts
from campaigns.delivery.lanes import OTHER, lane_of
from campaigns.flows import judging
from campaigns.model.events import events
from campaigns.model.mail import messages
from campaigns.records import hits, links
from campaigns.tracking.files import SENT, judge_lines, read_lines
from campaigns.tracking.scoring import score
from campaigns.tracking.verdicts import RULES_VERSION
from campaigns.values import Link, Verdict
from tests.factories import a_campaign, a_contact, a_run, a_topic
from tests.rooms.tracking import labelled
from tests.web.public.scene import on_sqlite

LATER = SENT + timedelta(days=30)
LINES = [
    line
    for line in read_lines((Path(labelled.__file__).parent / "third.jsonl").read_text().splitlines())[0]
    if not line.confirmed  # no page is posted here
]
IN_FILE = [one.verdict for one in judge_lines(LINES, is_shared=lambda domain: lane_of(domain) != OTHER)]


def play(session):
    """Write messages and visits as they came; gives the line of each hit in the store."""
    topic = a_topic(session)
    campaign, runs, seqs = a_campaign(session, topic=topic), {}, defaultdict(int)
    where = {}
    for line in LINES:
        if line.message in where:
            continue
        if line.links not in runs:  # the links of a mail are its run's
            runs[line.links] = a_run(session, campaign, occurrence=str(line.links))
            numbered = [Link(n, f"https://shop.example/{n}") for n in range(1, line.links + 1)]
            links.add(session, runs[line.links], "en", numbered)
        run = runs[line.links]
        seqs[run] += 1
        address = f"{line.message}@{line.domain or 'gmail.com'}"
        contact = a_contact(session, email=address)
        row = {"run_id": run, "seq": seqs[run], "contact_id": contact, "address": address, "state": "sent"}
        session.execute(sa.insert(messages).values(at=SENT, **row))
        where[line.message] = (run, seqs[run], contact)
    came = sorted(LINES, key=lambda line: line.hit.at)
    for at in range(0, len(came), 100):
        some = []
        for line in came[at : at + 100]:
            run, seq, contact = where[line.message]
            hit = line.hit
            some.append(
                type(hit)(hit.at, hit.kind, run, seq, contact, hit.link, hit.method, hit.agent, hit.address, hit.headers)
            )  # fmt: skip
        hits.store(session, some)
        judging.judge_hits(session, came[at].hit.at)  # as the worker does between
    judge_all(session)
    return came


def judge_all(session):
    while hits.unjudged(session, until=LATER, limit=1).messages:
        judging.judge_hits(session, LATER)


def said(session, came):
    by_hit = dict(session.execute(sa.select(events.c.dedupe, events.c.verdict)).all())
    numbers = session.scalars(sa.select(hits.hits.c.id).order_by(hits.hits.c.id)).all()
    found = {line.number: Verdict(by_hit[f"hit:{id_}"]) for line, id_ in zip(came, numbers, strict=True)}
    return [found[line.number] for line in LINES]


def differing(some, others):
    """The lines on which two differ; pytest takes minutes to compare long lists."""
    return [
        (line.number, line.scenario, one.value, other.value)
        for line, one, other in zip(LINES, some, others, strict=True)
        if one is not other
    ]


def test_a_store_says_what_a_file_says_and_says_it_again(stores, tmp_path, monkeypatch) -> None:
    with stores.sessions.begin() as session:
        came = play(session)
        in_store = said(session, came)
    assert len(differing(in_store, IN_FILE)) <= len(LINES) // 200
    for one in score(LINES, in_store):
        assert one.precision >= 0.97, one
        assert one.recall >= 0.97, one
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setenv("POSTROOM_PUBLIC_URL", "https://t.shop.example")
    monkeypatch.setattr(judging, "AT_ONCE", 200)
    with stores.sessions.begin() as session:  # begun, and killed after a step
        over = judging.go_on(session, judging.open_round(session, None, now=LATER), LATER)
        assert 0 < over.share < 1
    out = CliRunner().invoke(verdicts, ["--again"], catch_exceptions=False)
    assert "Going on with the round" in out.stderr
    assert f"{len(LINES):,} hits judged again by rules version {RULES_VERSION}." in out.stdout
    with stores.sessions.begin() as session:
        judge_all(session)
        assert differing(said(session, came), in_store) == []


@on_sqlite
@pytest.mark.parametrize("broken", ["swept", "crowd"])
def test_what_others_mails_tell_counts_in_the_store(session, broken, monkeypatch) -> None:
    """Without it fewer machines would be known: the test above would hold without it, too."""
    if broken == "swept":
        monkeypatch.setattr(judging.sweepers, "known", lambda *_: {})
    else:
        monkeypatch.setattr(judging.crowds, "note", lambda _, found: found)
    less = {one.name: one for one in score(LINES, said(session, play(session)))}
    full = {one.name: one for one in score(LINES, IN_FILE)}
    assert less["machine"].right < full["machine"].right
