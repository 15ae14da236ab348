"""An authority and the certificates that the tests of mutual TLS need: `python tests/e2e/certificates.py FOLDER`.

Writes `authority.pem`, and for each of `server` (localhost, 127.0.0.1), `workload` (a SPIFFE id) and `person`
(an e-mail address) a `….pem` and a `….key`. Made anew each time, good for a day, and for nothing but tests.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SPIFFE_ID = "spiffe://prod.example/ns/shop/sa/cart"
NAMES = {
    "server": [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
    "workload": [x509.UniformResourceIdentifier(SPIFFE_ID)],
    "person": [x509.RFC822Name("ada@staff.example")],
}
_USAGE = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def usage(*granted):
    return x509.KeyUsage(**{name: name in granted for name in _USAGE})


class Authority:
    """Signs certificates with a key of its own."""

    def __init__(self, name="Tests", now=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.now = now or dt.datetime.now(dt.UTC)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._signed(self.name, self.key, [constraints, usage("key_cert_sign", "crl_sign")])

    def leaf(self, common_name, names=(), *, client=True, extensions=None, days=1):
        """Make a key and a certificate; `extensions` stand in for the usual ones."""
        key = ec.generate_private_key(ec.SECP256R1())
        if extensions is None:
            purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
            extensions = [
                x509.BasicConstraints(ca=False, path_length=None),
                usage("digital_signature"),
                x509.ExtendedKeyUsage([purpose]),
            ]
        if names:
            extensions = [*extensions, x509.SubjectAlternativeName(names)]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        return key, self._signed(subject, key, extensions, days=days)

    def _signed(self, subject, key, extensions, days=1):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - dt.timedelta(minutes=5))
            .not_valid_after(self.now + dt.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension in extensions:
            critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256())


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_all(folder, authority=None):
    """Write the authority's certificate and those of `NAMES`, with their keys."""
    authority = authority or Authority()
    (folder / "authority.pem").write_bytes(pem(authority.certificate))
    for name, alternatives in NAMES.items():
        key, certificate = authority.leaf(name, alternatives, client=name != "server")
        (folder / f"{name}.pem").write_bytes(pem(certificate))
        secret = folder / f"{name}.key"
        secret.touch(0o600)
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_all(target)
