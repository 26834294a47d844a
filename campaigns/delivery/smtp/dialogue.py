"""The mail part of a session: what to write next, and whose reply this is.

With PIPELINING one write carries [body . MAIL RCPT DATA], the next message's envelope behind this
one's body; the replies come back in that order. DATA is last in its group, since its reply decides
whether a body may follow (RFC 2920 §3.1). Without PIPELINING the same steps go one by one.
"""

from collections import deque
from enum import Enum, auto

from campaigns.delivery.smtp.commands import DATA, NOTHING, RSET, body, mail_command, rcpt_command, unfit
from campaigns.delivery.smtp.replies import Offer, Reply, outcome_of, plain_text
from campaigns.delivery.smtp.work import Work
from campaigns.values import Outcome, OutcomeKind, Outgoing

LOGIN_WANTED = frozenset({530, 534, 535, 538})  #: about us, not about the recipient (RFC 4954 §6)


class Step(Enum):
    """What a reply can be the answer to."""

    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()  #: the final dot of a message
    NOTHING = auto()  #: the final dot of a body that we wanted no more


ENVELOPE = (Step.MAIL, Step.RCPT, Step.DATA)


class Dialogue:
    """Turns replies into the next bytes to write; knows no sockets and no time."""

    def __init__(self, offer: Offer, work: Work, limit: int) -> None:
        self.over = ""  #: why the session must end; empty while it may go on
        self.failure = ""  #: set where the server will not have us at all
        self.full = False  #: over because this connection carried its share
        self.useless = False  #: ended by a mail's envelope or body, with no mail answered before
        self.answered = 0  #: in the present batch
        self._offer = offer
        self._work = work
        self._left = limit
        self._expected: deque[Step] = deque()
        self._sent: Outgoing | None = None  # its final dot is written, its reply is not here
        self._next: Outgoing | None = None  # its envelope is begun, its body is not
        self._refusal: Reply | None = None  # the first no to self._next
        self._parting: Reply | None = None  # a 421
        self._reset = False  # a refused envelope may be half open at the server
        self._fresh = True  # the server has spoken since this work began

    @property
    def expects(self) -> Step | None:
        """Whose reply is next."""
        return self._expected[0] if self._expected else None

    @property
    def undecided(self) -> bool:
        """Whether all that is on the wire is an envelope, which may still be called off."""
        return self._next is not None and self._sent is None

    def join(self, work: Work) -> None:
        """Serve another batch over the same session."""
        self._work = work
        self._fresh = False
        self.answered = 0

    def more(self) -> bytes:
        """What to write if a message can be begun now."""
        if self._next or self.over or (self._sent and not self._offer.pipelining):
            return b""
        if self._left and (mail := self._take()):
            self._next = mail
            self._refusal = None
            self._left -= 1
            return self._envelope(mail)
        if not self._left and not self._sent:
            self.full = True
            self.over = "as many mails as one connection may carry"
        return b""

    def reply(self, reply: Reply) -> bytes:
        """Take the next reply; give what to write."""
        if reply.code == 421:
            self._parting = reply
            self.over = reply.text or "421"
        if not self._expected:
            self.over = self.over or f"a reply that nobody asked for: {reply.code} {reply.text}"
            return b""
        self._fresh = True
        step = self._expected.popleft()
        if step is Step.BODY:
            return self._body_answered(reply)
        if step in ENVELOPE and not self.over:
            return self._envelope_answered(step, reply)
        if step is Step.RSET and reply.code // 100 != 2:
            self.over = self.over or f"RSET was refused: {reply.code} {reply.text}"
        if self._expected or self.over:
            return b""
        return self._ask(Step.MAIL, self._next) if self._next else self.more()

    def lost(self, reason: str) -> None:
        """The session has ended: the message without an answer is in doubt, the one behind it is not."""
        self.over = self.over or reason
        self._expected.clear()
        sent, self._sent = self._sent, None
        envelope, self._next = self._next, None
        self.useless = bool(sent or (envelope and self._fresh)) and not self.answered
        if sent:
            self._work.answer(sent, Outcome(OutcomeKind.UNKNOWN, None, None, plain_text(reason)))
        if envelope:
            blamed = self.useless and not self.failure and sent is None
            self._work.put_back(envelope, self.over, self._parting, counted=blamed)

    def _take(self) -> Outgoing | None:
        while mail := self._work.take():
            refusal = unfit(mail, self._offer)
            if refusal is None:
                return mail
            self._work.refuse(mail, refusal)
        return None

    def _envelope(self, mail: Outgoing) -> bytes:
        reset, self._reset = self._reset, False
        if not self._offer.pipelining:
            return self._ask(Step.RSET if reset else Step.MAIL, mail)
        if reset:
            self._expected.append(Step.RSET)
        self._expected += ENVELOPE
        begin = mail_command(mail, self._offer) + rcpt_command(mail, self._offer) + DATA
        return RSET + begin if reset else begin

    def _ask(self, step: Step, mail: Outgoing) -> bytes:
        self._expected.append(step)
        if step is Step.MAIL:
            return mail_command(mail, self._offer)
        if step is Step.RCPT:
            return rcpt_command(mail, self._offer)
        return DATA if step is Step.DATA else RSET

    def _envelope_answered(self, step: Step, reply: Reply) -> bytes:
        mail = self._next
        assert mail is not None, "an envelope's reply without an envelope"
        kind = reply.code // 100
        if step is Step.MAIL and reply.code in LOGIN_WANTED:
            self.over = self.failure = f"{reply.code} {reply.text}"
            return b""
        if kind in {4, 5}:
            self._refusal = self._refusal or reply
        elif kind != (3 if step is Step.DATA else 2):
            self.over = f"{reply.code} is no answer to {step.name}: {reply.text}"
            return b""
        if step is Step.DATA:
            return self._body(mail) if kind == 3 else self._refused(mail)
        if self._offer.pipelining:
            return b""
        if self._refusal:
            return self._refused(mail)
        return self._ask(Step.RCPT if step is Step.MAIL else Step.DATA, mail)

    def _refused(self, mail: Outgoing) -> bytes:
        assert self._refusal is not None, "refused without a refusal"
        self._next = None
        self._reset = True
        self.answered += 1
        self._work.refuse(mail, outcome_of(self._refusal))
        return b"" if self._expected else self.more()

    def _body(self, mail: Outgoing) -> bytes:
        """DATA was granted: write the body, or nothing where the recipient was refused.

        Source: RFC 2920 §3.1: a server may grant DATA though it refused every recipient.
        """
        if self._refusal:
            self._expected.append(Step.NOTHING)
            return NOTHING + self._refused(mail)
        if not self._work.start(mail):
            self.over = "sending was stopped"
            return b""
        self._sent, self._next = mail, None
        self._expected.append(Step.BODY)
        return body(mail, self.more())

    def _body_answered(self, reply: Reply) -> bytes:
        mail, self._sent = self._sent, None
        assert mail is not None, "a body's reply without a body"
        self.answered += 1
        outcome = outcome_of(reply)
        if outcome.kind is OutcomeKind.UNKNOWN:
            self.over = f"{reply.code} is no answer to a mail: {reply.text}"
        self._work.answer(mail, outcome)
        return self.more()
