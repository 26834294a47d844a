"""A mail server that wants STARTTLS and a password, takes all mail, and counts it: PORT FOLDER."""

import asyncio
import ssl
import sys
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from campaigns.clock import utc_now

LOGIN = b64encode(b"\0me\0secret")
END = b"\r\n.\r\n"


def make_certificate(folder: Path) -> None:
    """Write a certificate of its own authority for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = utc_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*pem))


class Session(asyncio.Protocol):
    """One connection."""

    taken = 0

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.buffer = b""
        self.in_body = self.secure = self.known = False
        self.transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if not self.secure:
            transport.write(b"220 localhost ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        replies: list[bytes] = []
        while self._step(replies):
            pass
        if replies:
            self.transport.write(b"".join(replies))

    def _step(self, replies: list[bytes]) -> bool:
        """Take one command or one body out of what has come; say whether there was one."""
        if self.in_body:
            at = self.buffer.find(END)
            if at < 0:
                return False
            self.buffer = self.buffer[at + len(END) :]
            self.in_body = False
            Session.taken += 1
            replies.append(b"250 2.0.0 taken\r\n")
            return True
        line, end, rest = self.buffer.partition(b"\r\n")
        if not end:
            return False
        self.buffer = rest
        replies.append(self._answer(line))
        return line.upper() != b"STARTTLS"

    def _answer(self, line: bytes) -> bytes:
        word = line[:4].upper()
        if word in {b"EHLO", b"HELO"}:
            more = b"250-AUTH PLAIN\r\n" if self.secure else b"250-STARTTLS\r\n"
            return b"250-localhost\r\n" + more + b"250 PIPELINING\r\n"
        if line.upper() == b"STARTTLS":
            self.transport.write(b"220 go on\r\n")
            self._upgrading = asyncio.ensure_future(self._upgrade())
            return b""
        if word == b"AUTH":
            self.known = line.split()[-1] == LOGIN
            return b"235 2.7.0 welcome\r\n" if self.known else b"535 5.7.8 no\r\n"
        if not self.known:
            return b"530 5.7.0 who are you\r\n"
        if word == b"DATA":
            self.in_body = True
            return b"354 go on\r\n"
        return b"221 bye\r\n" if word == b"QUIT" else b"250 2.1.0 fine\r\n"

    async def _upgrade(self) -> None:
        loop = asyncio.get_running_loop()
        self.secure, self.buffer = True, b""
        self.transport = await loop.start_tls(self.transport, self, self.context, server_side=True)


async def serve(port: int, folder: Path) -> None:
    make_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "authority.pem", folder / "key.pem")
    make: Callable[[], Session] = lambda: Session(context)  # noqa: E731 - typed for the loop
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", port)
    async with server:
        told = -1
        while True:
            await asyncio.sleep(0.1)
            if told != Session.taken:
                told = Session.taken
                print(f"mesg={told}", flush=True)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
