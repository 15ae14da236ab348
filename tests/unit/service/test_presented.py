from __future__ import annotations

import asyncio
import base64
import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config import IdentitySettings, Settings
from tocsin.errors import InvalidCredential
from tocsin.question import ANONYMOUS, Identity
from tocsin.service.original import Original
from tocsin.service.paths import AmbiguousRequest
from tocsin.service.presented import Presented, read_certificate
from tocsin.service.request import Request

DER = bytes(range(256)) * 3
PLAIN = base64.b64encode(DER).decode()
PEM = "-----BEGIN CERTIFICATE-----\n" + "\n".join(PLAIN[i : i + 64] for i in range(0, len(PLAIN), 64))
PEM += "\n-----END CERTIFICATE-----\n"
ORIGINAL = Original("GET", "/", "api.example", "https://api.example/")
CART = Identity(subject="workload:cart", assurance=3, method="mtls")


@pytest.mark.parametrize(
    "header",
    [
        f":{PLAIN}:",
        PLAIN,
        f"{PLAIN},{PLAIN}",
        quote(PEM),
        quote(PLAIN, safe=""),
        f'Cert="{quote(PEM, safe="")}"',
        f'By=spiffe://a/b;Hash=00;Cert="{quote(PEM, safe="")}";Subject="CN=a,Cert=b;Cert=\\"c\\"";URI=spiffe://a/c',
    ],
    ids=["rfc9440", "haproxy", "traefik", "nginx", "escaped", "envoy", "envoy-hostile-subject"],
)
def test_every_proxy_writes_the_same_certificate(header):
    assert read_certificate(header) == DER


@pytest.mark.parametrize(
    "header",
    [
        " ",
        "::",
        "not base64!",
        "Zm9v" * 30_000,
        'Subject="CN=a,Cert=Zm9v"',
        "Cert=Zm9v,Cert=Zm9v",
        'By=a;Cert="Zm9v',
        "Hash=00;;;Cert=Zm9v",
    ],
)
def test_what_is_no_certificate_is_refused(header):
    with pytest.raises(InvalidCredential):
        read_certificate(header)


@given(st.text(max_size=60) | st.text('By=Cert;",\\ab0%', max_size=60))
def test_whatever_is_sent_is_read_or_refused(header):
    with contextlib.suppress(InvalidCredential):
        assert read_certificate(header)


class Identities:
    def __init__(self):
        self.seen = []

    def recall(self, credentials):
        self.seen.append(credentials)
        return CART


def present(make_house, headers, socket="10.0.0.7", **settings):
    house = make_house(identity=Identities(), settings=Settings(identity=IdentitySettings(**settings)))
    request = Request("GET", "/forward-auth", headers=headers, socket=socket, certificate=b"the proxy's own")
    return asyncio.run(Presented(house).identity(request, ORIGINAL)), house.identity.seen


TRUSTED = {"certificate_header": "Client-Cert", "trusted_proxies": ("10.0.0.0/8", "fd00::/8")}
SENT = [(b"client-cert", f":{PLAIN}:".encode())]


def test_a_certificate_counts_from_a_proxy_that_is_named(make_house):
    identity, (shown,) = present(make_house, SENT, **TRUSTED)
    assert (identity, shown.certificate) == (CART, DER)


@pytest.mark.parametrize(
    ("headers", "socket", "changes"),
    [
        (SENT, "192.0.2.1", {}),
        (SENT, "", {}),
        (SENT, "10.0.0.7", {"trusted_proxies": ()}),
        (SENT, "10.0.0.7", {"certificate_header": ""}),
        (SENT, "10.0.0.7", {"certificate_header": "X-Other"}),
        ([(b"client-cert", b"")], "10.0.0.7", {}),
    ],
)
def test_a_certificate_from_anybody_else_is_only_a_header(make_house, headers, socket, changes):
    identity, seen = present(make_house, headers, socket, **TRUSTED | changes)
    assert (identity, seen) == (ANONYMOUS, [])


def test_two_certificates_are_one_too_many(make_house):
    with pytest.raises(AmbiguousRequest):
        present(make_house, SENT * 2, **TRUSTED)
