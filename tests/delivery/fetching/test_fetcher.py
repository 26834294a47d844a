"""Asked on the wire: redirects, name servers that change their mind, certificates, servers that dawdle."""

import contextlib
import socket
import ssl
import threading
import time

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from campaigns.delivery.fetching import Fetcher, Limits, Trouble
from campaigns.delivery.fetching.fetcher import Turns
from tests.delivery.certificates import Authority
from tests.delivery.fetching.web_server import OTHER, PUBLIC, dripping, fetching, said
from tests.name_server import NameServer


def ok(*_):
    return said("200 OK", "Content-Type: text/html; charset=utf-8", body=b"secret of the page")


def sending_to(location):
    return lambda head, _wire: said("302 Found", f"Location: {location}") if " / " in head else ok()


def test_a_link_that_is_alive_is_told_without_its_body():
    with fetching(ok) as (fetcher, server, _):
        answer = fetcher.fetch("http://shop.example/a?b=c#d")
    assert answer.is_alive
    assert (answer.status, answer.kind, answer.final) == (200, "text/html", "http://shop.example/a?b=c")
    assert "secret" not in repr(answer)
    assert server.asked[0].startswith("HEAD /a?b=c HTTP/1.1\r\nHost: shop.example\r\n")
    assert "cookie" not in server.asked[0].lower()


@pytest.mark.parametrize("refusal", ["405 Method Not Allowed", "403 Forbidden", "404 Not Found", "501 No"])
def test_a_server_that_wants_no_head_is_asked_by_get(refusal):
    def answer(head, _):
        return said(refusal) if head.startswith("HEAD") else ok()

    with fetching(answer) as (fetcher, server, _):
        assert fetcher.fetch("http://shop.example/").is_alive
    assert [head.split()[0] for head in server.asked] == ["HEAD", "GET"]


def test_a_server_that_hangs_up_on_head_is_asked_by_get():
    def answer(head, wire):
        return b"" if head.startswith("HEAD") else ok()

    with fetching(answer) as (fetcher, _, _):
        assert fetcher.fetch("http://shop.example/").is_alive


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_told_as_gone(status):
    with fetching(lambda *_: said(f"{status} Gone")) as (fetcher, _, _):
        answer = fetcher.fetch("http://shop.example/")
    assert answer.status == status
    assert answer.is_gone
    assert not answer.is_alive


def test_redirects_are_followed_to_their_end():
    with fetching(sending_to("/b"), names=("shop.example", "www.shop.example")) as (fetcher, _, dialled):
        answer = fetcher.fetch("http://shop.example/")
        assert (answer.status, answer.final) == (200, "http://shop.example/b")
        assert fetcher.fetch("http://www.shop.example/").final == "http://www.shop.example/b"
    assert set(dialled) == {(PUBLIC, 80)}


@pytest.mark.parametrize(
    ("location", "trouble"),
    [
        ("http://127.0.0.1/", Trouble.INNER),
        ("http://127.0.0.1:80/", Trouble.INNER),
        ("http://[::1]/", Trouble.INNER),
        ("http://169.254.169.254/latest/meta-data/", Trouble.INNER),
        ("http://inner.example/", Trouble.INNER),
        ("http://inner6.example/", Trouble.INNER),
        ("http://half.example/", Trouble.INNER),
        ("http://127.0.0.1:6379/", Trouble.NO_ADDRESS),
        ("http://2130706433/", Trouble.NO_ADDRESS),
        ("file:///etc/passwd", Trouble.NO_ADDRESS),
        ("http://nobody.example/", Trouble.NO_HOST),
    ],
)
def test_a_redirect_leads_to_no_machine_of_ours(location, trouble):
    table = {
        ("shop.example", "A"): [PUBLIC],
        ("inner.example", "A"): ["10.0.0.7"],
        ("inner6.example", "AAAA"): ["64:ff9b::7f00:1"],
        ("half.example", "A"): [PUBLIC, "192.168.1.1"],
    }
    with fetching(sending_to(location), table=table) as (fetcher, server, dialled):
        answer = fetcher.fetch("http://shop.example/")
    assert answer.trouble is trouble
    assert dialled == [(PUBLIC, 80)]
    assert len(server.asked) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0"])
