"""Real proxies with the configuration in `examples/`: what passes, what does not, and what cannot be made to."""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import random
import re
import time
import uuid
from urllib.parse import unquote

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey

pytestmark = [pytest.mark.heavy, pytest.mark.servers]

RESOLVES_FIRST = {"envoy"}
"""Bring a path into one spelling before they ask; what they ask about is what the API gets."""
PASSES_AS_SENT = {"caddy"}
"""Cannot put the judged path in place of the one sent, so they turn away what would have to be resolved."""

FORGED = [
    ("X-Original-Method", "GET"),
    ("X-Original-URI", "/public/x"),
    ("X-Original-URL", "http://a.example/public/x"),
    ("X-Forwarded-Method", "GET"),
    ("X-Forwarded-Uri", "/public/x"),
    ("X-Forwarded-Host", "a.example"),
    ("X-Tocsin-Key", "tsn_forged"),
    ("X-Tocsin-Path", "/public/x"),
    ("X-Tocsin-Subject", "user:ada"),
    ("X-Tocsin-Obligations", "forged"),
]


@pytest.fixture(autouse=True)
def _nothing_reached_yet(api):
    api.take()


def only(api):
    (reached,) = api.take()
    method, target, headers, body = reached
    return method, target, dict(headers), body


def refused(api, answer, *statuses):
    assert answer.status in statuses, (answer.status, answer.body)
    assert api.take() == []


def test_what_is_public_passes_for_anybody(proxy, api):
    assert proxy.ask("GET", "/public/x?a=1").status == 200
    method, target, headers, _ = only(api)
    assert (method, target) == ("GET", "/public/x?a=1")
    assert headers["x-tocsin-decision"].startswith("D-")
    assert not headers.get("x-tocsin-subject")


def test_without_a_credential_a_challenge_comes_back(proxy, api):
    answer = proxy.ask("GET", "/private/x")
    refused(api, answer, 401)
    assert answer.getheader("WWW-Authenticate").startswith("Bearer")


def test_a_subject_passes_and_the_api_knows_who(proxy, api, server):
    assert proxy.ask("GET", "/private/x", bearer=server.keys["ada"]).status == 200
    _, _, headers, _ = only(api)
    assert headers["x-tocsin-subject"] == "user:ada"
    assert float(headers["x-tocsin-reliance-seconds"]) > 0
    assert json.loads(headers["x-tocsin-obligations"]) == {}
    assert "x-tocsin-key" not in headers


@pytest.mark.parametrize(("key", "status"), [("bob", 403), ("pep", 401), ("wrong", 401)])
def test_another_does_not_pass(proxy, api, server, key, status):
    refused(api, proxy.ask("GET", "/private/x", bearer=server.keys.get(key, "tsn_wrong")), status)


def test_the_method_counts(proxy, api, server):
    for method in ("POST", "DELETE", "PUT"):
        refused(api, proxy.ask(method, "/public/x", bearer=server.keys["bob"], body=b""), 403)
    assert proxy.ask("HEAD", "/private/x", bearer=server.keys["ada"]).status == 200
    assert only(api)[0] == "HEAD"


def test_what_proxies_say_cannot_be_said_by_a_client(proxy, api, server):
    refused(api, proxy.ask("GET", "/private/x", FORGED), 400, 401, 403)
    refused(api, proxy.ask("POST", "/public/x", FORGED, bearer=server.keys["bob"]), 400, 403)


def test_what_tocsin_says_cannot_be_said_by_a_client(proxy, api):
    forged = [(name, value) for name, value in FORGED if name.startswith("X-Tocsin")]
    forged += [(name.replace("-", "_"), value) for name, value in forged]
    answer = proxy.ask("GET", "/public/x", forged)
    reached = api.take()
    assert answer.status in {200, 400}
    for _, _, headers, _ in reached:
        said = {name.replace("_", "-"): value for name, value in headers if "tocsin" in name}
        assert not said.get("x-tocsin-subject")
        assert said["x-tocsin-obligations"] == "{}"
        assert "x-tocsin-key" not in said


