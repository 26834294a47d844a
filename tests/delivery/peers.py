"""SMTP servers for tests: one that follows a script, and a watch that keeps account."""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from campaigns.delivery.contract import Backend
from campaigns.delivery.smtp.pool import SmtpBackend
from campaigns.delivery.smtp.target import Limits, Security, Target, Timeouts
from campaigns.values import MessageKey, Outcome, OutcomeKind, Outgoing

PATIENT = Timeouts(connect=120, greeting=120, command=120, data=120, final=120)
HASTY = Timeouts(connect=0.4, greeting=0.4, command=0.4, data=0.4, final=0.4)


@dataclass
class Say:
    """What the script wants instead of the usual reply."""

    reply: bytes = b""
    cut: bool = False  #: close after the reply
    delay: float = 0.0
    takes: bool | None = None  #: at the body: whether the server keeps the mail, whatever it says


@dataclass
class Seen:
    """What the server knows at the moment."""

    connection: int  #: from 1
    mail: int  #: on this connection, from 1
    recipient: str
    argument: str


Script = Callable[[str, Seen], Say | None]


class Peer:
    """A strict SMTP server in threads: bad sequences get 503, and all that it takes is remembered."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        offers: Iterable[str] = ("PIPELINING",),
        split: bool = False,
        at: tuple[str, int] = ("127.0.0.1", 0),
    ):
        self.script = script or (lambda stage, seen: None)
        self.offers = list(offers)
        self.split = split
        self.taken: list[tuple[str, str, bytes]] = []  # sender, recipient, data
        self.lines: list[str] = []
        self.wrong: list[str] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(at, backlog=64)
        self.host, self.port = self._server.getsockname()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.close()
        with socket.socket() as wake:  # a thread in accept() does not notice that its socket was closed
            wake.connect_ex((self.host, self.port))
        self.cut_all()
        for thread in self._threads:
            thread.join(5)

    def cut_all(self):
        for one in list(self._open):
            with contextlib.suppress(OSError):  # closed meanwhile
                one.shutdown(socket.SHUT_RDWR)

    @property
    def recipients(self) -> Counter[str]:
        return Counter(recipient for _, recipient, _ in self.taken)

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._server.fileno() < 0:
                client.close()
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(client)
            thread = threading.Thread(target=self._serve, args=(client, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, number: int):
        try:
            _Session(self, client, number).run()
        except (OSError, _Over):
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()


class _Over(Exception):
    pass


@dataclass
class _Session:
    peer: Peer
    client: socket.socket
    number: int
    mails: int = 0
    sender: str | None = None
    recipient: str = ""
    buffer: bytes = b""
    out: list[bytes] = field(default_factory=list)

    def run(self):
        self.say("greeting", b"220 peer\r\n", "")
        while True:
            line = self.line().decode()
            with self.peer._lock:
                self.peer.lines.append(line)
            verb, _, rest = line.partition(" ")
            getattr(self, f"do_{verb.lower()}", self.unknown)(rest)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def fill(self):
        self.flush()
        more = self.client.recv(65536)
        if not more:
            raise _Over
        self.buffer += more

    def flush(self):
        data, self.out = b"".join(self.out), []
        if self.peer.split:
            for at in range(len(data)):
                self.client.sendall(data[at : at + 1])
        elif data:
            self.client.sendall(data)

    def say(
        self, stage: str, usual: bytes, argument: str, agreed: Callable[[], None] = lambda: None
    ) -> bytes:
        wish = self.peer.script(stage, Seen(self.number, self.mails, self.recipient, argument)) or Say(usual)
        if wish.delay:
            self.flush()
            time.sleep(wish.delay)
        self.out.append(wish.reply)
        if wish.reply[:1] == b"2":
            agreed()
        if wish.cut:
            self.flush()
            self.client.shutdown(socket.SHUT_RDWR)
            raise _Over
        return wish.reply

    def do_ehlo(self, rest: str):
        lines = ["peer", *self.peer.offers]
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
        self.say("ehlo", text.encode(), rest)

    def do_helo(self, rest: str):
        self.say("helo", b"250 peer\r\n", rest)

    def do_mail(self, rest: str):
        self.mails += 1
        if self.sender is not None:
            self.peer.wrong.append(f"MAIL within a mail: {rest}")
            self.out.append(b"503 5.5.1 nested\r\n")
        elif self.say("mail", b"250 2.1.0 Ok\r\n", rest)[:1] == b"2":
            self.sender = rest[6 : rest.index(">")]

    def do_rcpt(self, rest: str):
        self.recipient = ""
        if self.sender is None:
            self.out.append(b"503 5.5.1 MAIL first\r\n")
        else:
            self.recipient = rest[4 : rest.index(">")]
            if self.say("rcpt", b"250 2.1.5 Ok\r\n", rest)[:1] != b"2":
                self.recipient = ""

    def do_data(self, rest: str):
        usual = b"354 go on\r\n" if self.recipient else b"503 5.5.1 no recipient\r\n"
        if self.say("data", usual, rest)[:1] == b"3":
            self.body()

    def body(self):
        self.flush()
        lines = []
        while (line := self.line()) != b".":
            lines.append(line[1:] if line[:1] == b"." else line)
        data = b"".join(line + b"\r\n" for line in lines)
        kept = (self.sender or "", self.recipient, data)
        before = (
            self.peer.script("before", Seen(self.number, self.mails, self.recipient, ""))
            if self.recipient
            else None
        )
        if before and before.takes:
            self.peer.taken.append(kept)
        if not self.recipient:
            self.out.append(b"554 5.5.1 no valid recipients\r\n")
            if data:
                self.peer.wrong.append("a body for nobody")
        elif before and before.takes:
            self.say("body", b"250 2.0.0 Ok: queued\r\n", "")
        else:
            self.say("body", b"250 2.0.0 Ok: queued\r\n", "", lambda: self.peer.taken.append(kept))
        self.sender, self.recipient = None, ""

    def do_rset(self, rest: str):
        self.sender, self.recipient = None, ""
        self.say("rset", b"250 2.0.0 Ok\r\n", rest)

    def do_quit(self, rest: str):
        self.say("quit", b"221 2.0.0 Bye\r\n", rest)
        self.flush()
        raise _Over

    def unknown(self, rest: str):
        self.peer.wrong.append(f"unknown command: {rest}")
        self.out.append(b"500 5.5.2 unknown\r\n")


@dataclass
class Account:
    """A watch that checks the contract while it listens."""

    started_keys: list[MessageKey] = field(default_factory=list)
    outcomes: dict[MessageKey, Outcome] = field(default_factory=dict)
    stop_after: int | None = None  #: answers after which no further message may start
    stop: bool = False

    def started(self, key: MessageKey) -> None:
        assert key not in self.started_keys, f"{key} was started twice"
        self.started_keys.append(key)

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        assert key in self.started_keys, f"{key} was answered, never started"
        assert key not in self.outcomes, f"{key} was answered twice"
        self.outcomes[key] = outcome

    def stopping(self) -> bool:
        return self.stop or (self.stop_after is not None and len(self.outcomes) >= self.stop_after)

    def of(self, kind: OutcomeKind) -> set[str]:
        return {address(key.seq) for key, outcome in self.outcomes.items() if outcome.kind is kind}

    @property
    def kinds(self) -> Counter[OutcomeKind]:
        return Counter(outcome.kind for outcome in self.outcomes.values())


def address(seq: int) -> str:
    return f"u{seq}@people.example"


def mail(seq: int, data: bytes | None = None, **changes) -> Outgoing:
    text = data if data is not None else f"Subject: {seq}\r\n\r\n.dot\r\n..two\r\nend {seq}\r\n".encode()
    values = {"mail_from": f"b+{seq}@bounce.example", "rcpt_to": address(seq)}
    return Outgoing(key=MessageKey(1, seq), data=text, **(values | changes))


def mails(count: int) -> list[Outgoing]:
    return [mail(seq) for seq in range(1, count + 1)]


def backend(
    peer: Peer, *, connections: int = 3, per_connection: int = 100, timeouts: Timeouts = PATIENT
) -> SmtpBackend:
    target = Target("127.0.0.1", peer.port, Security.PLAIN)
    return SmtpBackend(target, Limits(connections, per_connection), timeouts)


def send(peer: Peer, batch: Iterable[Outgoing], account: Account | None = None, **settings) -> Account:
    """Send a batch and check that nothing started is left without an answer."""
    return send_by(backend(peer, **settings), batch, account)


def send_by(way: Backend, batch: Iterable[Outgoing], account: Account | None = None) -> Account:
    """Send a batch by a backend, close it, and check that nothing started is left without an answer."""
    account = account or Account()
    try:
        way.send(batch, account)
    finally:
        way.close()
        assert set(account.started_keys) == set(account.outcomes), "started, and never answered"
    return account
