"""A private authority and what it signs, made anew for each run of the tests."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGIN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Authority:
    def __init__(self, folder: Path):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Postroom test authority")])
        self.file = folder / "authority.pem"
        certificate = self._certificate(self.name, self.key, x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *, signed: bool = True, expired: bool = False) -> ssl.SSLContext:
        """A server's context whose certificate is for this host name or address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        until = dt.datetime(2021, 1, 1, tzinfo=dt.UTC) if expired else dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
        certificate = self._certificate(
            subject, key, x509.SubjectAlternativeName([alternative]), until=until, signed=signed
        )
        path = self.folder / f"{name}-{signed}-{expired}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certificate(
        self, subject, key, extension, *, until=dt.datetime(2099, 1, 1, tzinfo=dt.UTC), signed=True
    ):
        authority = isinstance(extension, x509.BasicConstraints)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name if signed else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGIN)
            .not_valid_after(until)
            .add_extension(extension, critical=authority)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    (self.key if signed else key).public_key()
                ),
                critical=False,
            )
        )
        if authority:
            names = (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
            )
            off = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
            usage = x509.KeyUsage(**off, key_cert_sign=True, crl_sign=True)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key if signed else key, hashes.SHA256())
