"""The catcher over real SMTP: smtplib, our own backend, and hostile clients."""

import smtplib
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from campaigns.delivery import caught
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.errors import BackendError, NotFound
from campaigns.values import OutcomeKind
from tests.delivery.peers import Account, mail, mails
from tests.ports import free_port


@pytest.fixture
def catcher(tmp_path):
    one = Catcher(tmp_path / "box", "127.0.0.1", 0, refuse)
    one.start()
    yield one
    one.stop()


def refuse(recipient):
    return {"gone": "550 5.1.1 no such user", "full": "452 4.2.2 mailbox full"}.get(
        recipient.partition("@")[0]
    )


def raw_session(catcher, *pieces):
    """Everything that the server says to these bytes."""
    with socket.create_connection(("127.0.0.1", catcher.port), 5) as client:
        for piece in pieces:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        said = b""
        while more := client.recv(65536):
            said += more
    return said


def test_what_smtplib_sends_is_kept_and_read_back(catcher):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "Jürgen <j@x.example>",
        "Zoë <zoe@y.example>",
        "Grüße 日本",
    )
    message.set_content("Hallo\n.\n..zwei\n")
    message.add_alternative("<p>Hallo</p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", catcher.port) as client:
        client.sendmail("b+1@x.example", ["zoe@y.example", "other@y.example"], message.as_bytes(policy=SMTP))
    (line,) = caught.mails(catcher.folder)
    assert (line.subject, line.sender, line.to) == (
        "Grüße 日本",
        "Jürgen <j@x.example>",
        "Zoë <zoe@y.example>",
    )
    assert (line.envelope.mail_from, line.envelope.rcpt_to) == (
        "b+1@x.example",
        ("zoe@y.example", "other@y.example"),
    )
    whole = caught.read(catcher.folder, line.name)
    assert whole.text.replace("\r\n", "\n") == "Hallo\n.\n..zwei\n"
    assert whole.html.strip() == "<p>Hallo</p>"
    assert dict(whole.headers)["Subject"] == "Grüße 日本"
    assert whole.line == line
    assert line.size == len(whole.raw)


def test_our_backend_and_the_catcher_lose_nothing(catcher):
    batch, account = mails(300), Account()
    way = open_backend(f"smtp://127.0.0.1:{catcher.port}")
    way.send(batch, account)
    way.close()
    assert account.kinds == {OutcomeKind.SENT: 300}
    found = caught.mails(catcher.folder, 1000)
    assert Counter(line.envelope.rcpt_to for line in found) == Counter((one.rcpt_to,) for one in batch)
    assert sorted(caught.read(catcher.folder, line.name).raw for line in found) == sorted(
        one.data for one in batch
    )


def test_recipients_are_refused_as_told(catcher):
    account = Account()
    way = open_backend(f"smtp://127.0.0.1:{catcher.port}")
    way.send([mail(1, rcpt_to="gone@x.example"), mail(2, rcpt_to="full@x.example"), mail(3)], account)
    way.close()
    told = [(one.kind, one.code, one.enhanced) for _, one in sorted(account.outcomes.items())]
    assert told == [
        (OutcomeKind.FAILED, 550, "5.1.1"),
        (OutcomeKind.DEFERRED, 452, "4.2.2"),
        (OutcomeKind.SENT, 250, "2.0.0"),
    ]
    assert len(caught.mails(catcher.folder)) == 1


def test_pipelined_commands_in_any_pieces_get_their_replies_in_order(catcher):
    wire = b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nSubject: x\r\n\r\n..a\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<gone@x.example>\r\nDATA\r\nRSET\r\nQUIT\r\n"
    codes = ["220", "250", "250", "250", "354", "250", "250", "550", "503", "250", "221"]
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        said = raw_session(catcher, *pieces).decode()
        assert [line[:3] for line in said.splitlines() if line[3] == " "] == codes
    assert {caught.read(catcher.folder, line.name).raw for line in caught.mails(catcher.folder)} == {
        b"Subject: x\r\n\r\n.a\r\n"
    }


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"])
def test_only_a_clean_final_dot_ends_a_mail(catcher, end):
    hidden = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<victim@x.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    raw_session(
        catcher,
        b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nSubject: outer\r\n\r\nx"
        + end
        + hidden
        + b"QUIT\r\n",
    )
    assert [line.subject for line in caught.mails(catcher.folder)] == ["outer"]


