"""What doctor and /readyz say of a real broker, and who is believed to be one."""

import socket
import threading

import pytest

from campaigns.cluster.publisher import Publisher
from campaigns.doctor.broker import examine_broker
from campaigns.doctor.findings import Level
from campaigns.errors import ExecutorAway
from tests.delivery.certificates import Authority


def test_a_broker_that_lets_us_in_is_well(broker):
    assert [one.level for one in examine_broker(broker.url)] == [Level.OK]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("guest:guest@", "guest:secret-word@"), "403"),
        (("guest:guest@", "nobody:secret-word@"), "403"),
        (("//", "/elsewhere"), "530 NOT_ALLOWED - vhost elsewhere not found"),
    ],
)
def test_a_broker_that_refuses_us_says_why(broker, wrong, said):
    head, _, tail = broker.url.partition("://")
    (found,) = examine_broker(f"{head}://{tail.replace(*wrong)}")
    assert found.level is Level.BAD
    assert said in found.found
    assert "secret-word" not in found.found


@pytest.mark.parametrize(("name", "hears"), [("127.0.0.1", True), ("mq.example.com", False)])
def test_a_login_is_told_only_to_the_host_that_was_named(tmp_path, monkeypatch, name, hears):
    authority, heard = Authority(tmp_path), []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = authority.server(name)

    def answer():
        for _ in range(2):
            client, _ = server.accept()
            client.settimeout(60)
            try:
                with context.wrap_socket(client, server_side=True) as secured:
                    heard.append(secured.recv(8))
            except OSError:
                client.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        url = f"amqps://ada:secret-word@127.0.0.1:{server.getsockname()[1]}//"
        (found,) = examine_broker(url)
        publisher = Publisher(url)
        with pytest.raises(ExecutorAway):
            publisher.submit(1, 1, "google")
        publisher.close()
        thread.join()
    assert found.level is Level.BAD
    assert heard == ([b"AMQP\0\0\t\1"] * 2 if hears else [])
