"""A real OpenID provider from npm, real TLS, and real proxies that pass a client's certificate on."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

sys.path.insert(0, str(Path(__file__).parent))

from certificates import write_all

from tocsin.config.settings import IdentitySettings, IssuerSettings
from tocsin.errors import InvalidCredential, IssuerUnavailable
from tocsin.trust.forwarded import ProxyCertificates
from tocsin.trust.identity import Credentials, IdentityVerifier

pytestmark = [pytest.mark.heavy, pytest.mark.servers]

HERE = Path(__file__).parent
API, OPAQUE = "https://api.example", "https://opaque.example"
SECRET = "not a secret: 100%"  # noqa: S105 - says so itself
URL = API + "/accounts"
START_S = 30


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def process(command, ready, **options):
    """Run a server until the block ends; it is up when `ready` says so."""
    started = subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, **options)  # noqa: S603 - servers under test
    try:
        ready(started)
        yield started
    finally:
        started.terminate()
        started.communicate(timeout=20)


def absent(reason):
    """Skip where a server cannot be had; in CI, which has to install it, that is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def npm_folder(tmp_path_factory):
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        absent("node and npm are not installed")
    folder = tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", "oidc-provider@9"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)  # noqa: S603 - the tests' own
    if done.returncode:
        absent("npm could not install `oidc-provider`")
    return folder


