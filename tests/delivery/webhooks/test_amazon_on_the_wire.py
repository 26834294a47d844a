"""What Amazon is asked for comes over verified TLS, from one host, and is small."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from campaigns.delivery.webhooks import sns
from campaigns.errors import BackendError
from tests.delivery.certificates import Authority
from tests.delivery.webhooks import signing


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/certificate")
            self.end_headers()
            return
        body = {"/large": b"x" * 200_000}.get(self.path, signing.certificate())
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_given):
        pass


asked = []


@pytest.fixture
def serve(tmp_path):
    opened = []
    authority = Authority(tmp_path)

    def start(**over):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.handle_error = lambda *_given: None
        server.socket = authority.server("127.0.0.1", **over).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        opened.append(server)
        return f"https://127.0.0.1:{server.server_port}", str(authority.file)

    asked.clear()
    yield start
    for server in opened:
        server.shutdown()
        server.server_close()


def test_a_certificate_comes_over_verified_tls(serve):
    base, cafile = serve()
    assert sns.fetch(f"{base}/certificate", cafile) == signing.certificate()


@pytest.mark.parametrize("over", [{"signed": False}, {"expired": True}])
def test_a_server_that_is_not_proven_is_not_asked(serve, over):
    base, cafile = serve(**over)
    with pytest.raises(BackendError, match="cannot be asked"):
        sns.fetch(f"{base}/certificate", cafile)
    assert asked == []


def test_an_authority_that_this_machine_does_not_trust_is_not_enough(serve):
    base, _cafile = serve()
    with pytest.raises(BackendError, match="cannot be asked"):
        sns.fetch(f"{base}/certificate")
    assert asked == []


@pytest.mark.parametrize(
    ("path", "why"), [("/elsewhere", "302"), ("/missing", "404"), ("/large", "more than")]
)
def test_no_redirect_is_followed_and_nothing_large_is_read(serve, path, why):
    base, cafile = serve()
    with pytest.raises(BackendError, match=why):
        sns.fetch(base + path, cafile)
    assert asked == [path]


def test_nobody_is_asked_through_a_proxy_of_the_environment(serve, monkeypatch):
    base, cafile = serve()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert sns.fetch(f"{base}/certificate", cafile)


def test_who_is_away_is_told_as_such():
    with pytest.raises(BackendError, match="cannot be asked"):
        sns.fetch("https://127.0.0.1:1/certificate")


def test_a_yes_goes_to_amazon_alone():
    said = []
    sns.confirm("https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription", said.append)
    with pytest.raises(BackendError, match="not at Amazon's"):
        sns.confirm("https://evil.example/?Action=ConfirmSubscription", said.append)
    assert len(said) == 1
