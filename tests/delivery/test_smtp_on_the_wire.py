"""The SMTP backend against a server that follows a script: each mail is sent once or told of."""

import signal
from threading import Event, Thread, Timer
from time import monotonic

import pytest

from campaigns.errors import BackendError
from campaigns.values import OutcomeKind
from tests.delivery.peers import HASTY, Account, Peer, Say, address, backend, mail, mails, send
from tests.ports import free_port

ALL = 40
STAGES = ["mail", "rcpt", "data", "body"]


def everyone(count=ALL):
    return {address(seq) for seq in range(1, count + 1)}


SEVENTH = address(7)


def once(stage, say, recipient=SEVENTH):
    """A script that speaks up at the first time this recipient comes to this stage."""
    done = []

    def script(at, seen):
        if at == stage and not done and (seen.recipient == recipient or recipient is None):
            done.append(1)
            return say
        return None

    return script


def whenever(stage, recipient, say):
    return lambda at, seen: say if at == stage and seen.recipient == recipient else None


@pytest.mark.parametrize(
    "offers", [("PIPELINING",), ("SIZE 1000000",), ()], ids=["pipelined", "lock-step", "bare"]
)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "split"])
def test_each_mail_arrives_once_and_unchanged(offers, split):
    batch = mails(57)
    with Peer(offers=offers, split=split) as peer:
        account = send(peer, batch, per_connection=10)
        assert account.of(OutcomeKind.SENT) == everyone(57)
        assert sorted(peer.taken) == sorted((one.mail_from, one.rcpt_to, one.data) for one in batch)
        assert peer.wrong == []
        assert peer.connections >= 6


def test_connections_persist_from_batch_to_batch():
    with Peer() as peer:
        way, account = backend(peer, connections=1), Account()
        for first in (1, 11, 21):
            way.send([mail(seq) for seq in range(first, first + 10)], account)
        way.close()
        assert (account.kinds[OutcomeKind.SENT], peer.connections) == (30, 1)


def test_one_mail_needs_one_connection():
    with Peer() as peer:
        send(peer, [mail(1)], connections=8)
        assert peer.connections == 1


def test_an_empty_batch_connects_to_nothing():
    with Peer() as peer:
        assert send(peer, []).outcomes == {}
        assert peer.connections == 0


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("granted", [True, False], ids=["DATA granted all the same", "DATA refused"])
def test_a_refused_recipient_fails_alone_and_no_empty_mail_goes_out(offers, granted):
    def script(at, seen):
        if at == "rcpt" and seen.argument.startswith(f"TO:<{address(7)}>"):
            return Say(b"550-5.1.1 no such\r\n550 5.1.1 user\r\n")
        if at == "data" and granted and not seen.recipient:
            return Say(b"354 go on, then\r\n")
        return None

    with Peer(script, offers=offers) as peer:
        account = send(peer, mails(ALL))
        failed = account.outcomes[mail(7).key]
        assert (failed.kind, failed.code, failed.enhanced, failed.text) == (
            OutcomeKind.FAILED,
            550,
            "5.1.1",
            "5.1.1 no such 5.1.1 user",
        )
        assert peer.recipients == dict.fromkeys(everyone() - {address(7)}, 1)
        assert peer.wrong == []


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("code", "kind"), [(b"450 4.2.0", OutcomeKind.DEFERRED), (b"550 5.7.1", OutcomeKind.FAILED)]
)
def test_a_refusal_at_any_stage_is_about_that_mail_alone(offers, stage, code, kind):
    def script(at, seen):
        mine = seen.argument.startswith("FROM:<b+7@") if at == "mail" else seen.recipient == address(7)
        return Say(code + b" not now\r\n") if at == stage and mine else None

    with Peer(script, offers=offers) as peer:
        account = send(peer, mails(ALL))
        assert account.of(kind) == {address(7)}
        assert account.of(OutcomeKind.SENT) == everyone() - {address(7)} == set(peer.recipients)
        assert max(peer.recipients.values()) == 1
        assert peer.wrong == []


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    "say",
    [Say(b"", cut=True), Say(b"250 2.0.0 Ok\r\n", cut=True), Say(b"421 4.3.2 going down\r\n", cut=True)],
    ids=["cut", "answered and cut", "421"],
)
def test_a_connection_that_ends_in_an_envelope_costs_no_mail(offers, stage, say):
    with Peer(once(stage, say, None), offers=offers) as peer:
        account = send(peer, mails(ALL), connections=2)
        assert account.of(OutcomeKind.SENT) == everyone()
        assert peer.recipients == dict.fromkeys(everyone(), 1)


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("takes", [True, False], ids=["the server kept it", "the server lost it"])
def test_a_cut_between_the_final_dot_and_its_reply_puts_exactly_that_mail_in_doubt(offers, takes):
    def script(at, seen):
        if seen.recipient != address(7):
            return None
        return Say(takes=takes) if at == "before" else Say(b"", cut=True) if at == "body" else None

    with Peer(script, offers=offers) as peer:
        account = send(peer, mails(ALL))
        assert account.of(OutcomeKind.UNKNOWN) == {address(7)}
        assert account.of(OutcomeKind.SENT) == everyone() - {address(7)}
        assert peer.recipients[address(7)] == takes
        assert max(peer.recipients.values()) == 1


