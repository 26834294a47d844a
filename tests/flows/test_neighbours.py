"""What other mails' hits tell of one: crowds and swept networks, asked of the store."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.flows import judging
from campaigns.model.customers import contacts
from campaigns.model.dialect import is_postgres
from campaigns.model.events import events
from campaigns.model.events import hits as table
from campaigns.records import crowds, hits, sweepers, tracking
from campaigns.records.consent import Provenance
from campaigns.tracking.bursts import network
from campaigns.values import ContactId, Hit, Tracking
from tests.factories import NOW
from tests.flows.test_judging import CHROME, GATEWAY, LATER, OF_PEOPLE, click, sent_to, verdicts

POLITE = ("accept-language",)


def sweep(run, seq, contact, *, start=4000, address=GATEWAY):
    return [click(run, seq, contact, start + n * 0.5, link=n, address=address) for n in range(1, 6)]


def by_contact(session):
    """The verdicts of clicks, by whose they are, each once."""
    query = sa.select(contacts.c.email, events.c.verdict).join(events, events.c.contact_id == contacts.c.id)
    found = {}
    for email, verdict in session.execute(query.order_by(events.c.at)):
        found.setdefault(email, []).append(verdict)
    return found


def judge_all(session):
    while hits.unjudged(session, until=LATER, limit=1).messages:
        judging.judge_hits(session, LATER)


@pytest.mark.parametrize("later", [False, True], ids=["swept before", "swept after"])
def test_a_network_that_swept_others_mails_is_heard_of_whenever_it_did(session, later) -> None:
    run, people = sent_to(session, "ada@firm.example", "bob@works.example", "eve@haus.example")
    lone = [click(run, 3, people[3], 5000, address="203.0.113.99", headers=POLITE)]
    swept = [*sweep(run, 1, people[1]), *sweep(run, 2, people[2], start=4100)]
    for group in [lone, swept] if later else [swept, lone]:
        hits.store(session, group)
        judge_all(session)
    said = by_contact(session)
    assert said["ada@firm.example"] == said["bob@works.example"] == ["machine"] * 5
    assert said["eve@haus.example"] == ["machine"]
    detail = session.scalars(sa.select(events.c.detail).order_by(events.c.at.desc())).first()
    assert "all links of mails to 2 others were followed from its network" in detail["reasons"]


def test_a_gateway_at_a_companys_door_is_no_witness_against_its_people(session) -> None:
    run, people = sent_to(session, *[f"p{n}@firm.example" for n in range(4)])
    hits.store(session, [hit for seq in (1, 2, 3) for hit in sweep(run, seq, people[seq], start=100 * seq)])
    hits.store(session, [click(run, 4, people[4], 9000, address=GATEWAY)])
    judge_all(session)
    assert by_contact(session)["p3@firm.example"] == ["human"]


def test_people_of_a_large_provider_are_witnesses_each_by_themselves(session) -> None:
    run, people = sent_to(session, "ada@gmail.com", "bob@gmail.com", "eve@gmail.com")
    for seq in (1, 2):
        hits.store(session, sweep(run, seq, people[seq], start=4000 * seq))
    hits.store(session, [click(run, 3, people[3], 9000, address=GATEWAY)])
    judge_all(session)
    assert by_contact(session)["eve@gmail.com"] == ["unknown"]


def judged_again(session):
    """Judges what waits; gives how many hits wait then that had their verdict before."""
    judging.judge_hits(session, LATER)
    return session.scalar(sa.select(sa.func.count()).where(table.c.judged.is_(False)))


def test_earlier_hits_are_judged_again_when_a_network_is_first_caught_and_never_after(session) -> None:
    run, people = sent_to(session, *[f"p{n}@firm.example" for n in range(6)], "eve@haus.example")
    hits.store(session, [click(run, 6, people[6], 5000 + 900 * n, address=GATEWAY) for n in range(5)])
    judge_all(session)
    looked = []
    for seq in range(1, 6):  # the door of one company, again and again
        hits.store(session, sweep(run, seq, people[seq], start=10_000 + 1000 * seq))
        looked.append(judged_again(session))
        judge_all(session)
    assert looked == [5, 0, 0, 0, 0]
    hits.store(session, sweep(run, 7, people[7], start=20_000))
    assert judged_again(session) == 5  # another company's mail tells more


def test_of_a_network_with_more_hits_than_are_looked_through_nothing_is_news(session, monkeypatch) -> None:
    monkeypatch.setattr(sweepers, "MOST", 8)
    run, people = sent_to(session, *[f"p{n}@{d}.example" for d in ("firm", "haus") for n in range(3)])
    hits.store(session, [click(run, 3, people[3], 5000, address=GATEWAY)])
    judge_all(session)
    looked = []
    for seq in (1, 2, 4, 5):
        hits.store(session, sweep(run, seq, people[seq], start=10_000 + 1000 * seq))
        looked.append(judged_again(session))
        judge_all(session)
    assert looked == [1, 0, 0, 0]  # those of the other company come after the eighth


@pytest.mark.parametrize("way", ["their own wish", "the installation's level"])
def test_judging_ends_where_sweeps_of_people_who_are_only_counted_wait(session, way) -> None:
    run, people = sent_to(session, "ada@firm.example")
    hits.store(session, [click(run, 1, people[1], 5000, address=GATEWAY)])
    judge_all(session)
    hits.store(session, sweep(run, 1, people[1], start=9000))
    default = Tracking.INDIVIDUAL if way == "their own wish" else Tracking.AGGREGATE
    if way == "their own wish":
        how = Provenance(NOW, "preferences", "a test")
        tracking.choose(session, ContactId(people[1]), Tracking.AGGREGATE, how, now=NOW)
    judging.judge_hits(session, LATER, default=default)
    assert hits.unjudged(session, until=LATER, limit=1).messages == []
    assert verdicts(session) == ["human"]


def test_what_a_network_did_is_asked_of_the_store_as_plain_code_would(session) -> None:
    run, people = sent_to(session, "ada@firm.example", "bob@works.example", "eve@gmail.com")
    near = ["203.0.113.7", "203.0.113.250", "203.0.11.7", "2001:db8:1::9", "2001:db8:1:2::9", "2001:db8::7"]
    written = [
        hit
        for turn, address in enumerate(near)
        for hit in sweep(run, turn % 3 + 1, people[turn % 3 + 1], start=1000 * turn + 500, address=address)
    ]
    hits.store(session, written)
    judge_all(session)
    asked = [*written, click(run, 1, people[1], 1, address="198.51.100.1")]
    expected = {}
    names = {people[1]: "firm.example", people[2]: "works.example", people[3]: f"contact {people[3]}"}
    for hit in written:
        expected.setdefault(network(hit.address), set()).add(names[hit.contact])
    assert sweepers.known(session, asked) == expected
    session.execute(sa.update(table).values(address="203.0.113.0/24").where(table.c.address == near[0]))
    assert sweepers.known(session, asked) == expected  # old hits keep their network alone


def test_hits_between_two_of_a_crowd_hide_it_from_nobody(session) -> None:
    """However many came between, since their neighbours are found by address and time."""
    run, people = sent_to(session, *[f"p{n}@firm.example" for n in range(4)], "eve@gmail.com")
    first, last = (
        [click(run, seq, people[seq], 20 + seq, address=GATEWAY) for seq in seqs] for seqs in ((1, 2), (3, 4))
    )
    between = [
        Hit(
            NOW + timedelta(seconds=22),
            "open",
            run,
            5,
            people[5],
            None,
            "GET",
            CHROME,
            "192.0.2.1",
            OF_PEOPLE,
        )
    ] * 5_500
    hits.store(session, first)
    judging.judge_hits(session, NOW + timedelta(seconds=60))
    assert verdicts(session) == ["human", "human"]
    hits.store(session, [*between, *last])
    session.execute(sa.update(table).where(table.c.address == "192.0.2.1").values(judged=True))
    judge_all(session)
    assert set(verdicts(session)) == {"machine"}


@pytest.mark.parametrize("way", ["crowds", "machines", "again"])
def test_neighbours_are_found_by_their_index(session, way) -> None:
    if is_postgres(session):
        session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        session.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
    run, people = sent_to(session, "ada@firm.example")
    seen = []

    def watch(_connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    connection = session.connection()
    sa.event.listen(connection, "before_cursor_execute", watch)
    if way == "crowds":
        crowds.note(
            session, {(run, 1): [hits.Stored(click(run, 1, people[1], 5), judged=False, verdict=None)]}
        )
    elif way == "machines":
        sweepers.known(session, [click(run, 1, people[1], 5)])
    else:
        sweepers.look_again(session, ["203.0.113.0/24"])
    sa.event.remove(connection, "before_cursor_execute", watch)
    explain = "EXPLAIN " if is_postgres(session) else "EXPLAIN QUERY PLAN "
    plans = [
        str(connection.exec_driver_sql(explain + statement, parameters).all())
        for statement, parameters in seen
    ]
    wanted = "ix_hits_of_machines" if way == "machines" else "ix_hits_address_at"
    assert any(wanted in plan for plan in plans), plans
