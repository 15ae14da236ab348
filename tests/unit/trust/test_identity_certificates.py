"""Client certificates: whom they speak for, what tokens bind to them, and when a proxy's word for one counts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from identity_parties import NOW

sys.path.insert(0, str(Path(__file__).parents[2] / "e2e"))

from certificates import Authority, der, pem, usage

from tocsin.config.settings import CertificateRule, IdentitySettings
from tocsin.errors import ConfigError, InvalidCredential
from tocsin.trust.certificates import identity_of_certificate, spiffe_entity
from tocsin.trust.forwarded import ProxyCertificates

AUTHORITY = Authority(now=NOW)
SETTINGS = IdentitySettings(
    trust_domains=("prod.example",),
    certificates=(
        CertificateRule(name="email", pattern="*@staff.example", type="user"),
        CertificateRule(name="dns", pattern="*.batch.example"),
        CertificateRule(name="common_name", pattern="legacy-*", type="key"),
    ),
)


def uri(text):
    return x509.UniformResourceIdentifier(text)


def made(names=(), common_name="x", **how):
    return der(AUTHORITY.leaf(common_name, names, **how)[1])


WORKLOAD = made([uri("spiffe://prod.example/ns/shop/sa/cart")])


def test_a_spiffe_id_names_a_workload():
    identity = identity_of_certificate(WORKLOAD, SETTINGS, NOW)
    assert (identity.subject, identity.method, identity.assurance) == (
        "workload:prod.example/ns/shop/sa/cart",
        "spiffe",
        3,
    )
    assert identity.credential == f"certificate:{hashlib.sha256(WORKLOAD).hexdigest()}"
    assert identity.issuer == "CN=Tests"
    assert identity.expires == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("certificate", "subject"),
    [
        (made([x509.RFC822Name("ada@staff.example")]), "user:ada@staff.example"),
        (made([x509.DNSName("nightly.batch.example")]), "workload:nightly.batch.example"),
        (made(common_name="legacy-7"), "key:legacy-7"),
        (made([x509.DNSName("other.example")], common_name="legacy-8"), "key:legacy-8"),
    ],
)
def test_other_names_are_mapped_by_the_first_rule_that_matches(certificate, subject):
    identity = identity_of_certificate(certificate, SETTINGS, NOW)
    assert (identity.subject, identity.method, identity.assurance) == (subject, "mtls", 3)


BAD_CERTIFICATES = {
    "nobody known": made([x509.DNSName("other.example")]),
    "a name that only ends alike": made([x509.DNSName("a.b.batch.example")]),
    "an address elsewhere": made([x509.RFC822Name("ada@sub.staff.example")]),
    "another trust domain": made([uri("spiffe://evil.example/ns/shop")]),
    "a trust domain that only begins alike": made([uri("spiffe://prod.example.evil/x")]),
    "a SPIFFE id in capitals": made([uri("SPIFFE://prod.example/x")]),
    "a SPIFFE id without a path": made([uri("spiffe://prod.example")]),
    "two SPIFFE ids": made([uri("spiffe://prod.example/a"), uri("spiffe://prod.example/b")]),
    "a SPIFFE id beside another URI": made([uri("spiffe://prod.example/a"), uri("https://x.example/")]),
    "a bad SPIFFE id beside a good e-mail address": made(
        [uri("spiffe://evil.example/a"), x509.RFC822Name("ada@staff.example")]
    ),
    "an authority": made(
        [uri("spiffe://prod.example/a")], extensions=[x509.BasicConstraints(ca=True, path_length=None)]
    ),
    "one that signs certificates": made([uri("spiffe://prod.example/a")], extensions=[usage("key_cert_sign")]),
    "a server's": made([uri("spiffe://prod.example/a")], client=False),
    "a mail signer's": made(
        [uri("spiffe://prod.example/a")], extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])]
    ),
    "cut short": WORKLOAD[:-1],
    "nothing": b"",
    "noise": b"\x30\x82\xff\xff" + bytes(100),
    "too large": b"\x30" * 20_000,
}


@pytest.mark.parametrize("certificate", BAD_CERTIFICATES.values(), ids=BAD_CERTIFICATES)
def test_a_certificate_that_names_nobody_is_refused(certificate):
    with pytest.raises(InvalidCredential):
        identity_of_certificate(certificate, SETTINGS, NOW)


@pytest.mark.parametrize("days", [-1, 2])
def test_a_certificate_counts_only_while_valid(days):
    with pytest.raises(InvalidCredential, match="expired, or is not valid yet"):
        identity_of_certificate(WORKLOAD, SETTINGS, NOW + timedelta(days=days))


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://prod.example/",
        "spiffe://prod.example//a",
        "spiffe://prod.example/a/",
        "spiffe://prod.example/a/../b",
        "spiffe://prod.example/.",
        "spiffe://prod.example/a?b",
        "spiffe://prod.example/a#b",
        "spiffe://prod.example/a%2Fb",
        "spiffe://prod.example:443/a",
        "spiffe://ada@prod.example/a",
        "spiffe://prod.example/a\n",
        "spiffe://prod.example/" + "a" * 2048,
        "https://prod.example/a",
    ],
)
def test_what_only_looks_like_a_spiffe_id_is_none(text):
    assert spiffe_entity(text, ["prod.example"]) is None


def test_a_certificate_alone_is_remembered_shortly(door, clock):
    async def scene():
        async with door(SETTINGS) as opened:
            identity = await opened.verify(certificate=WORKLOAD)
            assert opened.recall(certificate=WORKLOAD) == identity
            assert opened.recall(certificate=WORKLOAD + b"x") is None
            clock.advance(60)
            assert opened.recall(certificate=WORKLOAD) is None

    asyncio.run(scene())


def x5t(certificate):
    return base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()


def test_a_token_bound_to_a_certificate_counts_only_with_it(issuer, door):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = issuer.token(cnf={"x5t#S256": x5t(WORKLOAD)})
            identity = await opened.verify(token, certificate=WORKLOAD)
            assert (identity.subject, identity.method, identity.assurance) == ("user:ada", "mtls", 3)
            assert identity.credential == f"certificate:{hashlib.sha256(WORKLOAD).hexdigest()}"
            assert opened.recall(token, certificate=WORKLOAD) == identity
            for other in (None, made()):
                assert opened.recall(token, certificate=other) is None
                with pytest.raises(InvalidCredential, match="bound to"):
                    await opened.verify(token, certificate=other)

    asyncio.run(scene())


def test_a_token_may_be_bound_to_both(issuer, door, prover):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = issuer.token(cnf={"x5t#S256": x5t(WORKLOAD), "jkt": prover.jkt})
            shown = prover.shown(token)
            with pytest.raises(InvalidCredential, match="none came with it"):
                await opened.verify(**shown)
            assert (await opened.verify(**shown, certificate=WORKLOAD)).method == "dpop"

    asyncio.run(scene())


def test_a_certificate_adds_nothing_to_a_token_that_is_not_bound_to_it(issuer, door):
    async def scene():
        async with door(issuer.settings()) as opened:
            identity = await opened.verify(issuer.token(), certificate=WORKLOAD)
            assert (identity.subject, identity.assurance) == ("user:ada", 2)

    asyncio.run(scene())


PEM = pem(AUTHORITY.leaf("x", [uri("spiffe://prod.example/a")])[1])
DER = der(x509.load_pem_x509_certificate(PEM))
ESCAPED = quote(PEM, safe="")
BASE64 = base64.b64encode(DER).decode()
HASH = hashlib.sha256(DER).hexdigest()
OTHER = quote(pem(AUTHORITY.leaf("y")[1]), safe="")


def proxies(header="x-client-cert", networks=("192.0.2.0/24", "2001:db8::/32")):
    return ProxyCertificates(IdentitySettings(trusted_proxies=networks, certificate_header=header))


def passed_on(header, value, peer="192.0.2.7", *, authenticated=True):
    return proxies(header).certificate([(header.lower().encode(), value.encode())], peer, authenticated=authenticated)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-SSL-Client-Cert", ESCAPED),
        ("X-SSL-Client-Cert", BASE64),
        ("Client-Cert", f":{BASE64}:"),
        ("X-Forwarded-Client-Cert", f'Hash={HASH};Cert="{ESCAPED}"'),
        (
            "X-Forwarded-Client-Cert",
            f'By=spiffe://x/y;Hash={HASH};Cert="{ESCAPED}";Subject="CN=a,O=\\"b;c\\"";URI=spiffe://a',
        ),
        ("X-Forwarded-Client-Cert", f'Hash=00;Cert="{OTHER}",Hash={HASH};Cert="{ESCAPED}"'),
        ("X-Forwarded-Client-Cert", f"cert={ESCAPED}"),
    ],
    ids=["nginx", "haproxy", "rfc9440", "envoy", "envoy, all of it", "envoy, the nearest", "envoy, unquoted"],
)
def test_a_trusted_proxy_passes_a_certificate_on(header, value):
    assert passed_on(header, value) == DER


@pytest.mark.parametrize("peer", ["192.0.3.1", "127.0.0.1", "", "unix", "192.0.2.7:80", "2001:db9::1"])
def test_the_header_of_anybody_else_is_ignored(peer):
    assert passed_on("client-cert", f":{BASE64}:", peer) is None


@pytest.mark.parametrize("peer", ["192.0.2.255", "::ffff:192.0.2.7", "2001:db8::7"])
def test_an_address_alone_is_not_believed(peer):
    assert passed_on("client-cert", f":{BASE64}:", peer) == DER
    assert passed_on("client-cert", f":{BASE64}:", peer, authenticated=False) is None


def test_only_the_header_of_the_settings_counts():
    headers = [(b"x-forwarded-client-cert", f'Cert="{ESCAPED}"'.encode())]
    assert proxies("client-cert").certificate(headers, "192.0.2.7", authenticated=True) is None
    assert proxies("").certificate([(b"", b"x")], "192.0.2.7", authenticated=True) is None
    assert passed_on("client-cert", "") is None


BAD_HEADERS = {
    "noise": ("client-cert", "%%%"),
    "no end": ("client-cert", f":{BASE64}"),
    "two": ("client-cert", f":{BASE64}:, :{BASE64}:"),
    "two PEM": ("x-cert", ESCAPED + ESCAPED),
    "bad base64": ("client-cert", ":AAA:"),
    "a PEM key": ("x-cert", ESCAPED.replace("CERTIFICATE", "PRIVATE%20KEY")),
    "too large": ("client-cert", ":" + "AAAA" * 30_000 + ":"),
    "large": ("client-cert", ":" + "AAAA" * 10_000 + ":"),
    "names alone": ("x-forwarded-client-cert", f"Hash={HASH};URI=spiffe://prod.example/a"),
    "another hash": ("x-forwarded-client-cert", f'Hash={"0" * 64};Cert="{ESCAPED}"'),
    "two in one": ("x-forwarded-client-cert", f'Cert="{OTHER}";Cert="{ESCAPED}"'),
    "an open quote": ("x-forwarded-client-cert", f'Cert="{ESCAPED}'),
    "an open quote before the nearest": ("x-forwarded-client-cert", f'Cert="{OTHER}";By=",Cert="{ESCAPED}"'),
    "no pairs": ("x-forwarded-client-cert", "hello"),
    "too many elements": ("x-forwarded-client-cert", ",".join(["By=a"] * 50)),
}


@pytest.mark.parametrize(("header", "value"), BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_what_a_proxy_garbles_is_refused(header, value):
    with pytest.raises(InvalidCredential):
        passed_on(header, value)


def test_a_header_that_comes_twice_is_refused():
    headers = [(b"client-cert", f":{BASE64}:".encode())] * 2
    with pytest.raises(InvalidCredential, match="twice"):
        proxies("client-cert").certificate(headers, "192.0.2.7", authenticated=True)


def test_a_proxy_must_be_a_network():
    with pytest.raises(ConfigError, match="trusted_proxies"):
        proxies(networks=("proxy.example",))
