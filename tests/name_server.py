"""A name server on loopback for tests: real questions, answers from a table."""

import contextlib
import socket
import threading

import dns.message
import dns.resolver
import dns.rrset


def text_record(text: str) -> str:
    """A TXT record's text as a table here has it; a backslash begins a code, as in a zone file."""
    pieces = (text[at : at + 255].replace('"', '\\"') for at in range(0, len(text), 255))
    return " ".join(f'"{piece}"' for piece in pieces)


class NameServer:
    """Answers by UDP what its table says; names that it lacks do not exist."""

    def __init__(self, table: dict[tuple[str, str], list[str]]):
        self.table = table
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def resolver(self) -> dns.resolver.Resolver:
        """One that asks nobody else."""
        made = dns.resolver.Resolver(configure=False)
        made.nameservers = ["127.0.0.1"]
        made.port = self._socket.getsockname()[1]
        made.lifetime = 60.0  # it answers at once, unless the machine stands still
        return made

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                data, asker = self._socket.recvfrom(4096)
                if not data:
                    return
                self._socket.sendto(self._answer(data), asker)

    def _answer(self, data: bytes) -> bytes:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        (asked,) = question.question
        name, kind = asked.name.to_text().rstrip("."), dns.rdatatype.to_text(asked.rdtype)
        found = self.table.get((name, kind))
        if found:
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *found))
        elif not any(name == known for known, _ in self.table):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()
