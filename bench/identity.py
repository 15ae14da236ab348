"""What it costs to know who acts: first sight of a token, from memory, a proof of possession, a certificate, a key.

    python bench/identity.py [--rounds 3000]

One process, one thread, processor time. The issuer's keys come from a loopback server once and are then held. A proof
is made anew for each request, outside the timed calls. PyJWT decodes the same tokens in the same run; it checks
signature, times, issuer and audience, and neither `kid`, binding, scopes nor duplicate names, so the comparison
favours it. It is given its key, where Tocsin finds it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt as pyjwt
import numpy as np
from cryptography import x509
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from tocsin.config.settings import IdentitySettings, IssuerSettings
from tocsin.errors import InvalidCredential
from tocsin.store import open_api_keys
from tocsin.trust.identity import Credentials, IdentityVerifier
from tocsin.trust.issuing import issue
from tocsin.trust.keys import ApiKeys

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))

from certificates import SPIFFE_ID, Authority, der

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

URL = "https://api.example/accounts/7"
"""What every timed request asks for."""
KEYS: dict[str, Key] = {
    "RS256": RSAKey.generate_key(2048, parameters={"kid": "rsa"}),
    "ES256": ECKey.generate_key("P-256", parameters={"kid": "ec"}),
}


class Issuer:
    """Keys and live tokens, served on loopback."""

    def __init__(self) -> None:
        self.live: dict[str, dict[str, Any]] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer({"keys": [key.as_dict(private=False) for key in KEYS.values()]})

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self.answer(issuer.live.get(form["token"][0], {"active": False}))

            def answer(self, value: dict[str, Any]) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def claims(self, n: int, **more: object) -> dict[str, Any]:
        now = int(time.time())
        common = {"iss": self.url, "sub": f"user-{n}", "aud": "api", "iat": now, "exp": now + 3600}
        return common | {"jti": f"t-{n}", "sid": f"s-{n}", "scope": "read write", "client_id": "shop"} | more

    def token(self, algorithm: str, n: int, **more: object) -> str:
        key = KEYS[algorithm]
        header = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}
        return jws.serialize_compact(header, json.dumps(self.claims(n, **more)), key)

    def settings(self) -> IdentitySettings:
        one = IssuerSettings(
            issuer=self.url, audience=("api",), jwks_uri=self.url + "/jwks", introspection_url=self.url + "/introspect"
        )
        return IdentitySettings(issuers=(one,), trust_domains=(SPIFFE_ID.split("/")[2],), introspection_cache_s=3600)


def proof(key: ECKey, token: str, n: int) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    claims = {"jti": f"p-{n}", "htm": "GET", "htu": URL, "iat": int(time.time()), "ath": digest}
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jws.serialize_compact(header, json.dumps(claims), key)


def row(name: str, seconds: list[float]) -> None:
    us = np.array(seconds) * 1e6
    middle, high, highest = np.percentile(us, [50, 99, 99.9])
    print(f"{name:<58}{middle:>9.1f}{high:>9.1f}{highest:>9.1f}{len(us):>8,}")


async def each(shown: list[Credentials], verify: Callable[[Credentials, datetime], Awaitable[object]]) -> list[float]:
    """Processor time of each call; the thread's own, so that the loopback server's does not count."""
    seconds = []
    for credentials in shown:
        now = datetime.now(UTC)
        begun = time.thread_time()
        await verify(credentials, now)
        seconds.append(time.thread_time() - begun)
    return seconds


def recalled(verifier: IdentityVerifier, shown: list[Credentials], repeat: int = 10) -> list[float]:
    """Processor time of an answer from memory, each the mean of a few since one is too short to time."""
    seconds = []
    for credentials in shown:
        begun = time.thread_time()
        for _ in range(repeat):
            verifier.recall(credentials)
        seconds.append((time.thread_time() - begun) / repeat)
    return seconds


def bearer(token: str) -> Credentials:
    return Credentials(authorization=f"Bearer {token}")


async def tokens(verifier: IdentityVerifier, issuer: Issuer, rounds: int) -> None:
    await verifier.warm(datetime.now(UTC))
    for algorithm in KEYS:
        made = [issuer.token(algorithm, n) for n in range(rounds)]
        shown = [bearer(token) for token in made]
        row(f"{algorithm} access token, first sight", await each(shown, verifier.verify))
        row(f"{algorithm} access token, from memory", recalled(verifier, shown))
        row(f"  PyJWT: decode the same {algorithm} token", peer(algorithm, made, issuer.url))


def peer(algorithm: str, made: list[str], issuer: str) -> list[float]:
    key = KEYS[algorithm].public_key
    seconds = []
    for token in made:
        begun = time.thread_time()
        pyjwt.decode(token, key, algorithms=[algorithm], audience="api", issuer=issuer)
        seconds.append(time.thread_time() - begun)
    return seconds


async def proofs(verifier: IdentityVerifier, issuer: Issuer, rounds: int) -> None:
    holder = ECKey.generate_key("P-256")
    token = issuer.token("ES256", 0, cnf={"jkt": holder.thumbprint()})
    shown = [
        Credentials(authorization=f"DPoP {token}", dpop=(proof(holder, token, n),), url=URL) for n in range(rounds)
    ]
    row("DPoP proof (ES256), token known", await each(shown, verifier.verify))


async def others(verifier: IdentityVerifier, issuer: Issuer, rounds: int) -> None:
    authority = Authority()
    names = [x509.UniformResourceIdentifier(SPIFFE_ID)]
    leaves = [Credentials(certificate=der(authority.leaf(str(n), names)[1])) for n in range(min(rounds, 500))]
    row("client certificate (SPIFFE), first sight", await each(leaves, verifier.verify))
    row("client certificate (SPIFFE), from memory", recalled(verifier, leaves))
    opaque = [f"opaque-{n}" for n in range(min(rounds, 500))]
    issuer.live = {token: {"active": True, **issuer.claims(n)} for n, token in enumerate(opaque)}
    shown = [bearer(token) for token in opaque]
    row("introspection, asked (this side, without the wait)", await each(shown, verifier.verify))
    row("introspection, from memory", recalled(verifier, shown))
    unsigned = [bearer(issuer.token("ES256", n)[:-6] + "AAAAAA") for n in range(min(rounds, 500))]
    row("forged ES256 token, refused", await each(unsigned, refusing(verifier)))


def refusing(verifier: IdentityVerifier) -> Callable[[Credentials, datetime], Awaitable[object]]:
    async def refuse(credentials: Credentials, now: datetime) -> None:
        try:
            await verifier.verify(credentials, now)
        except InvalidCredential:
            return
        raise AssertionError("a forged token was let in")

    return refuse


def api_keys(rounds: int) -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder, open_api_keys(Path(folder), make=True, clock=lambda: now) as table:
        secret = issue(table, "pep", now=now).secret
        keys = ApiKeys(table)
        seconds = []
        for _ in range(rounds):
            begun = time.thread_time()
            for _ in range(10):
                keys.caller(secret, now)
            seconds.append((time.thread_time() - begun) / 10)
        keys.close()
    row("API key", seconds)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3000)
    rounds = parser.parse_args().rounds
    issuer = Issuer()
    verifier = IdentityVerifier(issuer.settings(), clock=lambda: datetime.now(UTC))
    print(f"{'processor time in microseconds':<58}{'median':>9}{'p99':>9}{'p99.9':>9}{'calls':>8}")
    await tokens(verifier, issuer, rounds)
    await proofs(verifier, issuer, rounds)
    await others(verifier, issuer, rounds)
    api_keys(rounds)
    await verifier.aclose()
    issuer.server.shutdown()
    issuer.server.server_close()


if __name__ == "__main__":
    asyncio.run(main())
