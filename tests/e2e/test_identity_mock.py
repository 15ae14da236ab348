"""Signing in at a provider that others wrote, and being recognised by what it hands out."""

from __future__ import annotations

import asyncio
import warnings
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tocsin.config.settings import IdentitySettings, IssuerSettings
from tocsin.errors import InvalidCredential
from tocsin.trust.identity import Credentials, IdentityVerifier

# What the provider itself is built of is deprecated, and says so at every turn.
pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")

CLIENT, CALLBACK = "shop", "http://127.0.0.1/callback"


@pytest.fixture
def provider():
    with warnings.catch_warnings(record=True):
        import oidc_provider_mock  # noqa: PLC0415 - importing it warns, and it insists on being heard

    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


def signed_in(provider, subject):
    """Go through the authorization code flow as a browser and a client do."""
    with httpx.Client(base_url=provider, trust_env=False) as http:
        asked = {"client_id": CLIENT, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
        answer = http.post("/oauth2/authorize", params=asked, data={"sub": subject})
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return http.post("/oauth2/token", data=form, auth=(CLIENT, "secret")).json()


def settings(provider, **changes):
    one = {"issuer": provider, "audience": (CLIENT,), "token_type": "any"} | changes
    return IdentitySettings(issuers=(IssuerSettings(**one),))


def verify(settings, token):
    async def ask():
        verifier = IdentityVerifier(settings, clock=lambda: datetime.now(UTC))
        try:
            return await verifier.verify(Credentials(authorization=f"Bearer {token}"), datetime.now(UTC))
        finally:
            await verifier.aclose()

    return asyncio.run(ask())


def test_who_signed_in_is_recognised(provider):
    identity = verify(settings(provider), signed_in(provider, "ada@x.example")["id_token"])
    assert (identity.subject, identity.issuer, identity.assurance) == ("user:ada@x.example", provider, 2)


def test_an_id_token_is_no_access_token_unless_the_settings_say_so(provider):
    with pytest.raises(InvalidCredential, match="not an access token"):
        verify(settings(provider, token_type="at+jwt"), signed_in(provider, "ada")["id_token"])  # noqa: S106 - a type


def test_a_token_for_another_client_is_refused(provider):
    with pytest.raises(InvalidCredential, match="audience"):
        verify(settings(provider, audience=("ledger",)), signed_in(provider, "ada")["id_token"])