@pytest.mark.parametrize(
    "wire",
    [
        b"\x00\xff\xfe\r\n" * 5,
        b"x" * 10_000,
        b"MAIL FROM:<a\r\nRCPT TO:<b@x.example>\r\nDATA\r\n",
        b"EHLO x\r\nDATA\r\nQUIT now\r\n",
        b"nonsense\r\n" * 100,
        b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\ncut short",
        b"",
    ],
)
def test_hostile_clients_get_no_mail_in_and_do_no_harm(catcher, wire):
    raw_session(catcher, wire)
    assert caught.mails(catcher.folder) == []
    with smtplib.SMTP("127.0.0.1", catcher.port) as client:
        client.sendmail("a@x.example", "b@x.example", b"Subject: still here\r\n\r\nx\r\n")
    assert [line.subject for line in caught.mails(catcher.folder)] == ["still here"]


HOSTILE = [
    b"",
    b"no header at all\r\n",
    b'Subject: =?utf-8?b?////?= =?x?q?=zz?=\r\nFrom: <<<>>>,;:@\r\nTo: "\r\n\r\nx\r\n',
    b"Subject: \xff\xfe\x00\r\n\r\n\xff\r\n",
    b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xe4\r\n",
    b'Content-Type: text/plain; charset="\x00"\r\n\r\n\xe4\r\n',
    b"Content-Type: multipart/mixed\r\n\r\nx\r\n",
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 200,
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    b"X-Postroom-Envelope: {}\r\nSubject: <script>alert(1)</script>\r\n\r\nx\r\n",
    b"Subject: " + b"a " * 50_000 + b"\r\n\r\nx\r\n",
    b"To: " + b"a@b, " * 3000 + b"c@d\r\n\r\nx\r\n",
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_mails_are_listed_and_read_without_an_error(catcher, data):
    with smtplib.SMTP("127.0.0.1", catcher.port) as client:
        client.sendmail("a@x.example", "b@x.example", data)
    (line,) = caught.mails(catcher.folder)
    whole = caught.read(catcher.folder, line.name)
    assert whole.line.envelope.rcpt_to == ("b@x.example",)
    assert isinstance(whole.text, str)


def test_the_newest_come_first_and_a_search_finds_decoded_text(catcher):
    with smtplib.SMTP("127.0.0.1", catcher.port) as client:
        for number in range(5):
            client.sendmail(
                "a@x.example",
                f"u{number}@x.example",
                f"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_{number}?=\r\n\r\nx\r\n",
            )
    assert [line.subject for line in caught.mails(catcher.folder, 2)] == ["Grüße 4", "Grüße 3"]
    assert [line.subject for line in caught.mails(catcher.folder, 9, "GRÜSSE 1")] == ["Grüße 1"]
    assert [line.subject for line in caught.mails(catcher.folder, 9, "u2@")] == ["Grüße 2"]
    assert caught.mails(catcher.folder / "nowhere") == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "x.eml", "00000000000000000000.0.0.eml", "\0"])
def test_a_name_that_is_no_mail_is_not_found(catcher, name):
    with pytest.raises(NotFound):
        caught.read(catcher.folder, name)


def test_a_mail_that_cannot_be_stored_is_deferred(catcher):
    (catcher.folder / "tmp").rmdir()
    account = Account()
    way = open_backend(f"smtp://127.0.0.1:{catcher.port}")
    way.send([mail(1)], account)
    way.close()
    assert account.kinds == {OutcomeKind.DEFERRED: 1}
    (catcher.folder / "tmp").mkdir()


def test_a_taken_port_is_an_error_that_says_what_to_do(catcher, tmp_path):
    with pytest.raises(BackendError, match="Choose another port"):
        Catcher(tmp_path / "second", "127.0.0.1", catcher.port).start()


def test_many_clients_at_once_are_served(catcher):
    def one(number):
        with smtplib.SMTP("127.0.0.1", catcher.port) as client:
            for turn in range(5):
                client.sendmail("a@x.example", f"u{number}-{turn}@x.example", b"Subject: x\r\n\r\nx\r\n")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(12)))
    assert len({line.envelope.rcpt_to for line in caught.mails(catcher.folder, 100)}) == 60


def test_as_a_process_of_its_own_it_ends_when_told(tmp_path):
    port = free_port()
    code = "import sys; from pathlib import Path; from campaigns.delivery.catcher import main; main(Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "box"), str(port)])
    try:
        client = connected(port)
        client.sendmail("a@x.example", "b@x.example", b"Subject: x\r\n\r\nx\r\n")
        assert [line.subject for line in caught.mails(tmp_path / "box")] == ["x"]
        process.terminate()
        assert process.wait(120) == 0
        client.close()
    finally:
        process.kill()


def connected(port):
    for _ in range(2400):
        try:
            return smtplib.SMTP("127.0.0.1", port)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("the catcher never listened")
