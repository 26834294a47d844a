"""The dialogue without sockets, against a model server that decides by chance: the books always balance."""

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.smtp.dialogue import Dialogue
from campaigns.delivery.smtp.replies import Offer, ReplyReader, plain_text
from campaigns.delivery.smtp.work import Work
from campaigns.values import OutcomeKind
from tests.delivery.peers import Account, address, mails

CUT = "cut"


class ModelServer:
    """Reads commands, answers by the next decision, and knows what it took."""

    def __init__(self, decide, taken, wrong):
        self.decide, self.taken, self.wrong = decide, taken, wrong
        self.buffer, self.sender, self.recipient, self.body = b"", None, None, None
        self.dead = False

    def feed(self, data):
        self.buffer += data
        out = b""
        while b"\r\n" in self.buffer and not self.dead:
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            out += self.line(line)
        return out

    def line(self, line):
        if self.body is not None:
            if line != b".":
                self.body.append(line)
                return b""
            return self.end()
        if line == b"RSET":
            self.sender = self.recipient = None
            return b"250 ok\r\n"
        if line == b"DATA":
            return self.data()
        first = line[:4] == b"MAIL"
        assert first or line[:4] == b"RCPT", line
        return self.envelope(line, nested=(self.sender is None) != first)

    def data(self):
        what = self.decide()
        if what == CUT:
            self.dead = True
            return b""
        granted = self.recipient is not None or self.decide() == b"4"  # RFC 2920 §3.1: even for nobody
        if what in (b"4", b"5") or self.sender is None or not granted:
            return (what if what in (b"4", b"5") else b"5") + b"54 no\r\n"
        self.body = []
        return b"354 go\r\n"

    def envelope(self, line, *, nested):
        if nested:
            if line[:4] == b"MAIL":
                self.wrong.append(line)
            return b"503 5.5.1 sequence\r\n"
        what = self.decide()
        if what == CUT:
            self.dead = True
            return b""
        if what in (b"4", b"5"):
            return what + b"50-no\r\n" + what + b"50 really\r\n"
        path = line[line.index(b"<") + 1 : line.index(b">")].decode()
        if line[:4] == b"MAIL":
            self.sender = path
        else:
            self.recipient = path
        return b"250 2.1.0 ok\r\n"

    def end(self):
        recipient, body = self.recipient, self.body
        self.sender = self.recipient = self.body = None
        if recipient is None:
            if body:
                self.wrong.append(("a body for nobody", body))
            return b"554 5.5.1 nobody\r\n"
        what = self.decide()
        if what in (b"4", b"5"):
            return what + b"52 5.2.2 full\r\n"
        if what == CUT:
            self.dead = True
            if self.decide() != CUT:
                self.taken.append(recipient)
            return b""
        self.taken.append(recipient)
        return b"250 2.0.0 queued\r\n"


def converse(offer, decisions, pieces, count, limit, stop_after):
    account, taken, wrong = Account(stop_after=stop_after), [], []
    work = Work(mails(count), account)
    choices = iter(decisions)
    sizes = iter(pieces)

    def decide():
        return next(choices, b"2")

    connections = 0
    while not work.finished and connections < 200:
        connections += 1
        server, dialogue, reader = (
            ModelServer(decide, taken, wrong),
            Dialogue(offer, work, limit),
            ReplyReader(),
        )
        to_server, to_client = dialogue.more(), b""
        while (to_server or to_client) and not dialogue.over:
            to_client += server.feed(to_server)
            to_server = b""
            cut = next(sizes, 10_000) if to_client else 0
            piece, to_client = to_client[:cut], to_client[cut:]
            for reply in reader.feed(piece):
                to_server += dialogue.reply(reply)
            if server.dead and not to_client:
                break
        dialogue.lost("the end")
    return account, taken, wrong, work, connections


@settings(max_examples=250, deadline=None)
@given(
    st.builds(Offer, pipelining=st.booleans(), dsn=st.booleans(), size=st.booleans()),
    st.lists(st.sampled_from([b"2", b"2", b"2", b"2", b"2", b"4", b"5", CUT]), max_size=60),
    st.lists(st.integers(1, 40), max_size=80),
    st.integers(0, 15),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(0, 10)),
)
def test_whatever_the_server_does_the_books_balance(offer, decisions, pieces, count, limit, stop_after):
    account, taken, wrong, work, connections = converse(offer, decisions, pieces, count, limit, stop_after)
    assert wrong == []
    assert work.finished
    assert set(account.started_keys) == set(account.outcomes), "each started message has its answer"
    assert len(taken) == len(set(taken)), "nobody got two"
    sent, doubt = account.of(OutcomeKind.SENT), account.of(OutcomeKind.UNKNOWN)
    assert sent <= set(taken) <= sent | doubt
    assert len(doubt) <= connections
    assert len(doubt) <= decisions.count(CUT)
    everyone = {address(seq) for seq in range(1, count + 1)}
    heard = {address(key.seq) for key in account.outcomes}
    if stop_after is None:
        assert heard == everyone
    else:
        assert set(taken) <= heard


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_replies_are_the_same_however_they_are_cut(pieces):
    wire = b"220-hello\r\n220 there\r\n250 \r\n250\r\n354 go\r\n550-5.1.1 a\r\n550-\r\n550 5.1.1 c\r\n"
    whole, reader, found, at = ReplyReader().feed(wire), ReplyReader(), [], 0
    for size in pieces:
        found += reader.feed(wire[at : at + size])
        at += size
    found += reader.feed(wire[at:])
    assert found == whole
    assert [reply.code for reply in whole] == [220, 250, 250, 354, 550]
    assert whole[-1].lines == (b"5.1.1 a", b"", b"5.1.1 c")


@given(st.text(st.characters(codec=None), max_size=50))
def test_whatever_a_server_says_can_be_stored(said):
    text = plain_text(f"\x00{said}\ud800")
    assert text.encode().decode() == text
    assert "\0" not in text
