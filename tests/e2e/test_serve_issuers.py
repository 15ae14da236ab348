"""Callers with tokens, and a server whose issuer is away for a while."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "trust"))

from identity_parties import Issuer, running
from serving import Server

pytestmark = pytest.mark.heavy


def settings(issuer):
    return f"""
[serve]
role_claim = "roles"

[identity]
jwks_cooldown_s = 1

[[identity.issuers]]
issuer = "{issuer.url}"
audience = ["tocsin"]
"""


def token(issuer, **changes):
    now = int(time.time())
    return issuer.token(aud="tocsin", iat=now, exp=now + 300, **changes)


def until_ready(client, status):
    until = time.monotonic() + 15
    while client.get("/readyz").status_code != status:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_server_waits_for_its_issuer_and_then_takes_its_tokens(tmp_path):
    with running(Issuer) as issuer:
        issuer.down = True
        with Server(tmp_path, settings=settings(issuer)) as server, server.client() as client:
            until_ready(client, 503)
            assert client.get("/readyz").json()["checks"]["issuers"] == "failed"
            assert client.get("/healthz").status_code == 200
            shown = {"Authorization": f"Bearer {token(issuer, roles=['reader'])}"}
            assert client.get("/metrics", headers=shown).status_code == 503
            issuer.down = False
            until_ready(client, 200)
            assert client.get("/metrics", headers=shown).status_code == 200
            assert client.get("/admin/v1/keys", headers=shown).status_code == 403
            nobody = {"Authorization": f"Bearer {token(issuer)}"}
            assert client.get("/metrics", headers=nobody).status_code == 403
            forged = {"Authorization": f"Bearer {token(issuer, roles=['reader'])[:-8]}AAAAAAAA"}
            answer = client.get("/metrics", headers=forged)
            assert answer.status_code == 401
            assert "invalid_token" in answer.headers["www-authenticate"]
        assert not [line for line in server.lines() if "trace" in line]
        assert "eyJ" not in server.log()
