"""A server's house with real engine, keys and policies, and the callers of its administration API, in this process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx

from tocsin import Engine, Settings
from tocsin.config.settings import RespondSettings
from tocsin.event import Event, to_batch
from tocsin.record import ROLES, Alert, Finding, Reason
from tocsin.service import operations
from tocsin.service.app import OWNER, App
from tocsin.service.house import House
from tocsin.service.logs import open_log
from tocsin.service.metrics import Metrics
from tocsin.service.request import Response
from tocsin.service.route import Route
from tocsin.trust.issuing import issue
from tocsin.trust.keys import ApiKeys
from tocsin.trust.policy import PolicyStore

START = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
PERMIT = '@id("all")\npermit (principal, action, resource);\n'
REASON = Reason(feature="hour", bits=7.0, share=1.0, text="03:12 is unusual")


async def hello(_request):
    return Response(200, b"{}")


class Office:
    """A server's house and its callers, in one event loop that lasts between requests."""

    def __init__(self, folder):
        self.now = START
        policies = folder / "policies"
        policies.mkdir()
        (policies / "all.cedar").write_text(PERMIT, encoding="utf-8")
        self.policies = policies
        settings = Settings(respond=RespondSettings(break_glass=("user:root",)))
        self.engine = Engine.open(folder / "home", settings, clock=self.clock)
        self.observe()
        self.engine.hosted = True
        table = self.engine.home.api_keys
        self.secrets = {role: issue(table, role, now=START, subject="user:x").secret for role in ROLES}
        self.house = House(
            engine=self.engine,
            settings=settings,
            clock=self.clock,
            keys=ApiKeys(table),
            policies=PolicyStore.open(policies),
            verifier=SimpleNamespace(failed=""),
            identity=None,
            metrics=Metrics(settings.serve.metric_labels),
            log=open_log(settings.serve.log_level),
        )
        routes = [*operations.routes(self.house), Route(frozenset({"GET"}), "/pep", hello, frozenset({"pep"}))]
        self.app = App(self.house, routes)
        self.runner = asyncio.Runner()
        self.runner.run(self._start())

    async def _start(self):
        self.house.flusher.start()

    def clock(self):
        self.now += timedelta(seconds=1)
        return self.now

    def observe(self):
        event = Event(time=START - timedelta(minutes=1), kind="api", subject="user:ada", action="read")
        self.engine.observe(to_batch([event, event]))
        records = self.engine.home.records
        records.put_findings(
            [
                Finding(
                    id=f"F-{n}", seq=n, time=event.time, entity="user:ada", kind="api", action="read", resource=None,
                    address=None, surprise_bits=20.0, tail_bits=12.0, accumulated_bits=12.0, reasons=(REASON,),
                    source_file=None, source_line=None, alert_id="A-1",
                )
                for n in (0, 1)
            ]
        )  # fmt: skip
        for name in ("A-1", "A-2"):
            alert = Alert(
                id=name, severity="high", title="user:ada reads", entities=("user:ada",), first_time=event.time,
                last_time=event.time, findings=2, tail_bits=12.0, reasons=(REASON,), absolute=False,
            )  # fmt: skip
            records.put_alerts([alert])

    async def send(self, method, path, **more):
        owner, key = more.pop("owner", False), more.pop("key", None)
        app = self.as_owner if owner else self.app
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tocsin.example") as client:
            return await client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    async def as_owner(self, scope, receive, send):
        await self.app({**scope, OWNER: True}, receive, send)

    def ask(self, method, path, role="admin", **more):
        if role is not None and "owner" not in more:
            more.setdefault("key", self.secrets[role])
        return self.runner.run(self.send(method, f"/admin/v1/{path}", **more))

    def get(self, path, **more):
        answer = self.ask("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body=None, status=200, **more):
        answer = self.ask("POST", path, json=body, **more) if body is not None else self.ask("POST", path, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def audited(self):
        (row,) = self.engine.home.records.audit_rows(1)
        return row.actor, row.action

    def close(self):
        self.runner.run(self.house.flusher.stop())
        self.runner.close()
        self.house.keys.close()
        self.engine.close()
