"""A small issuer on loopback whose every answer a test can choose, and tokens and proofs made with its keys."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tocsin.config.settings import IdentitySettings, IssuerSettings
from tocsin.trust.identity import Credentials, IdentityVerifier

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa-1"})


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64json(value):
    return b64(json.dumps(value).encode())


def signed(header, claims, key):
    """Sign whatever is asked for, sensible or not."""
    return jws.serialize_compact(
        header, json.dumps(claims), key, registry=jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    )


class Issuer:
    """Answers GET and POST from tables that tests change; counts what it is asked."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.key = ECKey.generate_key("P-256", parameters={"kid": "ec-1"})
        self.keys = [self.key, RSA]
        self.asked = []
        self.pages = {}
        self.down = False
        self.tokens = {}
        self.authorizations = []
        self.delay = threading.Event()
        self.delay.set()

    def answer(self, method, path, body, headers):
        self.asked.append(path)
        self.delay.wait(10)
        if self.down:
            return 503, {}, b"{}"
        if path in self.pages:
            return self.pages[path]
        if path == "/introspect" and method == "POST":
            self.authorizations.append(headers.get("authorization"))
            token = dict(pair.split("=") for pair in body.decode().split("&"))["token"]
            return 200, {}, json.dumps(self.tokens.get(token, {"active": False})).encode()
        found = self.documents().get(path)
        return (404, {}, b"{}") if found is None else (200, {}, json.dumps(found).encode())

    def documents(self):
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": self.url + "/jwks"},
            "/jwks": {"keys": [key.as_dict() for key in self.keys]},
        }

    def claims(self, **changes):
        made = {"iss": self.url, "sub": "ada", "aud": "api", "iat": AT - 10, "exp": AT + 600, "scope": "read write"}
        return {name: value for name, value in (made | changes).items() if value is not None}

    def token(self, key=None, header=None, **changes):
        key = key or self.key
        head = {"alg": "RS256" if key.key_type == "RSA" else "ES256", "kid": key.kid, "typ": "at+jwt"} | (header or {})
        return signed({n: v for n, v in head.items() if v is not None}, self.claims(**changes), key)

    def settings(self, identity=None, **issuer):
        one = {"issuer": self.url, "audience": ("api",), "jwks_uri": self.url + "/jwks"} | issuer
        return IdentitySettings(issuers=(IssuerSettings(**one),), **(identity or {}))


@contextmanager
def running(handler_of):
    """Serve on loopback while a test runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    served = handler_of(server)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, answer = served.answer(self.command, self.path, body, self.headers)
            self.send_response(status)
            for name, value in {"content-length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_):
            """Say nothing."""

    server.RequestHandlerClass = Handler
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


class Door:
    """A verifier, asked as the server asks it: from memory, then in full."""

    def __init__(self, settings, clock):
        self.verifier, self.clock = IdentityVerifier(settings, clock=clock, secret=b"test"), clock

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.verifier.aclose()

    async def verify(self, token=None, **shown):
        if token is not None:
            shown = {"authorization": f"Bearer {token}"} | shown
        return await self.verifier.verify(Credentials(**shown), self.clock())

    def recall(self, token=None, **shown):
        if token is not None:
            shown = {"authorization": f"Bearer {token}"} | shown
        return self.verifier.recall(Credentials(**shown))


class Prover:
    """A client that holds a DPoP key."""

    URL = "https://api.example/accounts/7"

    def __init__(self):
        self.key = ECKey.generate_key("P-256")
        self.jkt = self.key.thumbprint()
        self.made = 0

    def proof(self, token, header=None, key=None, **changes):
        self.made += 1
        head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self.key.as_dict(private=False)} | (header or {})
        claims = {
            "jti": f"proof-{self.made}",
            "htm": "GET",
            "htu": self.URL,
            "iat": AT,
            "ath": b64(hashlib.sha256(token.encode()).digest()),
        } | changes
        return signed(head, {n: v for n, v in claims.items() if v is not None}, key or self.key)

    def shown(self, token, proof=None, **changes):
        return {
            "authorization": f"DPoP {token}",
            "dpop": (proof or self.proof(token, **changes),),
            "method": "GET",
            "url": self.URL + "?page=2",
        }


def decoded(part):
    """Read one part of a compact token."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
