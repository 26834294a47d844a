"""Mail servers of several domains on loopback: a name server that tells of them, and a peer at each address."""

import contextlib

from campaigns.delivery.direct.backend import DirectBackend, Share
from campaigns.delivery.direct.exchangers import Manners, Tls
from campaigns.delivery.mx import KNOWN
from campaigns.delivery.smtp.target import Limits, Timeouts
from tests.delivery.peers import PATIENT, Account, Peer, mail, send_by
from tests.name_server import NameServer
from tests.ports import free_port

#: Never missing, as everywhere: else nobody would believe that another is.
WORLD = {(name, "MX"): ["10 mx.world.example."] for name in KNOWN}


class Street:
    """Servers by number, at 127.0.0.NUMBER, and domains that name them in their MX records."""

    def __init__(self):
        self.port = free_port()
        self.peers: dict[int, Peer] = {}
        self.names = NameServer(dict(WORLD))
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self.names)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def server(self, number: int, script=None, **settings) -> Peer:
        """Open a server; its name is mx<number>.example."""
        self.host(number)
        peer = Peer(script, at=(f"127.0.0.{number}", self.port), **settings)
        self.peers[number] = self._stack.enter_context(peer)
        return peer

    def host(self, number: int) -> None:
        """Name an address, at which there may be nobody."""
        self.names.table[f"mx{number}.example", "A"] = [f"127.0.0.{number}"]

    def domain(self, name: str, *servers: tuple[int, int]) -> None:
        """Have a domain name its servers, each with its preference."""
        self.names.table[name, "MX"] = [f"{preference} mx{number}.example." for preference, number in servers]

    def backend(
        self,
        *,
        connections: int = 2,
        per_connection: int = 100,
        timeouts: Timeouts = PATIENT,
        tls: Tls = Tls.OFFERED,
        servers: int = 20,
        inner: bool = True,
        hello: str = "",
    ) -> DirectBackend:
        manners = Manners(self.port, hello, tls, inner, timeouts)
        share = Share(servers, Limits(connections, per_connection))
        return DirectBackend(manners, share, self.names.resolver())

    def send(self, batch, account: Account | None = None, **settings) -> Account:
        """Send a batch and check that nothing started is left without an answer."""
        return send_by(self.backend(**settings), batch, account)


def to(domain: str, *seqs: int):
    """Mails to people of a domain."""
    return [mail(seq, rcpt_to=f"u{seq}@{domain}") for seq in seqs]
