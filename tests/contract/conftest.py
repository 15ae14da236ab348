"""A decision point in this process: real policies, a real engine and a real application; only time stands still."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest

from tocsin.config import Settings
from tocsin.config.settings import ServeSettings
from tocsin.engine import Engine
from tocsin.engine.verify import Verifier
from tocsin.errors import InvalidCredential, IssuerUnavailable
from tocsin.question import Caller, Identity
from tocsin.record import ROLES
from tocsin.service import authzen, openapi
from tocsin.service.app import App
from tocsin.service.house import House
from tocsin.service.logs import open_log
from tocsin.service.metrics import Metrics
from tocsin.trust.policy import PolicyStore

NOW = datetime(2026, 3, 4, 9, 12, tzinfo=UTC)

POLICIES = """
@id("staff-reads")
permit (principal in team::"staff", action == Action::"read", resource is record);

@id("alice-writes")
permit (principal == user::"alice", action == Action::"write", resource is record);

@id("archived")
@reason("archived records are changed by administrators only")
forbid (principal, action == Action::"write", resource is record)
when { context.resource has status && context.resource.status == "archived" }
unless { context.subject has role && context.subject.role == "admin" };

@id("administrators-mend")
permit (principal, action == Action::"write", resource is record)
when { context.subject has role && context.subject.role == "admin" && context.resource has status &&
       context.resource.status == "archived" };

@id("soft-delete")
permit (principal == user::"alice", action == Action::"delete", resource is record)
when { context.action has soft && context.action.soft };

@id("small-payments")
@outcome("limit")
@amount("100")
permit (principal == user::"alice", action == Action::"pay", resource);

@id("fresh-proof")
@reason("exports want a fresh proof")
@outcome("step_up")
@acr_values("phr")
@max_age("300")
forbid (principal, action == Action::"export", resource is record)
unless { context.proof_age_s >= 0 && context.proof_age_s <= 300 };

@id("export")
permit (principal in team::"staff", action == Action::"export", resource is record);

@id("broken")
permit (principal, action == Action::"stumble", resource) when { context.absent == "x" };
"""


def _entity(kind, name, parents=(), **attributes):
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": [dict(p) for p in parents]}


STAFF = {"type": "team", "id": "staff"}
OFFICE = {"type": "team", "id": "office"}
ENTITIES = [
    _entity("team", "staff"),
    _entity("team", "office", [STAFF]),
    _entity("user", "alice", [OFFICE]),
    _entity("user", "bob", [STAFF], role="admin"),
    _entity("user", "carol"),
    _entity("record", "record-1", status="active"),
    _entity("record", "record-2", status="archived"),
]


class Keys:
    """Knows one key for each role of a caller, and one of a subject's."""

    def caller(self, token, _now):
        role = token.removeprefix("tsn_")
        return Caller(id=f"{role}-1", role=role) if role in ROLES else None

    def refresh(self):
        return False

    def identity(self, token, _now):
        return Identity(subject="user:bob", assurance=2, method="api_key") if token.endswith("_of_bob") else None


class Tokens:
    """Believes the tokens `alice-now` and `bob-now`."""

    def recall(self, _credentials):
        return None

    async def verify(self, credentials, now):
        await asyncio.sleep(0)
        name, _, age = credentials.authorization.removeprefix("Bearer ").partition("-")
        if age == "lost":
            raise IssuerUnavailable("the issuer does not answer")
        if age != "now":
            raise InvalidCredential("the token has expired", challenge='Bearer error="invalid_token"')
        return Identity(subject=f"user:{name}", assurance=2, method="oidc", proven_at=now)


class Point:
    """A decision point and a client of it."""

    def __init__(self, house, routes):
        self.house, self.routes = house, routes
        self.app = App(house, routes)
        self.told = []

    def call(self, method, path, *, key="tsn_pep", headers=(), **body):
        """Send one request."""

        async def run():
            transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="https://pdp.example") as client:
                own = {"Authorization": f"Bearer {key}"} if key else {}
                return await client.request(method, path, headers={**own, **dict(headers)}, **body)

        return asyncio.run(run())

    def post(self, path, body, **more):
        """Send one AuthZEN request, and expect an answer."""
        answer = self.call("POST", f"/access/v1/{path}", json=body, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def refuse(self, path, body, status=400):
        """Send one AuthZEN request that must be refused; returns the problem."""
        answer = self.call("POST", f"/access/v1/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def questions(self):
        """Everything journaled since the last time this was asked."""
        handed = self.house.engine.hand_over()
        if handed is None:
            return []
        handed.write()
        rows = [json.loads(text) for text in self._decisions() if text is not None]
        new, self.told = rows[len(self.told) :], rows
        return [row["question"] for row in new]

    def _decisions(self):
        for entry in self.house.engine.home.journal.read():
            if hasattr(entry, "batch"):
                yield from entry.batch.column("decision").to_pylist()


@pytest.fixture(scope="session")
def make_point(tmp_path_factory):
    """Build a decision point with settings of `[serve]`; it is closed when the tests are over."""
    opened = []

    def make(**serve):
        folder = tmp_path_factory.mktemp("policies")
        (folder / "records.cedar").write_text(POLICIES, encoding="utf-8")
        (folder / "entities.json").write_text(json.dumps(ENTITIES), encoding="utf-8")
        settings = Settings(serve=ServeSettings(**serve))
        engine = Engine.open(tmp_path_factory.mktemp("home"), settings, clock=lambda: NOW)
        opened.append(engine)
        engine.hosted = True
        policies = PolicyStore.open(folder)
        house = House(
            engine=engine,
            verifier=Verifier(engine, policies, settings.decide),
            policies=policies,
            identity=Tokens(),
            keys=Keys(),
            settings=settings,
            clock=lambda: NOW,
            metrics=Metrics(),
            log=open_log("error"),
        )
        return Point(house, [*authzen.routes(house), *openapi.routes(house)])

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture(scope="session")
def point(make_point):
    """One decision point for all tests that only ask."""
    return make_point()


@pytest.fixture
def asked():
    """Build an evaluation: `asked("alice", "read", "record-1")`."""

    def build(subject="alice", action="read", resource="record-1", **context):
        body = {
            "subject": {"type": "user", "id": subject},
            "action": {"name": action},
            "resource": {"type": "record", "id": resource},
        }
        return body | ({"context": context} if context else {})

    return build
