"""Who is only counted leaves nothing behind by which they could be known: every table and the log are read."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import judging
from campaigns.model import metadata
from campaigns.model.consent import tracking_choices
from campaigns.records import tracking
from campaigns.records.consent import Provenance
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ContactId, Tracking
from tests.factories import NOW, SECRET
from tests.web.public.scene import Scene

AGENT, ADDRESS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0 Zyzzyva/7",
    "203.0.113.77",
)
OURS = {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS, "Accept-Language": "tlh", "Referer": "https://mail.zyzzyva.example/"}  # fmt: skip
Everything = dict[str, set[str]]


def everything(scene: Scene) -> Everything:
    tables = [table for table in metadata.sorted_tables if "view" not in table.info]
    with scene.stores.readers() as session:
        there = set(sa.inspect(session.connection()).get_table_names())
        return {
            table.name: {str(tuple(row)) for row in session.execute(sa.select(table))}
            for table in tables
            if table.name in there
        }


def visit_all(scene: Scene, path: Callable[[str], str]) -> None:
    """Whatever a mail leads to, as a person and as a machine asks for it."""
    pages = [path("o"), f"{path('c')}/1", f"{path('c')}/0", path("v"), path("s"), f"{path('s')}?score=9", path("u"), path("p")]  # fmt: skip
    for page in pages:
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = scene.client.open(
                page, method=method, headers=OURS, environ_base={"REMOTE_ADDR": "127.0.0.1"}
            )
            assert answer.status_code < 500
    with scene.stores.sessions.begin() as session:
        judging.judge_hits(session, utc_now() + timedelta(minutes=5))


def of_nobody(scene: Scene) -> Callable[[str], str]:
    """The addresses that stand in the mails of all who are only counted."""
    keyring = Keyring(SECRET)
    shared = {"o": Purpose.OPEN, "c": Purpose.CLICK}
    return lambda page: (
        f"/{page}/{keyring.sign(shared[page], run=scene.run, seq=0, contact=0)}"
        if page in shared
        else scene.path(page)
    )


@pytest.mark.parametrize("mails", ["new", "old"])
def test_who_is_only_counted_is_in_no_table_and_no_log(
    scene: Scene, mails: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with scene.stores.sessions.begin() as session:
        how = Provenance(NOW, "preferences", "test")
        tracking.choose(session, ContactId(scene.contact), Tracking.AGGREGATE, how, now=NOW)
    before = everything(scene)
    with caplog.at_level(logging.DEBUG):
        visit_all(scene, of_nobody(scene) if mails == "new" else scene.path)
    after = everything(scene)
    assert {name for name in before if before[name] != after[name]} == {"hit_counts"}
    kinds = {"open", "click", "view", "score"}
    with scene.stores.readers() as session:
        columns = {column.name for column in metadata.tables["hit_counts"].columns}
        rows = session.execute(sa.select(metadata.tables["hit_counts"])).all()
    assert columns == {"run_id", "kind", "link", "verdict", "count"}
    assert {row.kind for row in rows} == kinds
    assert "human" in {row.verdict for row in rows}
    assert "machine" in {row.verdict for row in rows}
    told = str(after) + caplog.text + "".join(capfd.readouterr())
    for mark in (ADDRESS, "Zyzzyva", "zyzzyva", "tlh"):
        assert mark not in told


def test_who_wants_nobody_to_look_is_not_even_counted(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with scene.stores.sessions.begin() as session:
        how = Provenance(NOW, "preferences", "test")
        tracking.choose(session, ContactId(scene.contact), Tracking.OFF, how, now=NOW)
    before = everything(scene)
    with caplog.at_level(logging.DEBUG):
        visit_all(scene, scene.path)
    assert everything(scene) == before
    assert "Zyzzyva" not in caplog.text
    assert len(scene.rows(tracking_choices)) == 1
