"""Client certificates that a real proxy verified: they count from the proxy, and from nobody who only knows them."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.servers]

SCRIPT = Path(__file__).parents[1] / "certificates.py"

ENVOY = """\
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                tls_certificates:
                  - { certificate_chain: { filename: server.pem }, private_key: { filename: server.key } }
                validation_context: { trusted_ca: { filename: authority.pem } }
          filters:
"""
NGINX = """\
listen 127.0.0.1:8080 ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        ssl_client_certificate authority.pem;
        ssl_verify_client optional;
"""
CADDY = """\
bind 127.0.0.1
	tls server.pem server.key {
		client_auth {
			mode verify_if_given
			trusted_ca_cert_file authority.pem
		}
	}
"""
CHANGES = {
    "nginx": [("listen 127.0.0.1:8080;\n", NGINX)],
    "caddy": [
        ("http://:", "https://localhost:"),
        ("bind 127.0.0.1\n", CADDY),
    ],
    "haproxy": [("bind 127.0.0.1:8080", "bind 127.0.0.1:8080 ssl crt both.pem ca-file authority.pem verify optional")],
    "envoy": [("        - filters:\n", ENVOY)],
}
"""What is to be added to an example for it to ask for client certificates."""
HEADERS = {"envoy": "X-Forwarded-Client-Cert"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True, timeout=60)  # noqa: S603 - our own script
    (folder / "both.pem").write_text((folder / "server.pem").read_text() + (folder / "server.key").read_text())
    return folder


@pytest.fixture(scope="module", params=list(CHANGES))
def proxy(request, serve, behind, certificates):
    header = HEADERS.get(request.param, "X-Client-Cert")
    identity = f"""
certificate_header = "{header}"
trusted_proxies = ["127.0.0.0/8"]
trust_domains = ["prod.example"]
"""
    files = [certificates / name for name in ("server.pem", "server.key", "both.pem", "authority.pem")]
    with behind(request.param, serve(identity), CHANGES[request.param], files) as running:
        yield running


@pytest.fixture
def tls(certificates):
    def context(name=None):
        made = ssl.create_default_context(cafile=certificates / "authority.pem")
        if name is not None:
            made.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        return made

    return context


def test_a_workload_is_who_its_certificate_says(proxy, api, tls):
    api.take()
    assert proxy.over(tls("workload")).ask("GET", "/proven/x").status == 200
    ((_, _, headers, _),) = api.take()
    assert dict(headers)["x-tocsin-subject"] == "workload:prod.example/ns/shop/sa/cart"


def test_a_certificate_that_is_only_known_counts_for_nothing(proxy, api, tls, certificates):
    api.take()
    pem = (certificates / "workload.pem").read_text()
    for written in (quote(pem, safe=""), f'Cert="{quote(pem, safe="")}"'):
        forged = [("X-Client-Cert", written), ("X-Forwarded-Client-Cert", written), ("Client-Cert", written)]
        assert proxy.over(tls()).ask("GET", "/proven/x", forged).status == 401
        forged.append(("Connection", "close, X-Client-Cert, X-Forwarded-Client-Cert"))
        assert proxy.over(tls()).ask("GET", "/proven/x", forged).status in {400, 401}
    assert api.take() == []


def test_without_a_certificate_the_rest_is_as_ever(proxy, tls):
    assert proxy.over(tls()).ask("GET", "/public/x").status == 200
    assert proxy.over(tls()).ask("GET", "/proven/x").status == 401