def test_a_name_that_leads_to_a_machine_of_ours_is_never_dialled(address):
    with fetching(ok, table={("shop.example", "A"): [address]}) as (fetcher, server, dialled):
        answer = fetcher.fetch("http://shop.example/")
    assert answer.trouble is Trouble.INNER
    assert address in answer.detail
    assert dialled == server.asked == []


def test_the_dialler_itself_resolves_nothing(monkeypatch):
    """The product's own last step gets a number and gives it to the kernel."""
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1/")
    with fetching(ok) as (fetcher, server, _):
        from campaigns.delivery.fetching.networks import plain
        from campaigns.delivery.fetching.wire import dial

        with dial(plain("127.0.0.1"), server.port, 2.0) as wire:
            assert wire.getpeername() == ("127.0.0.1", server.port)
        assert fetcher.fetch("http://shop.example/").is_alive
    assert asked == []


class Fickle(NameServer):
    """Answers a public address first, and this machine's own ever after."""

    def _answer(self, data):
        made = super()._answer(data)
        if b"\x00\x01\x00\x01" in data[12:]:  # a question for A
            self.table = {("shop.example", "A"): ["127.0.0.1"]}
        return made


def test_a_name_server_that_changes_its_mind_gains_nothing():
    """DNS rebinding: what was checked is what is connected to; the next hop is checked anew."""
    with (
        fetching(sending_to("/b")) as (fetcher, server, dialled),
        Fickle({("shop.example", "A"): [PUBLIC]}) as fickle,
    ):
        answer = Fetcher(fickle.resolver(), fetcher.limits, fetcher.context, fetcher.dial).fetch(
            "http://shop.example/"
        )
        assert answer.trouble is Trouble.INNER
        assert dialled == [(PUBLIC, 80)]
        assert [head.split()[1] for head in server.asked] == ["/"]


def test_redirects_come_to_an_end():
    def on_and_on(head, _):
        at = int(head.split()[1].strip("/") or 0)
        return said("301 Moved", f"Location: /{at + 1}")

    with fetching(on_and_on) as (fetcher, server, _):
        assert fetcher.fetch("http://shop.example/").trouble is Trouble.FAR
    assert len(server.asked) == 4
    with fetching(lambda *_: said("302 Found", "Location: /")) as (fetcher, server, _):
        assert fetcher.fetch("http://shop.example/").trouble is Trouble.LOOP
    assert len(server.asked) == 1


# ---- encryption


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


def test_the_name_is_told_and_verified(authority):
    trusts = ssl.create_default_context(cafile=authority.file)
    with fetching(ok, context=authority.server("shop.example"), trusts=trusts) as (fetcher, server, dialled):
        assert fetcher.fetch("https://shop.example/").is_alive
    assert server.server_names == ["shop.example"]
    assert dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    ("name", "how", "trouble"),
    [
        ("other.example", {}, Trouble.TLS_NAME),
        ("shop.example", {"signed": False}, Trouble.TLS),
        ("shop.example", {"expired": True}, Trouble.TLS),
    ],
)
def test_a_certificate_that_is_not_the_hosts_is_told(authority, name, how, trouble):
    trusts = ssl.create_default_context(cafile=authority.file)
    with fetching(ok, context=authority.server(name, **how), trusts=trusts) as (fetcher, server, _):
        assert fetcher.fetch("https://shop.example/").trouble is trouble
    assert server.asked == []


def test_a_server_without_encryption_behind_https_is_told():
    with fetching(lambda *_: b"HTTP/1.1 400 no\r\n\r\n") as (fetcher, _, _):
        quick = Fetcher(fetcher.resolver, Limits(seconds=1.0), fetcher.context, fetcher.dial)
        assert quick.fetch("https://shop.example/").trouble in {Trouble.TLS, Trouble.ODD, Trouble.SLOW}


# ---- servers that misbehave


def test_a_server_that_dawdles_gains_nothing():
    with fetching(lambda _, wire: dripping(wire, 0.05, 100), limits=Limits(seconds=0.6)) as (fetcher, _, _):
        began = time.monotonic()
        answer = fetcher.fetch("http://shop.example/")
        assert answer.trouble is Trouble.SLOW
        assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 999 No\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\x00" * 2000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_what_is_no_web_server_is_told(reply):
    with fetching(lambda *_: reply) as (fetcher, _, _):
        assert fetcher.fetch("http://shop.example/").trouble is Trouble.ODD


