"""TLS of the server's own: without a client certificate, with one, and with one that nobody vouches for."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from certificates import Authority, write_all
from serving import Server

pytestmark = pytest.mark.heavy
SETTINGS = """
[serve]
tls_certificate = "server.pem"
tls_key = "server.key"
client_ca = "authority.pem"
header_s = 2.0

[identity]
trust_domains = ["prod.example"]

[[serve.callers]]
subject = "workload:prod.example/ns/shop/sa/cart"
role = "reader"
"""


def trusting(folder, name=None):
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    write_all(folder)
    with Server(folder, settings=SETTINGS) as server:
        yield server


def test_it_serves_over_tls_and_the_owner_without(served):
    assert served.address.startswith("https://127.0.0.1:")
    with served.client(verify=trusting(served.folder)) as client:
        assert client.get("/healthz").status_code == 200
    with served.owner() as owner:
        assert owner.get("/healthz").status_code == 200


def test_a_client_that_does_not_know_the_authority_is_not_fooled(served):
    with served.client() as client, pytest.raises(httpx.ConnectError):
        client.get("/healthz")


def test_old_tls_is_refused(served):
    context = trusting(served.folder)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with served.client(verify=context) as client, pytest.raises(httpx.ConnectError):
        client.get("/healthz")


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("workload", "/metrics", 200),
        ("workload", "/admin/v1/keys", 403),
        ("workload", "/forward-auth", 403),
        ("person", "/metrics", 401),
        (None, "/metrics", 401),
    ],
)
def test_a_certificate_says_who_calls_and_the_settings_say_as_what(served, name, path, status):
    with served.client(verify=trusting(served.folder, name)) as client:
        assert client.get(path).status_code == status


def test_a_certificate_lends_nothing_to_a_bad_key(served):
    with served.client("tsn_wrong", verify=trusting(served.folder, "workload")) as client:
        assert client.get("/metrics").status_code == 401


def test_one_of_another_authority_ends_the_handshake(served, tmp_path):
    write_all(tmp_path, Authority("Strangers"))
    context = trusting(served.folder)
    context.load_cert_chain(tmp_path / "workload.pem", tmp_path / "workload.key")
    with served.client(verify=context) as client, pytest.raises(httpx.TransportError):
        client.get("/healthz")


def test_a_handshake_that_never_ends_is_given_up(served):
    with socket.create_connection(served.place, timeout=10) as wire:
        wire.sendall(b"\x16\x03\x01")
        began = time.monotonic()
        assert wire.recv(100) == b""
        assert time.monotonic() - began < 8


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path):
    write_all(tmp_path)
    settings = '[serve]\ntls_certificate = "server.pem"\ntls_key = "server.key"\n'
    with Server(tmp_path, settings=settings) as server:
        before = shown(server)
        shutil.copy(tmp_path / "person.key", tmp_path / "server.key")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert shown(server) == before  # a key that does not fit changes nothing
        write_all(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert shown(server) != before
        assert [line["event"] for line in server.lines()][1:3] == ["reload-refused", "reloaded"]


def shown(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(server.place, timeout=5) as wire, context.wrap_socket(wire) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


def test_a_certificate_that_cannot_be_read_is_a_clear_error(tmp_path, tocsin_process):
    (tmp_path / "tocsin.toml").write_text('[serve]\ntls_certificate = "none.pem"\n', encoding="utf-8")
    told = tocsin_process("serve", "--home", "home", "--listen", "127.0.0.1:0")
    assert told.status == 2
    assert "tls_certificate" in told.err
