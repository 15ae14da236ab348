"""A house of fakes, and a client that speaks to an application in this process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from tocsin.config import Settings
from tocsin.question import Caller
from tocsin.record import ROLES
from tocsin.service.app import App
from tocsin.service.house import House
from tocsin.service.logs import open_log
from tocsin.service.metrics import Metrics

NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)


class Keys:
    """Knows one key for each role: `tsn_pep`, `tsn_reader`…"""

    def caller(self, token, _now):
        role = token.removeprefix("tsn_")
        return Caller(id=f"{role}-1", role=role) if role in ROLES else None

    def identity(self, _token, _now):
        return None


@pytest.fixture
def make_house():
    """Build a house; whatever is named replaces a fake that does nothing."""

    def make(**parts):
        settings = parts.pop("settings", Settings())
        engine = SimpleNamespace(hand_over=lambda: None)
        return House(
            **{
                "engine": engine,
                "verifier": None,
                "policies": None,
                "identity": None,
                "keys": Keys(),
                "settings": settings,
                "clock": lambda: NOW,
                "metrics": Metrics(settings.serve.metric_labels),
                "log": open_log(settings.serve.log_level),
                **parts,
            }
        )

    return make


def over(house, routes):
    """Speak to one application: `over(house, routes)("GET", "/x", key="tsn_pep", json=…)`."""
    app = App(house, routes)

    def send(method, url, *, key=None, headers=(), **body):
        async def run():
            transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://tocsin.example") as client:
                given = {**({"Authorization": f"Bearer {key}"} if key else {}), **dict(headers)}
                return await client.request(method, url, headers=given, **body)

        return asyncio.run(run())

    return send


@pytest.fixture
def ask():
    """Send one request to routes over a house: `ask(house, routes, "GET", "/x", key="tsn_pep", json=…)`."""

    def send(house, routes, method, url, **request):
        return over(house, routes)(method, url, **request)

    send.over = over
    return send
