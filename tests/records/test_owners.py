"""Owners: who looks after a customer, given one by one or by a file, and what goes by it."""

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import owners as command
from campaigns.errors import BadForm, BadImport
from campaigns.model.customers import customers as table
from campaigns.model.staff import staff
from campaigns.records import customers, history, owners, segments
from campaigns.records.customers import Wanted
from campaigns.segments.reading import decode
from tests.factories import NOW, a_contact, a_customer

RULE = b'{"version": 1, "rule": {"field": "customer.owner", "is": "=", "value": "ole@shop.example"}}'


def a_rep(session, name, *roles, active=True):
    row = {"email": f"{name}@shop.example", "name": name.title(), "password_hash": "x", "roles": list(roles)}
    values = {**row, "active": active, "created_at": NOW}
    return session.execute(sa.insert(staff).values(values).returning(staff.c.id)).scalar_one()


def test_a_customer_of_a_rep_is_among_theirs_and_in_rules_and_the_history_says_so(session):
    ole = a_rep(session, "ole", "sales")
    customer, contact = a_customer(session), None
    contact = a_contact(session, customer_id=customer)
    a_contact(session)
    assert customers.assign(session, customer, ole, actor="ann", now=NOW)
    assert not customers.assign(session, customer, ole, actor="ann", now=NOW)
    assert [row.id for row in customers.browse(session, wanted=Wanted(owner=ole)).rows] == [customer]
    assert customers.get(session, customer).owner == "Ole"
    rule = segments.read(session, decode(RULE))
    assert list(segments.members(session, rule, NOW, 10)) == [contact]
    event = history.timeline(session, customer=customer)[0]
    assert (event.kind, event.detail) == ("owner changed", {"owner": ole, "name": "Ole", "by": "ann"})
    assert customers.assign(session, customer, None, actor="ann", now=NOW.replace(hour=10))
    assert customers.get(session, customer).owner_id is None


@pytest.mark.parametrize(("roles", "active"), [(["marketing"], True), (["sales"], False)])
def test_only_who_works_at_the_sales_desk_may_own_a_customer(session, roles, active):
    rep = a_rep(session, "ole", *roles, active=active)
    customer = a_customer(session)
    with pytest.raises(BadForm, match="sales desk"):
        customers.assign(session, customer, rep, actor="ann", now=NOW)
    assert owners.reps(session) == {}


@pytest.fixture
def shell(stores, monkeypatch, tmp_path):
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))

    def run(text, *options):
        path = tmp_path / "owners.csv"
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(command.assign_owner, [str(path), *options])

    return run


def test_a_file_gives_customers_to_reps_whole_or_not_at_all(stores, shell):
    with stores.sessions.begin() as session:
        ole = a_rep(session, "ole", "sales")
        first = a_customer(session, external_id="K-1")
        second = a_customer(session)
        a_contact(session, customer_id=second, email="ada@example.com")
        third = a_customer(session, external_id="K-3", owner_id=ole)
        a_contact(session, customer_id=a_customer(session), email="eva@xn--kln-sna.example")
    written_so = shell("customer,owner\nEva@KÖLN.example,ole@shop.example\n", "--dry-run").output
    assert "1 of 1 customer would change" in written_so
    given = "customer,owner\nK-1,OLE@shop.example\nAda@example.com,ole@shop.example\nK-3,\n"
    bad = shell(given + "K-9,ole@shop.example\nK-1,nobody@x.example\n").exception
    assert isinstance(bad, BadImport)
    assert [one.where for one in bad.problems] == ["owners.csv, line 5", "owners.csv, line 6"]
    assert isinstance(shell("id;owner\n1;2\n").exception, BadImport)
    assert "3 of 3 customers would change" in shell(given, "--dry-run").output
    with stores.readers() as session:
        assert session.scalars(sa.select(table.c.owner_id).order_by(table.c.id)).all() == [
            None,
            None,
            ole,
            None,
        ]
    assert "3 of 3 customers changed" in shell(given, "--by", "ann").output
    assert "0 of 3" in shell(given).output
    with stores.readers() as session:
        assert session.scalars(sa.select(table.c.owner_id).order_by(table.c.id)).all() == [
            ole,
            ole,
            None,
            None,
        ]
        kinds = [history.timeline(session, customer=one)[0].kind for one in (first, second, third)]
    assert kinds == ["owner changed"] * 3


def test_a_file_may_name_the_ids_by_which_imports_know_people(stores, shell):
    with stores.sessions.begin() as session:
        a_rep(session, "ole", "sales")
        a_contact(session, customer_id=a_customer(session), external_id="P004")
        a_customer(session, external_id="C-7")
        a_contact(session, customer_id=a_customer(session, external_id="C-8"), external_id="C-7")
    given = "customer,owner\nP004,ole@shop.example\nC-7,ole@shop.example\n"
    assert "2 of 2 customers changed" in shell(given).output
    with stores.readers() as session:
        owned = session.scalars(sa.select(table.c.external_id).where(table.c.owner_id.is_not(None)))
        assert set(owned) == {None, "C-7"}  # a customer's own id goes before a contact's
