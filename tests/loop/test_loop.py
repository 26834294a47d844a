"""The real loop: our message, Postfix, a server that refuses, a genuine notice, Dovecot, our history."""

import shutil
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.delivery.mailboxes import box_of, visit
from campaigns.errors import BackendError
from campaigns.flows.sending import drain
from campaigns.model.consent import suppressions as table
from campaigns.model.events import events
from campaigns.records import audience, campaigns, gates
from campaigns.worker import Worker
from tests.delivery.certificates import Authority
from tests.factories import NOW, SECRET, SENDER, a_campaign, a_contact, a_postbox, a_run, a_topic
from tests.loop import servers
from tests.loop.servers import PASSWORD, wait_for

pytestmark = pytest.mark.loop


def refuse(recipient):
    if recipient.startswith("dead"):
        return f"550 5.1.1 <{recipient}>: Recipient address rejected: User unknown"
    if recipient.startswith("spam"):
        return "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"
    return None


class Loop:
    """The servers, and how they are reached."""

    def __init__(self, home, relay, ports, authority):
        self.home, self.relay, self.authority = home, relay, authority
        self.imap, self.imaps, self.pop3s = ports

    @property
    def mails(self):
        return [one for folder in ("new", "cur") for one in (self.home / "mail/Maildir" / folder).glob("*")]

    def url(self, scheme="imaps", host="127.0.0.1", after=""):
        port = {"imaps": self.imaps, "imap+starttls": self.imap, "pop3s": self.pop3s}[scheme]
        return f"{scheme}://returned:{PASSWORD}@{host}:{port}{after}"

    def read(self, *url, **named):
        taken = []
        box = box_of(self.url(*url, **named), self.authority)
        visit(box, lambda name, raw: taken.append(raw))
        return taken

    def put(self, raw):
        folder = self.home / "mail/Maildir"
        path = folder / "new" / f"{time.time_ns()}.x.test"
        path.write_bytes(raw)
        shutil.chown(path, servers.OWNER)


@pytest.fixture(scope="module")
def loop():
    if not servers.installed():
        pytest.skip(servers.MISSING)
    with tempfile.TemporaryDirectory(prefix="postroom-loop-") as folder:
        home = Path(folder)
        servers.make_home(home)
        authority = Authority(home)
        authority.server("127.0.0.1")
        certificate = home / "127.0.0.1-True-False.pem"
        sink = Catcher(home / "caught", "127.0.0.1", 0, refuse)
        sink.start()
        for name in ("", "/new", "/cur", "/tmp"):
            (home / f"mail/Maildir{name}").mkdir()
            shutil.chown(home / f"mail/Maildir{name}", servers.OWNER)
        domain = SENDER.bounce_domain
        with (
            servers.postfix(home, sink=sink.port, domain=domain) as relay,
            servers.dovecot(home, certificate) as ports,
        ):
            yield Loop(home, relay, ports, authority.file)
        sink.stop()


def test_a_refused_message_comes_back_into_the_contacts_history(stores, loop, tmp_path):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        for name in ("dead", "spam", "fine"):
            a_contact(session, topic=topic, email=f"{name}@kunde.example")
        campaign = a_campaign(session, topic=topic)
        run = a_run(session, campaign, now=utc_now())
        from campaigns.model.customers import contacts

        asked = gates.of_campaign(session, campaigns.get(session, campaign), topic, now=NOW)
        members = sa.select(contacts.c.id)
        audience.freeze(session, run, members, asked, hold_out_percent=0, salt=1, now=utc_now())
    backend = open_backend(f"smtp://127.0.0.1:{loop.relay}", connections=1)
    post = a_postbox(stores, backend, tmp_path)
    assert drain(post) == 3
    backend.close()
    wait_for(lambda: len(loop.mails) == 2, lambda: servers._logs(loop.home))

    env = {
        "POSTROOM_DATA": str(tmp_path / "var"),
        "POSTROOM_SECRET": SECRET.decode(),
        "POSTROOM_BOUNCE_IMAP_URL": loop.url(after="?after=delete"),
        "POSTROOM_BOUNCE_CAFILE": str(loop.authority),
    }
    worker = Worker(stores, from_environment(env))
    worker.tick_mailboxes()
    worker.tick_mailboxes()
    with stores.readers() as session:
        told = session.scalars(
            sa.select(events.c.detail).where(events.c.kind == "bounced").order_by(events.c.contact_id)
        ).all()
        assert [(one["class"], one["hard"]) for one in told] == [
            ("hard.address", True),
            ("block.reputation", False),
        ]
        assert {one["named by"] for one in told} == {"return path"}
        assert session.scalars(sa.select(table.c.reason)).all() == ["hard bounce"]
    assert loop.mails == []


@pytest.mark.parametrize("scheme", ["imaps", "imap+starttls"])
def test_what_was_read_by_imap_stays_and_is_not_read_again(loop, scheme):
    loop.put(b"Subject: one\n\nx\n")
    assert [b"Subject: one" in raw for raw in loop.read(scheme)] == [True]
    assert loop.read(scheme) == []
    assert len(loop.mails) == 1
    (kept,) = loop.mails
    kept.unlink()


def test_what_was_read_by_imap_can_be_moved(loop):
    loop.put(b"Subject: two\n\nx\n")
    with pytest.raises(BackendError):
        loop.read(after="?after=move&to=Read")  # there is no such folder
    (loop.home / "mail/Maildir/.Read").mkdir()
    for name in ("new", "cur", "tmp"):
        (loop.home / "mail/Maildir/.Read" / name).mkdir()
    for path in (loop.home / "mail/Maildir").rglob("*"):
        shutil.chown(path, servers.OWNER)
    assert len(loop.read(after="?after=move&to=Read")) == 1
    assert loop.mails == []
    assert len(list((loop.home / "mail/Maildir/.Read").glob("[nc]*/*"))) == 1


@pytest.mark.parametrize("scheme", ["imaps", "pop3s"])
def test_a_mail_that_could_not_be_stored_comes_again(loop, scheme):
    loop.put(b"Subject: three\n\nx\n")
    box = box_of(loop.url(scheme, after="?after=delete"), loop.authority)

    def broken(name, raw):
        raise RuntimeError("the store is away")

    with pytest.raises(RuntimeError):
        visit(box, broken)
    assert len(loop.mails) == 1
    taken = []
    assert visit(box, lambda name, raw: taken.append(raw)) == 1
    assert b"Subject: three" in taken[0]
    assert loop.mails == []


@pytest.mark.parametrize("scheme", ["imaps", "imap+starttls", "pop3s"])
def test_a_server_with_another_name_is_not_believed(loop, scheme):
    with pytest.raises(BackendError, match=r"(?i)certificate"):
        loop.read(scheme, host="localhost")


def test_a_large_mail_is_read_to_a_bound(loop):
    loop.put(b"Subject: large\n\n" + b"x" * 70 + b"\n" * 10 + b"y" * 70 * 50_000)
    (raw,) = loop.read("imaps", after="?after=delete")
    assert len(raw) == 2 * 1024 * 1024
    assert loop.mails == []