@pytest.mark.parametrize(
    "target",
    [
        "/public/../private/x",
        "/public/%2e%2e/private/x",
        "/public/.%2E/private/x",
        "/%70rivate/x",
        "//private/x",
        "/./private/x",
        "/public/..%2fprivate/x",
        "/public/..%5cprivate/x",
        "/public\\..\\private/x",
        "/public/..;/private/x",
        "/public/%252e%252e/private/x",
        "/private/x%00/public/x",
        "/private/x;/public/x",
        "/public//../private/x",
        "http://a.example/private/x",
        "/private/x#/public/x",
    ],
)
def test_no_spelling_of_a_path_gets_around_its_policy(proxy, api, target):
    answer = proxy.ask("GET", target)
    if answer.status == 200 and proxy.name in RESOLVES_FIRST:
        assert re.fullmatch(r"/public(/[a-z]+)+", only(api)[1])
    else:
        refused(api, answer, 400, 401, 403, 404)


PIECES = [
    "/", "/", "/", "//", ".", "..", "%2e", ".%2E", "%2f", "%5C", "\\", ";", "%3b", ";/..", "public", "private", "x",
    "%70rivate", "?", "%3f", "#", "%23", "%00", "%0a", "%25", "2e", "%252e", "%c0%ae", "%ef%bc%8f", "%", "é", "|", "~",
]  # fmt: skip


def readings(target):
    """The path as API servers of different makes would read it."""
    path = target.partition("?")[0]
    decoded = unquote(path)
    yield from (path, decoded, unquote(decoded), re.sub(r";[^/]*", "", decoded), decoded.replace("\\", "/"))


def test_whatever_reaches_the_api_is_public_however_it_is_read(proxy, api):
    luck, passed = random.Random(9), 0  # noqa: S311 - the same paths each time
    for _ in range(400):
        path = "/public/" if luck.random() < 0.7 else "/"
        path += "".join(luck.choices(PIECES, k=luck.randint(1, 5)))
        status = proxy.ask("GET", path).status
        reached = api.take()
        assert bool(reached) == (status == 200), path
        for _, target, _, _ in reached:
            passed += 1
            for read in readings(target):
                assert posixpath.normpath("/" + unquote(read).lstrip("/")).startswith("/public"), (path, target)
    assert passed > 20, "most were refused, so nothing was tried"


@pytest.mark.parametrize(
    ("target", "judged"),
    [
        ("/private/../public/x?q=%2e%2e", "/public/x?q=%2e%2e"),
        ("/public//x", "/public/x"),
        ("/pub%6cic/%7Eada", "/public/~ada"),
    ],
)
def test_the_api_gets_the_path_that_was_judged(proxy, api, target, judged):
    answer = proxy.ask("GET", target)
    if proxy.name not in PASSES_AS_SENT:
        assert answer.status == 200
        assert only(api)[1] == judged
    elif answer.status == 200:
        assert unquote(only(api)[1]) == unquote(judged)
    else:
        refused(api, answer, 400)


def test_an_encoded_path_arrives_as_it_was_sent(proxy, api):
    assert proxy.ask("GET", "/public/caf%C3%A9/a%20b%3Fc%25d").status == 200
    assert only(api)[1] == "/public/caf%C3%A9/a%20b%3Fc%25d"


def test_more_proof_is_asked_for(proxy, api, server):
    answer = proxy.ask("GET", "/private/vault", bearer=server.keys["ada"])
    refused(api, answer, 401)
    challenge = answer.getheader("WWW-Authenticate")
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'acr_values="phr"' in challenge
    assert 'max_age="300"' in challenge


def test_a_limit_passes_with_its_obligations(proxy, api, server):
    assert proxy.ask("GET", "/limited", bearer=server.keys["bob"]).status == 200
    assert json.loads(only(api)[2]["x-tocsin-obligations"]) == {"read_only": True, "rate_per_min": 1000}
    refused(api, proxy.ask("POST", "/limited", bearer=server.keys["bob"], body=b"x"), 403)