class Provider:
    """The provider from npm, and what a client of it does."""

    def __init__(self, folder, port):
        self.folder, self.port, self.issuer = folder, port, f"http://127.0.0.1:{port}"

    def running(self):
        script = str(HERE / "oidc_provider.mjs")
        command = [shutil.which("node"), script, str(self.port)]
        return process(command, self._ready, cwd=self.folder, env={"PATH": "/usr/bin:/bin"})

    def _ready(self, started):
        said = ""
        for line in started.stdout:
            said += line
            if line.strip() == "ready":
                return
        raise AssertionError(f"the provider did not start:\n{said}")

    def client(self, **options):
        return httpx.Client(base_url=self.issuer, trust_env=False, timeout=20, **options)

    def token(self, resource=API, client="nightly", headers=None):
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "read"}
        return self.post("/token", form, client, headers)["access_token"]

    def post(self, path, form, client="nightly", headers=None):
        with self.client() as http:
            answer = http.post(path, data=form, auth=(quote(client), quote(SECRET)), headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else {}

    def signed_in(self, subject, resource=API):
        """Go through the authorization code flow, with its two forms, as a browser does."""
        asked = {
            "client_id": "shop",
            "redirect_uri": "http://127.0.0.1/callback",
            "response_type": "code",
            "scope": "openid read",
            "resource": resource,
        }
        with self.client() as http:
            answer = http.get("/auth", params=asked)
            for form in ({"prompt": "login", "login": subject, "password": "x"}, {"prompt": "consent"}):
                page = self._followed(http, answer)
                answer = http.post(re.search(r'action="([^"]+)"', page.text)[1], data=form)
            code = parse_qs(urlsplit(self._followed(http, answer).headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"]}
        return self.post("/token", form, "shop")["access_token"]

    def _followed(self, http, answer):
        """Follow redirects within the provider."""
        while answer.is_redirect and answer.headers["location"].startswith((self.issuer, "/")):
            answer = http.get(answer.headers["location"])
        return answer

    def settings(self, tmp_path, identity=None, **changes):
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        one = {
            "issuer": self.issuer,
            "audience": (API, OPAQUE),
            "introspection_url": self.issuer + "/token/introspection",
            "introspection_client": "pep",
            "introspection_secret_file": str(secret),
        }
        return IdentitySettings(issuers=(IssuerSettings(**one | changes),), **(identity or {}))


@pytest.fixture(scope="module")
def provider(npm_folder):
    made = Provider(npm_folder, free_port())
    with made.running():
        yield made


class Door:
    """A verifier whose clock can be put forward."""

    def __init__(self, settings):
        self.ahead_s = 0.0
        self.verifier = IdentityVerifier(settings, clock=self.now)

    def now(self):
        return datetime.fromtimestamp(time.time() + self.ahead_s, UTC)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.verifier.aclose()

    async def verify(self, token=None, **shown):
        if token is not None:
            shown = {"authorization": f"Bearer {token}"} | shown
        return await self.verifier.verify(Credentials(**shown), self.now())

    def recall(self, token):
        return self.verifier.recall(Credentials(authorization=f"Bearer {token}"))


def test_who_signed_in_is_recognised_by_discovery(provider, tmp_path):
    async def scene():
        async with Door(provider.settings(tmp_path)) as door:
            token = provider.signed_in("ada")
            identity = await door.verify(token, audience=API, scopes=("read",))
            assert (identity.subject, identity.method, identity.assurance) == ("user:ada", "oidc", 2)
            assert (identity.issuer, identity.audience) == (provider.issuer, (API,))
            with pytest.raises(InvalidCredential, match="audience"):
                await door.verify(token, audience=OPAQUE)

    asyncio.run(scene())


def test_a_machine_is_a_workload(provider, tmp_path):
    async def scene():
        async with Door(provider.settings(tmp_path)) as door:
            assert (await door.verify(provider.token())).subject == "workload:nightly"

    asyncio.run(scene())


def test_an_opaque_token_is_asked_about_until_it_is_revoked(provider, tmp_path):
    async def scene():
        async with Door(provider.settings(tmp_path)) as door:
            token = provider.signed_in("ada", OPAQUE)
            assert "." not in token
            identity = await door.verify(token)
            assert (identity.subject, identity.method, identity.audience) == ("user:ada", "opaque", (OPAQUE,))
            machine = await door.verify(provider.token(OPAQUE))
            assert machine.subject == "workload:nightly"
            provider.post("/token/revocation", {"token": token}, "shop")
            door.ahead_s = 31
            assert door.recall(token) is None
            with pytest.raises(InvalidCredential, match="not live"):
                await door.verify(token)

    asyncio.run(scene())


class Prover:
    """A client that holds a DPoP key."""

    def __init__(self):
        self.key, self.made = ECKey.generate_key("P-256"), 0

    def proof(self, method, url, token=None):
        self.made += 1
        claims = {"jti": f"{time.time()}-{self.made}", "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        return jws.serialize_compact(header, msgspec.json.encode(claims), self.key)

    def shown(self, token):
        return {"authorization": f"DPoP {token}", "dpop": (self.proof("GET", URL, token),), "method": "GET", "url": URL}


@pytest.mark.parametrize("resource", [API, OPAQUE])
def test_a_token_bound_to_a_key_needs_a_proof_each_time(provider, tmp_path, resource):
    async def scene():
        prover = Prover()
        token = provider.token(resource, headers={"DPoP": prover.proof("POST", provider.issuer + "/token")})
        async with Door(provider.settings(tmp_path, dpop="require")) as door:
            shown = prover.shown(token)
            identity = await door.verify(**shown)
            assert (identity.method, identity.assurance) == ("dpop", 3)
            assert identity.credential == f"key:{prover.key.thumbprint()}"
            for bad in (shown, Prover().shown(token), {"authorization": f"Bearer {token}"}, shown | {"dpop": ()}):
                with pytest.raises(InvalidCredential):
                    await door.verify(**bad)
            assert await door.verify(**prover.shown(token)) == identity

    asyncio.run(scene())


def test_new_keys_are_found_and_an_outage_is_outlasted(npm_folder, tmp_path):
    async def scene():
        provider = Provider(npm_folder, free_port())
        async with Door(provider.settings(tmp_path)) as door:
            with provider.running():
                old = provider.token()
                await door.verify(old)
            door.ahead_s = 20
            assert (await door.verify(old, scopes=("read",))).subject == "workload:nightly"
            async with Door(provider.settings(tmp_path)) as stranger:
                with pytest.raises(IssuerUnavailable):
                    await stranger.verify(old)
            with provider.running():
                assert (await door.verify(provider.token())).subject == "workload:nightly"
                assert door.recall(old) is None
                with pytest.raises(InvalidCredential, match="does not publish"):
                    await door.verify(old)

    asyncio.run(scene())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    write_all(folder)
    return folder


def trusting(folder, name):
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def shaken_hands(folder, name):
    """Do a TLS handshake as `name` with a server that asks for certificates; return what the server saw."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    seen = []

    def serve(listening):
        with context.wrap_socket(listening.accept()[0], server_side=True) as connection:
            seen.append(connection.getpeercert(binary_form=True))
            connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        with (
            socket.create_connection(listening.getsockname()) as plain,
            trusting(folder, name).wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.send(b"x")
        thread.join(10)
    return seen[0]


def test_a_token_bound_to_a_certificate_counts_with_its_handshake_only(provider, certificates, tmp_path):
    async def scene():
        pem = (certificates / "workload.pem").read_text()
        token = provider.token(client="sealed", headers={"X-Client-Cert": quote(pem, safe="")})
        async with Door(provider.settings(tmp_path, {"trust_domains": ("prod.example",)})) as door:
            own, other = shaken_hands(certificates, "workload"), shaken_hands(certificates, "person")
            identity = await door.verify(token, certificate=own)
            assert (identity.subject, identity.method, identity.assurance) == ("workload:sealed", "mtls", 3)
            for bad in (other, None):
                with pytest.raises(InvalidCredential, match="bound to"):
                    await door.verify(token, certificate=bad)
            assert (await door.verify(certificate=own)).subject == "workload:prod.example/ns/shop/sa/cart"

    asyncio.run(scene())


@contextmanager
def remembering():
    """Serve on loopback, and remember the headers of every request."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append([(n.lower().encode(), v.encode()) for n, v in self.headers.items()])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def nginx(folder, port, behind):
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/authority.pem; ssl_verify_client on;
    location / {{
      proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
      proxy_pass http://127.0.0.1:{behind};
    }}
  }}
}}
""")
    return [shutil.which("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy(folder, port, behind):
    both = (folder / "server.pem").read_text() + (folder / "server.key").read_text()
    (folder / "both.pem").write_text(both)
    (folder / "haproxy.cfg").write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend tls
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem ca-file {folder}/authority.pem verify required
  http-request set-header X-Client-Cert %[ssl_c_der,base64]
  default_backend api
backend api
  server api 127.0.0.1:{behind}
""")
    return [shutil.which("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


def envoy(folder, port, behind):
    def address(number):
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    def file(name):
        return {"filename": str(folder / name)}

    connections = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    manager = {
        "@type": f"type.googleapis.com/{connections}",
        "stat_prefix": "x",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"cert": True, "subject": True, "uri": True, "dns": True},
        "route_config": {"virtual_hosts": [{"name": "x", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "api"}}]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    }  # fmt: skip
    tls = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "tls_certificates": [{"certificate_chain": file("server.pem"), "private_key": file("server.key")}],
            "validation_context": {"trusted_ca": file("authority.pem")},
        },
    }
    listener = {"address": address(port), "filter_chains": [{
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }]}  # fmt: skip
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(behind)}}]}]
    cluster = {"name": "api", "type": "STATIC", "load_assignment": {"cluster_name": "api", "endpoints": endpoints}}
    config = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    (folder / "envoy.json").write_bytes(msgspec.json.encode(config))
    found = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    return [found, "--config-path", str(folder / "envoy.json"), "--use-dynamic-base-id", "--concurrency", "1"]


