"""One call of `send`: what is still to do, what is on the wire, and whom to tell."""

from collections import Counter, deque
from collections.abc import Iterable

from campaigns.delivery.contract import Watch
from campaigns.delivery.smtp.replies import Reply, outcome_of, plain_text
from campaigns.values import MessageKey, Outcome, OutcomeKind, Outgoing

MAX_TRIES = 3  #: connections that may end on one message's envelope before it is deferred


class Work:
    """Hands out each message once, and sees to it that each started one is answered once."""

    def __init__(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        self.error: BaseException | None = None  #: what the batch or the watch raised
        self.over = False  #: nothing more is begun
        self.on_wire = 0  #: taken by a dialogue, neither answered nor put back
        self.waiting: deque[Outgoing] = deque()
        self.hungry = False  #: the batch had nothing at the moment
        self._batch = iter(batch)
        self._exhausted = False
        self._watch = watch
        self._tries: Counter[MessageKey] = Counter()

    @property
    def finished(self) -> bool:
        """Whether nothing is on the wire and nothing will be."""
        return not self.on_wire and (self.over or (self._exhausted and not self.waiting))

    def take(self) -> Outgoing | None:
        """The next message to begin, if there is one and it may be begun."""
        if self.over or self.stopping():
            return None
        mail = self.waiting.popleft() if self.waiting else self._pull()
        self.on_wire += mail is not None
        return mail

    def awaits(self, connections: int) -> bool:
        """Whether there is a message for each of so many further connections."""
        while len(self.waiting) < connections and not self.over and not self.stopping():
            mail = self._pull()
            if mail is None:
                break
            self.waiting.append(mail)
        return bool(self.waiting) and len(self.waiting) >= connections

    def start(self, mail: Outgoing) -> bool:
        """Tell that a message's bytes come next; False: they must not."""
        return not (self.over or self.stopping()) and self._tell_start(mail)

    def answer(self, mail: Outgoing, outcome: Outcome) -> None:
        """Tell what came of a started message."""
        self.on_wire -= 1
        self._tries.pop(mail.key, None)
        try:
            self._watch.answered(mail.key, outcome)
        except BaseException as error:  # noqa: BLE001 - raised again by `send`, when all are answered
            self.stop(error)

    def refuse(self, mail: Outgoing, outcome: Outcome) -> None:
        """Tell of a message that was refused before its body was written."""
        if self._tell_start(mail):
            self.answer(mail, outcome)
        else:
            self.on_wire -= 1

    def put_back(self, mail: Outgoing, reason: str, reply: Reply | None, *, counted: bool) -> None:
        """Give back a message whose body was not written; another connection may try it.

        Args:
            mail: the message.
            reason: why its connection ended.
            reply: what the server said last, if it was about this.
            counted: whether the end may be the message's own doing.
        """
        self._tries[mail.key] += counted
        if self._tries[mail.key] >= MAX_TRIES and not self.over:
            text = plain_text(f"{MAX_TRIES} connections ended before this mail was taken: {reason}")
            told = outcome_of(reply) if reply else Outcome(OutcomeKind.DEFERRED, None, None, text)
            self.refuse(mail, told)
            return
        self.on_wire -= 1
        self.waiting.append(mail)

    def stopping(self) -> bool:
        """Ask the watch; once it said so, that stays."""
        if not self.over:
            try:
                self.over = self._watch.stopping()
            except BaseException as error:  # noqa: BLE001 - raised again by `send`
                self.stop(error)
        return self.over

    def stop(self, error: BaseException | None = None) -> None:
        """Begin nothing more; the first error is raised when all is answered."""
        self.error = self.error or error
        self.over = True

    def _tell_start(self, mail: Outgoing) -> bool:
        try:
            self._watch.started(mail.key)
        except BaseException as error:  # noqa: BLE001 - raised again by `send`
            self.stop(error)
            return False
        return True

    def _pull(self) -> Outgoing | None:
        if self._exhausted:
            return None
        try:
            mail = next(self._batch)
            self.hungry = mail is None
            return mail
        except StopIteration:
            self._exhausted = True
        except BaseException as error:  # noqa: BLE001 - raised again by `send`
            self._exhausted = True
            self.stop(error)
        self.hungry = False
        return None