def test_a_cut_within_the_body_puts_exactly_that_mail_in_doubt():
    with Peer(once("data", Say(b"354 go on\r\n", cut=True))) as peer:
        account = send(peer, mails(ALL))
        assert account.of(OutcomeKind.UNKNOWN) == {address(7)}
        assert peer.recipients == dict.fromkeys(everyone() - {address(7)}, 1)


def test_a_421_to_a_body_defers_that_mail_and_the_rest_goes_elsewhere():
    with Peer(once("body", Say(b"421 4.3.2 going down\r\n", cut=True))) as peer:
        account = send(peer, mails(ALL))
        assert account.of(OutcomeKind.DEFERRED) == {address(7)}
        assert peer.recipients == dict.fromkeys(everyone() - {address(7)}, 1)


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("farewell", [b"", b"421 4.7.0 enough\r\n"], ids=["silently", "with 421"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_server_that_closes_after_a_few_mails_gets_them_all(offers, farewell, after):
    def script(at, seen):
        if at == "body" and seen.mail == after:
            return Say(b"250 2.0.0 Ok\r\n" + farewell, cut=True)
        return None

    with Peer(script, offers=offers) as peer:
        account = send(peer, mails(ALL))
        assert peer.recipients == dict.fromkeys(everyone(), 1)
        assert account.of(OutcomeKind.SENT) | account.of(OutcomeKind.UNKNOWN) == everyone()
        assert account.of(OutcomeKind.UNKNOWN) == set()


@pytest.mark.timed
@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_falls_silent_is_left(stage):
    with Peer(once(stage, Say(b"250 late\r\n", delay=1.0), None)) as peer:
        account = send(peer, mails(ALL), timeouts=HASTY, connections=2)
        doubt = account.of(OutcomeKind.UNKNOWN)
        assert len(doubt) == (stage == "body")
        assert account.of(OutcomeKind.SENT) == everyone() - doubt
        assert max(peer.recipients.values()) == 1


@pytest.mark.timed
@pytest.mark.parametrize(
    "reply",
    [b"hello\r\n", b"250-a\r\n550 b\r\n", b"250 x\r\n" * 2 + b"\x00\xff\r\n", b"999 what\r\n", b"2" * 9000],
)
def test_a_garbled_reply_ends_the_session_and_doubts_only_the_body(reply):
    with Peer(once("body", Say(reply))) as peer:
        account = send(peer, mails(ALL), timeouts=HASTY)
        assert account.of(OutcomeKind.UNKNOWN) <= {address(7)}
        assert account.of(OutcomeKind.SENT) >= everyone() - {address(7)}
        assert max(peer.recipients.values()) == 1


@pytest.mark.parametrize("reply", [b"250 sure\r\n", b"220 eh\r\n"])
def test_a_success_that_is_no_354_gets_no_body(reply):
    with Peer(whenever("data", address(7), Say(reply))) as peer:
        account = send(peer, mails(ALL))
        assert account.of(OutcomeKind.DEFERRED) == {address(7)}
        assert peer.recipients == dict.fromkeys(everyone() - {address(7)}, 1)


def test_a_354_to_a_body_is_a_doubt():
    with Peer(once("body", Say(b"354 more\r\n"))) as peer:
        assert send(peer, mails(ALL)).of(OutcomeKind.UNKNOWN) == {address(7)}
        assert max(peer.recipients.values()) == 1


def test_a_mail_that_breaks_every_connection_is_deferred_and_the_rest_goes_on():
    with Peer(whenever("rcpt", address(7), Say(b"", cut=True))) as peer:
        account = send(peer, mails(ALL))
        assert account.of(OutcomeKind.DEFERRED) == {address(7)}
        assert "3 connections" in account.outcomes[mail(7).key].text
        assert peer.recipients == dict.fromkeys(everyone() - {address(7)}, 1)


def test_a_server_that_ends_every_envelope_is_a_failed_backend():
    with Peer(lambda at, seen: Say(b"421 4.7.0 no\r\n", cut=True) if at == "mail" else None) as peer:
        account = Account()
        with pytest.raises(BackendError, match=r"in a row ended .* 4\.7\.0 no"):
            send(peer, mails(ALL), account, connections=1)
        assert account.kinds.keys() <= {OutcomeKind.DEFERRED}
        assert peer.taken == []


def test_a_server_that_wants_a_login_is_a_failed_backend_not_a_failed_recipient():
    with Peer(
        lambda at, seen: Say(b"530 5.7.0 authentication required\r\n") if at == "mail" else None
    ) as peer:
        account = Account()
        with pytest.raises(BackendError, match="authentication required"):
            send(peer, mails(ALL), account)
        assert account.started_keys == []


@pytest.mark.parametrize(
    "say", [Say(b"", cut=True), Say(b"554 5.7.1 go away\r\n"), Say(b"421 later\r\n", cut=True)]
)
@pytest.mark.parametrize("stage", ["greeting", "ehlo"])
def test_a_server_that_will_not_open_is_a_failed_backend(stage, say):
    with Peer(lambda at, seen: say if at == stage else None) as peer:
        account = Account()
        with pytest.raises(BackendError, match=f"127.0.0.1:{peer.port}"):
            send(peer, mails(ALL), account)
        assert account.started_keys == []


def test_a_server_that_is_not_there_is_a_failed_backend():
    with Peer(at=("127.0.0.1", free_port())) as peer:
        pass
    account = Account()
    with pytest.raises(BackendError, match=r"127\.0\.0\.1"):
        send(peer, mails(3), account)
    assert account.started_keys == []


@pytest.mark.timed
def test_a_greeting_that_never_comes_is_a_failed_backend():
    with (
        Peer(lambda at, seen: Say(delay=1.0) if at == "greeting" else None) as peer,
        pytest.raises(BackendError, match="no answer in time"),
    ):
        send(peer, mails(3), timeouts=HASTY)


def test_fewer_connections_than_wished_for_carry_it_all():
    def script(at, seen):
        return (
            Say(b"421 4.7.0 too many connections\r\n", cut=True)
            if at == "greeting" and seen.connection > 1
            else None
        )

    with Peer(script) as peer:
        assert send(peer, mails(ALL), connections=5).of(OutcomeKind.SENT) == everyone()
        assert peer.recipients == dict.fromkeys(everyone(), 1)


def test_a_server_that_knows_no_ehlo_is_greeted_the_old_way():
    with Peer(lambda at, seen: Say(b"502 5.5.1 what\r\n") if at == "ehlo" else None) as peer:
        assert send(peer, mails(3)).of(OutcomeKind.SENT) == everyone(3)


def test_connections_that_died_between_batches_cost_nothing():
    with Peer() as peer:
        way, account = backend(peer), Account()
        way.send([mail(seq) for seq in range(1, 11)], account)
        peer.cut_all()
        way.send([mail(seq) for seq in range(11, 21)], account)
        way.close()
        assert account.of(OutcomeKind.SENT) == everyone(20)
        assert peer.recipients == dict.fromkeys(everyone(20), 1)


def test_after_the_stop_no_message_is_started_and_the_rest_is_released():
    with Peer() as peer:
        account = send(peer, mails(200), Account(stop_after=20), connections=2)
        assert 20 <= len(account.outcomes) <= 22
        assert set(peer.recipients) == account.of(OutcomeKind.SENT)


def test_a_stop_does_not_wait_for_a_slow_envelope():
    account, over = Account(), Event()

    def script(at, seen):
        if at == "rcpt":
            account.stop = True
            over.wait(100)

    with Peer(script) as peer:
        way, before = backend(peer), monotonic()
        way.send(mails(1), account)
        assert monotonic() - before < 60
        over.set()
        way.close()
        assert account.started_keys == []
        assert peer.taken == []


@pytest.mark.timed
def test_a_stop_waits_for_the_answer_to_a_body():
    account = Account()

    def script(at, seen):
        if at == "body":
            account.stop = True
            return Say(b"250 ok\r\n", delay=0.6)
        return None

    with Peer(script) as peer:
        send(peer, mails(5), account, connections=1)
        assert account.kinds == {OutcomeKind.SENT: 1}


def test_an_error_of_the_batch_is_raised_after_all_started_are_answered():
    def batch():
        yield from mails(10)
        raise LookupError("no more")

    account = Account()
    with Peer() as peer:
        with pytest.raises(LookupError, match="no more"):
            send(peer, batch(), account)
        assert set(peer.recipients) == account.of(OutcomeKind.SENT)


def test_a_message_whose_start_cannot_be_noted_is_not_sent():
    class FullDisk(Account):
        def started(self, key):
            if key.seq == 7:
                raise OSError("disk full")
            super().started(key)

    account = FullDisk()
    with Peer() as peer:
        with pytest.raises(OSError, match="disk full"):
            send(peer, mails(ALL), account)
        assert address(7) not in peer.recipients
        assert set(peer.recipients) == account.of(OutcomeKind.SENT)


def test_the_batch_is_pulled_as_the_wire_takes_it():
    pulled = []

    def batch():
        for one in mails(ALL):
            pulled.append(one.key)
            yield one

    class Measuring(Account):
        most = 0

        def answered(self, key, outcome):
            super().answered(key, outcome)
            self.most = max(self.most, len(pulled) - len(self.outcomes))

    with Peer() as peer:
        account = send(peer, batch(), Measuring(), connections=2)
        assert account.most <= 6


def test_a_large_mail_reaches_a_slow_reader_whole():
    data = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n.\r\n" * 400_000
    with Peer() as peer:
        account = send(peer, [mail(1, data)])
        assert account.of(OutcomeKind.SENT) == {address(1)}
        assert peer.taken[0][2] == data


def test_a_mail_without_a_last_line_end_gets_one():
    with Peer() as peer:
        send(peer, [mail(1, b".Subject: x\r\n\r\nend")])
        assert peer.taken[0][2] == b".Subject: x\r\n\r\nend\r\n"


def test_a_mail_larger_than_the_server_takes_fails_here_with_the_reason():
    with Peer(offers=["PIPELINING", "SIZE 500"]) as peer:
        account = send(peer, [mail(1, b"x" * 600 + b"\r\n"), mail(2)])
        assert account.outcomes[mail(1).key].enhanced == "5.3.4"
        assert "takes 500 at most" in account.outcomes[mail(1).key].text
        assert set(peer.recipients) == {address(2)}
        assert any(line.endswith(f"SIZE={len(mail(2).data)}") for line in peer.lines)


@pytest.mark.parametrize(
    "recipient",
    ["a b@x.example", "a@x.example>\r\nRCPT TO:<b@x.example", "", "a@x.example\r\nDATA", "<a@x.example>"],
)
def test_an_address_that_would_break_the_dialogue_is_never_written(recipient):
    with Peer() as peer:
        account = send(peer, [mail(1, rcpt_to=recipient), mail(2)])
        assert account.outcomes[mail(1).key].kind is OutcomeKind.FAILED
        assert set(peer.recipients) == {address(2)}
        assert peer.wrong == []


def test_a_wide_local_part_goes_only_where_smtputf8_is_offered():
    wide = mail(1, rcpt_to="josé@x.example", smtputf8=True)
    with Peer() as peer:
        assert "SMTPUTF8" in send(peer, [wide]).outcomes[wide.key].text
        assert peer.taken == []
    with Peer(offers=["PIPELINING", "SMTPUTF8", "8BITMIME"]) as peer:
        assert send(peer, [wide]).of(OutcomeKind.SENT) == {address(1)}
        assert "MAIL FROM:<b+1@bounce.example> BODY=8BITMIME SMTPUTF8" in peer.lines


def test_a_server_with_dsn_is_asked_for_failure_and_delay_notices():
    with Peer(offers=["PIPELINING", "DSN"]) as peer:
        send(peer, [mail(1, rcpt_to="a+b=c@x.example")])
        assert "MAIL FROM:<b+1@bounce.example> RET=HDRS ENVID=b+2B1" in peer.lines
        assert "RCPT TO:<a+b=c@x.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@x.example" in peer.lines


def test_a_hostile_reply_is_kept_short_and_without_control_characters():
    with Peer(
        whenever("rcpt", address(1), Say(b"550 5.1.1 \x1b[31m\xe2\x80\xae<script>" + b"x" * 3000 + b"\r\n"))
    ) as peer:
        text = send(peer, [mail(1)]).outcomes[mail(1).key].text
        assert len(text) == 500
        assert text.isprintable()


def test_a_stop_does_not_wait_for_a_slow_greeting():
    account, over = Account(), Event()

    def script(at, seen):
        if at == "greeting":
            account.stop = True
            over.wait(100)

    with Peer(script) as peer:
        way, before = backend(peer), monotonic()
        way.send(mails(3), account)
        assert monotonic() - before < 60
        over.set()
        assert account.started_keys == []
        way.close()


def test_two_threads_take_turns():
    with Peer() as peer:
        way, accounts = backend(peer), [Account(), Account()]
        threads = [
            Thread(target=way.send, args=([mail(seq) for seq in range(first, first + 50)], account))
            for first, account in ((1, accounts[0]), (51, accounts[1]))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        way.close()
        assert accounts[0].of(OutcomeKind.SENT) | accounts[1].of(OutcomeKind.SENT) == everyone(100)
        assert peer.recipients == dict.fromkeys(everyone(100), 1)


def test_an_interrupt_tells_what_is_in_doubt():
    account, over = Account(), Event()

    def script(at, seen):
        if at == "body":
            Timer(0.1, lambda: signal.raise_signal(signal.SIGINT)).start()
            over.wait(100)

    with Peer(script) as peer:
        way = backend(peer)
        with pytest.raises(KeyboardInterrupt):
            way.send([mail(1)], account)
        over.set()
        assert account.of(OutcomeKind.UNKNOWN) == {address(1)}
        way.close()