@pytest.mark.timed
def test_a_header_full_of_blanks_takes_no_time():
    hostile = b"X: a" + b" " * 60_000 + b"b"
    begun = time.process_time()
    with fetching(lambda *_: b"HTTP/1.1 204 No Content\r\n" + hostile + b"\r\n\r\n") as (fetcher, _, _):
        assert fetcher.fetch("http://shop.example/").status == 204
    assert time.process_time() - begun < 3


def test_a_header_without_end_is_passed_over_and_the_others_are_read():
    with fetching(lambda *_: said("200 OK", "content-type:x" + "x" * 9000, "Content-Type: \ta/b\t ")) as (
        fetcher,
        _,
        _,
    ):
        assert fetcher.fetch("http://shop.example/").kind == "a/b"


def test_interim_answers_do_not_go_on_for_ever():
    with fetching(lambda *_: b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4000 + said("204 No Content")) as (
        fetcher,
        _,
        _,
    ):
        assert fetcher.fetch("http://shop.example/").trouble is Trouble.ODD


def test_interim_answers_are_passed_over():
    with fetching(lambda *_: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + said("204 No Content")) as (
        fetcher,
        _,
        _,
    ):
        assert fetcher.fetch("http://shop.example/").status == 204


def test_a_picture_is_read_no_further_than_is_asked_for():
    def endless(_, wire):
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 999999999\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(1000):
                wire.sendall(b"\x89PNG" + b"x" * 65536)
        return b""

    with fetching(endless) as (fetcher, server, _):
        answer = fetcher.fetch("http://shop.example/a.png", picture=True)
    assert answer.is_alive
    assert (answer.size, answer.kind, len(answer.begins)) == (999_999_999, "image/png", 64 * 1024)
    assert [head.split()[0] for head in server.asked] == ["GET"]


def test_a_picture_without_a_told_length_is_counted():
    with fetching(lambda *_: b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000) as (fetcher, _, _):
        assert fetcher.fetch("http://shop.example/a.png", picture=True).size == 5000


def test_nobody_at_home_and_no_such_host_are_told_apart():
    with fetching(ok, table={("shop.example", "A"): [OTHER]}) as (fetcher, _, dialled):
        assert fetcher.fetch("http://shop.example/").trouble is Trouble.SHUT
        assert fetcher.fetch("http://nobody.example/").trouble is Trouble.NO_HOST
    assert dialled == [(OTHER, 80)]


def test_the_second_address_of_a_host_is_tried_when_the_first_is_shut():
    table = {("shop.example", "A"): [OTHER], ("shop.example", "AAAA"): ["2606:4700::1"]}
    with fetching(ok, table=table) as (fetcher, _, dialled):
        assert fetcher.fetch("http://shop.example/").trouble is Trouble.SHUT
    assert dialled == [(OTHER, 80), ("2606:4700::1", 80)]


class Halting(NameServer):
    """Fails at every question about IPv6."""

    def _answer(self, data):
        question = dns.message.from_wire(data)
        if question.question[0].rdtype != dns.rdatatype.AAAA:
            return super()._answer(data)
        answer = dns.message.make_response(question)
        answer.set_rcode(dns.rcode.SERVFAIL)
        return answer.to_wire()


def test_a_name_server_that_fails_at_ipv6_is_believed_in_ipv4():
    table = {("shop.example", "A"): [PUBLIC]}
    with fetching(ok) as (fetcher, _, dialled), Halting(table) as halting:
        other = Fetcher(halting.resolver(), fetcher.limits, fetcher.context, fetcher.dial)
        assert other.fetch("http://shop.example/").is_alive
        assert other.fetch("http://silent.example/").trouble is Trouble.NO_NAMES
        assert dialled == [(PUBLIC, 80)]


def test_without_a_name_server_it_says_so():
    with NameServer({}) as gone:
        resolver = gone.resolver()
    resolver.lifetime = 0.3
    assert Fetcher(resolver).fetch("http://shop.example/").trouble is Trouble.NO_NAMES


def test_a_host_is_spoken_to_by_one_at_a_time():
    def slowly(*_):
        time.sleep(0.05)
        return ok()

    with fetching(slowly) as (fetcher, server, _):
        threads = [
            threading.Thread(target=fetcher.fetch, args=(f"http://shop.example/{at}",)) for at in range(5)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
    assert len(server.asked) == 5
    assert server.most_at_once == 1
    assert isinstance(fetcher.turns, Turns)
