from __future__ import annotations

import asyncio
import base64

import pytest

from tocsin.config import IdentitySettings, Settings
from tocsin.errors import InvalidCredential
from tocsin.question import ANONYMOUS, Caller, Identity
from tocsin.service.original import Original
from tocsin.service.presented import Presented
from tocsin.service.request import Request

DER = bytes(range(256))
PLAIN = base64.b64encode(DER).decode()
ORIGINAL = Original("GET", "/", "api.example", "https://api.example/")
CART = Identity(subject="workload:cart", assurance=3, method="mtls")


class Identities:
    def __init__(self):
        self.seen = []

    def recall(self, credentials):
        self.seen.append(credentials)
        return CART


def present(make_house, headers, socket="10.0.0.7", **settings):
    house = make_house(identity=Identities(), settings=Settings(identity=IdentitySettings(**settings)))
    caller = Caller(id="pep-1", role="pep")
    request = Request(
        "GET", "/forward-auth", headers=headers, socket=socket, certificate=b"the proxy's own", caller=caller
    )
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


@pytest.mark.parametrize("written", ["BEARER {}", "Bearer  {}", "bEaReR   {}", "DPoP {}", "dpop  {}"])
def test_a_key_is_never_shown_to_an_issuer_however_it_is_written(make_house, written):
    house = make_house(identity=Identities(), settings=Settings())
    headers = [(b"authorization", written.format("tsn_unknown").encode())]
    with pytest.raises(InvalidCredential, match="not a key that acts for a subject"):
        asyncio.run(Presented(house).identity(Request("GET", "/forward-auth", headers=headers), ORIGINAL))
    assert house.identity.seen == []
