"""`postroom receive`: a mail server's pipe is told by the exit code what became of the mail."""

import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli.receiving import receive
from campaigns.model.events import events, strays
from campaigns.wiring import migrate, open_stores
from tests.factories import SECRET
from tests.flows.test_returned_mail import Sent


def run(tmp_path, raw, *args):
    url = f"sqlite:///{tmp_path}/postroom.db"
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_DATABASE_URL": url, "POSTROOM_SECRET": SECRET.decode()}
    return CliRunner().invoke(receive, args, input=raw, env=env).exit_code


def a_store(tmp_path):
    url = f"sqlite:///{tmp_path}/postroom.db"
    migrate(url)
    return open_stores(url)


def test_a_mail_is_stored_and_its_envelope_tells_whom_it_is_about(tmp_path):
    stores = a_store(tmp_path)
    with stores.sessions.begin() as session:
        token = Sent(session).token()
    raw = b"From: Ada <ada@example.com>\nSubject: Re: Sale\n\nPlease call me.\n"
    assert run(tmp_path, raw) == 0
    assert (
        run(tmp_path, b"From x Sun Nov 22 07:00:00 2026\n" + raw, "--recipient", f"b+{token}@b.example") == 0
    )
    with stores.readers() as session:
        told = session.scalars(sa.select(events.c.kind).where(events.c.kind != "sent")).all()
        assert told == ["replied", "task created"]
        assert session.scalar(sa.select(strays.c.count)) == 1
    stores.engine.dispose()


def test_no_mail_and_no_address_are_refused_for_good(tmp_path):
    a_store(tmp_path).engine.dispose()
    assert run(tmp_path, b" \n") == 65
    assert run(tmp_path, b"Subject: x\n\nx", "--recipient", "a@b\nX: y") == 65


def test_where_the_store_is_away_the_mail_is_to_come_again(tmp_path):
    assert run(tmp_path, b"Subject: x\n\nx") == 75
    (tmp_path / "postroom.db").unlink(missing_ok=True)
    (tmp_path / "postroom.db").mkdir()
    assert run(tmp_path, b"Subject: x\n\nx") == 75
