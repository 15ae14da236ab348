"""Whom a client certificate speaks for: a SPIFFE id, or a name that the settings map to a subject.

The certificate's chain was verified by whoever ended TLS (this server, or a trusted proxy). What is checked here is
what that check leaves open: that it is valid now, a leaf, meant for clients, and whom it names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tocsin.question import Identity
from tocsin.trust.challenges import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.config.settings import CertificateRule, IdentitySettings

__all__ = ["MAX_CERTIFICATE_BYTES", "certificate_thumbprint", "identity_of_certificate", "spiffe_entity"]

MAX_CERTIFICATE_BYTES: Final = 16 << 10
MAX_SPIFFE_BYTES: Final = 2048

_SPIFFE: Final = re.compile(r"spiffe://(?P<domain>[a-z0-9._-]{1,255})(?P<path>(?:/[A-Za-z0-9._-]+)+)")
_MAX_NAME_CHARS: Final = 512


def certificate_thumbprint(der: bytes) -> str:
    """Write a certificate's SHA-256 as tokens name it (`x5t#S256`, RFC 8705)."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")


def identity_of_certificate(der: bytes, settings: IdentitySettings, now: datetime) -> Identity:
    """Say who a client certificate speaks for; raises InvalidCredential when nobody, or not now."""
    certificate = _load(der)
    leeway = timedelta(seconds=settings.leeway_s)
    if not certificate.not_valid_before_utc - leeway <= now < certificate.not_valid_after_utc + leeway:
        raise refusal("the client certificate has expired, or is not valid yet")
    _check_leaf(certificate)
    names = _names(certificate)
    subject = _workload(names, settings)
    spiffe = subject is not None
    subject = subject or _by_rule(names, settings.certificates)
    if subject is None:
        raise refusal(
            "the client certificate names nobody known here",
            hint="set `identity.trust_domains`, or a rule under `[[identity.certificates]]`",
        )
    digest = hashlib.sha256(der).hexdigest()
    return Identity(
        subject=subject,
        assurance=3,
        method="spiffe" if spiffe else "mtls",
        credential=f"certificate:{digest}",
        session=f"certificate-{digest[:32]}",
        issuer=certificate.issuer.rfc4514_string()[:_MAX_NAME_CHARS],
        proven_at=now,
        expires=certificate.not_valid_after_utc,
    )


def spiffe_entity(uri: str, trust_domains: Sequence[str]) -> str | None:
    """Name the workload of a SPIFFE id in one of these trust domains; None for anything else.

    >>> spiffe_entity("spiffe://prod.example/ns/shop/sa/cart", ["prod.example"])
    'workload:prod.example/ns/shop/sa/cart'
    """
    matched = _SPIFFE.fullmatch(uri)
    if matched is None or len(uri) > MAX_SPIFFE_BYTES or matched["domain"] not in trust_domains:
        return None
    if any(step in {".", ".."} for step in matched["path"].split("/")):
        return None
    return f"workload:{matched['domain']}{matched['path']}"


def _load(der: bytes) -> x509.Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise refusal(f"the client certificate is larger than {MAX_CERTIFICATE_BYTES} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Parts are decoded when they are first asked for: ask for all that is looked at, so that each fails here.
        _ = [extension.value for extension in certificate.extensions], certificate.issuer.rfc4514_string()
        _ = _names(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except Exception as error:  # the library has kinds of errors for bad DER that share no base, and may get more
        raise refusal("the client certificate cannot be read") from error
    return certificate


def _check_leaf(certificate: x509.Certificate) -> None:
    """Refuse certificates of authorities (SPIFFE X509-SVID, section 4) and those not meant for clients."""
    extensions = certificate.extensions
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise refusal("the client certificate is an authority's")
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign):
            raise refusal("the client certificate may sign certificates")
        if isinstance(value, x509.ExtendedKeyUsage) and not {
            ExtendedKeyUsageOID.CLIENT_AUTH,
            ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        } & set(value):
            raise refusal("the certificate is not meant for clients")


def _names(certificate: x509.Certificate) -> dict[str, list[str]]:
    """List the names in a certificate, by kind."""
    names: dict[str, list[str]] = {"uri": [], "dns": [], "email": []}
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names["uri"] = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
            names["dns"] = extension.value.get_values_for_type(x509.DNSName)
            names["email"] = extension.value.get_values_for_type(x509.RFC822Name)
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names["common_name"] = [str(attribute.value) for attribute in common]
    return names


def _workload(names: dict[str, list[str]], settings: IdentitySettings) -> str | None:
    """Read the SPIFFE id; a certificate that has one must have no other URI."""
    uris = [uri for uri in names["uri"] if uri.lower().startswith("spiffe:")]
    if not uris:
        return None
    if len(names["uri"]) != 1:
        raise refusal("the client certificate has a SPIFFE id beside another URI")
    subject = spiffe_entity(uris[0], settings.trust_domains)
    if subject is None:
        raise refusal(
            "the client certificate's SPIFFE id is malformed, or of a trust domain that is not believed here",
            hint="set `identity.trust_domains`",
        )
    return subject


def _by_rule(names: dict[str, list[str]], rules: Sequence[CertificateRule]) -> str | None:
    """Take the first rule that matches; names of other kinds are not looked at."""
    for rule in rules:
        for name in names[rule.name]:
            if len(name) <= _MAX_NAME_CHARS and name.isprintable() and _matches(name, rule.pattern):
                return f"{rule.type}:{name}"
    return None


def _matches(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern in which `*` stands for anything but `.`, `/` and `@`."""
    written = "[^./@]+".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(written, name) is not None