def listening(port):
    def ready(started):
        until = time.monotonic() + START_S
        while time.monotonic() < until and started.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the proxy did not start:\n{started.stdout.read()}")

    return ready


@pytest.mark.parametrize(
    ("made", "header"), [(nginx, "x-client-cert"), (haproxy, "x-client-cert"), (envoy, "x-forwarded-client-cert")]
)
def test_a_proxy_passes_on_whom_it_shook_hands_with(certificates, made, header):
    forged = quote((certificates / "person.pem").read_text(), safe="")
    lies = {"X-Client-Cert": forged, "X-Forwarded-Client-Cert": f'Cert="{forged}"', "Client-Cert": ":AAAA:"}
    port = free_port()
    with remembering() as (behind, requests):
        command = made(certificates, port, behind)
        if command[0] is None:
            absent(f"{made.__name__}: the proxy is not installed")
        with (
            process(command, listening(port), cwd=certificates),
            httpx.Client(verify=trusting(certificates, "workload"), trust_env=False) as http,
        ):
            answer = http.get(f"https://localhost:{port}/", headers=lies)
            assert answer.status_code == 204
    settings = IdentitySettings(
        trusted_proxies=("127.0.0.1",), certificate_header=header, trust_domains=("prod.example",)
    )
    der = ProxyCertificates(settings).certificate(requests[0], "127.0.0.1", authenticated=True)

    async def scene():
        async with Door(settings) as door:
            assert (await door.verify(certificate=der)).subject == "workload:prod.example/ns/shop/sa/cart"

    asyncio.run(scene())