def test_the_address_is_the_one_the_proxy_saw(proxy, api):
    forged = [(name, "203.0.113.66") for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP")]
    assert proxy.ask("GET", "/here", forged).status == 200
    assert len(api.take()) == 1
    refused(api, proxy.ask("GET", "/elsewhere", forged), 401)


def test_a_body_counts_by_its_size_and_arrives_whole(proxy, api, server):
    assert proxy.ask("POST", "/upload", bearer=server.keys["ada"], body=b"x" * 90).status == 200
    assert only(api)[3] == b"x" * 90
    refused(api, proxy.ask("POST", "/upload", bearer=server.keys["ada"], body=b"x" * 101), 403)
    smaller = [("X-Original-Content-Length", "1")]
    refused(api, proxy.ask("POST", "/upload", smaller, bearer=server.keys["ada"], body=b"x" * 101), 403)


def test_two_credentials_do_not_pass(proxy, api, server):
    twice = [("Authorization", f"Bearer {server.keys[name]}") for name in ("bob", "ada")]
    refused(api, proxy.ask("GET", "/private/x", twice), 400, 401, 403)


LISTED = "close, " + ", ".join(["Authorization", "X-Forwarded-For", "X-Real-IP", *(name for name, _ in FORGED)])


def test_headers_called_connection_headers_are_not_taken_away(proxy, api, server):
    """What stands in `Connection` some proxies drop: obligations of a limit must not be among it."""
    answer = proxy.ask("GET", "/limited", [("Connection", LISTED)], bearer=server.keys["bob"])
    if answer.status == 200:
        assert json.loads(only(api)[2]["x-tocsin-obligations"])["read_only"] is True
    else:
        refused(api, answer, 400, 401)
    refused(api, proxy.ask("GET", "/private/x", [("Connection", LISTED), *FORGED]), 400, 401, 403)
    listed = [("Connection", LISTED), ("X-Real-IP", "203.0.113.66"), ("X-Forwarded-For", "203.0.113.66")]
    refused(api, proxy.ask("GET", "/elsewhere", listed), 400, 401)


def test_an_upgrade_is_asked_about_too(proxy, api, server):
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    upgrade.append(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
    refused(api, proxy.ask("GET", "/private/x", upgrade), 401)
    assert proxy.ask("GET", "/private/x", upgrade, bearer=server.keys["ada"]).status == 200
    assert only(api)[2]["upgrade"] == "websocket"


def test_a_client_that_waits_for_leave_to_send_gets_its_answer(proxy, api, server):
    waits = [("Expect", "100-continue")]
    refused(api, proxy.ask("POST", "/private/x", waits, body=b"x"), 401)
    assert proxy.ask("POST", "/private/x", waits, bearer=server.keys["ada"], body=b"x").status == 200
    assert only(api)[3] == b"x"


# --- DPoP: the proof is for the URL that the client sees


HOLDER = ECKey.generate_key("P-256")


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(server, issuer_key):
    now = int(time.time())
    claims = {"iss": server.issuer, "sub": "cyd", "aud": "api", "iat": now, "exp": now + 300}
    claims["cnf"] = {"jkt": HOLDER.thumbprint()}
    header = {"alg": "ES256", "kid": issuer_key.kid, "typ": "at+jwt"}
    return jwt.encode(header, claims, issuer_key)


def proof(method, url, shown):
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": HOLDER.as_dict(private=False)}
    ath = b64(hashlib.sha256(shown.encode()).digest())
    claims = {"htm": method, "htu": url, "iat": int(time.time()), "jti": uuid.uuid4().hex, "ath": ath}
    registry = jws.JWSRegistry(strict_check_header=False)
    return jws.serialize_compact(header, json.dumps(claims), HOLDER, registry=registry)


def test_a_proof_is_for_the_url_that_the_client_sees(proxy, api, server, issuer_key):
    shown = token(server, issuer_key)

    def ask(method, path, signed_method, signed_path):
        made = proof(signed_method, proxy.url + signed_path, shown)
        return proxy.ask(method, path, [("Authorization", f"DPoP {shown}"), ("DPoP", made)])

    assert ask("GET", "/proven/~x?page=2", "GET", "/proven/~x").status == 200
    assert only(api)[2]["x-tocsin-subject"] == "user:cyd"
    refused(api, ask("GET", "/proven/x", "GET", "/proven/y"), 401)
    refused(api, ask("GET", "/proven/x", "POST", "/proven/x"), 401)
    refused(api, proxy.ask("GET", "/proven/x", [("Authorization", f"Bearer {shown}")]), 401)
    refused(api, proxy.ask("GET", "/proven/x", [("Authorization", f"DPoP {shown}")]), 401)


# --- when there is nobody to ask


def test_a_wrong_key_lets_nothing_pass(lonely, api, server):
    with lonely(tocsin_port=server.port, key="tsn_wrong") as proxy:
        refused(api, proxy.ask("GET", "/public/x"), 401, 403, 500)


def test_without_tocsin_nothing_passes(lonely, api, server, unused_port):
    with lonely(tocsin_port=unused_port, key=server.keys["pep"]) as proxy:
        refused(api, proxy.ask("GET", "/public/x"), 403, 500, 502, 503)
