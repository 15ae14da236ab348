"""From settings to a running server, and back to a home at rest."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop

from tocsin.engine import Engine
from tocsin.engine.verify import Verifier
from tocsin.errors import TocsinError
from tocsin.service.app import App
from tocsin.service.house import House
from tocsin.service.logs import open_log
from tocsin.service.metrics import Metrics
from tocsin.service.protocols import routes
from tocsin.service.server import Server
from tocsin.store.disk import replace_file
from tocsin.trust.identity import IdentityVerifier
from tocsin.trust.keys import ApiKeys
from tocsin.trust.policy import PolicyStore, folder_in_force

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.config import Entities, Settings

__all__ = ["ADMIN_SOCKET", "SERVE_FILE", "serve"]

ADMIN_SOCKET: Final = "admin.sock"
"""Socket in the home through which its owner administers; nobody else can open it."""
SERVE_FILE: Final = "serve.json"
"""Says where the server of a home listens, while it runs."""


def _now() -> datetime:
    return datetime.now(UTC)


def serve(
    settings: Settings, entities: Entities, ready: Callable[[str], None], clock: Callable[[], datetime] = _now
) -> None:
    """Serve until told to stop; `ready` is told the address. Raises what stands in the way of starting."""
    home = Path(settings.home.path)
    folder = folder_in_force(settings.policy.folder, home)
    policies = PolicyStore.open(folder, cache_entries=settings.policy.cache_entries)
    with Engine.open(home, settings, entities=entities, clock=clock) as engine:
        engine.settle()
        engine.flush()
        engine.rehearse()
        house = build(engine, policies, settings, clock)
        try:
            uvloop.run(_serve(house, home, ready))
        finally:
            house.keys.close()
        engine.hosted = False
        if house.failed:
            raise house.flusher.error()


def build(engine: Engine, policies: PolicyStore, settings: Settings, clock: Callable[[], datetime]) -> House:
    """Put the parts of a server together over an open engine."""
    log = open_log(settings.serve.log_level)
    house = House(
        engine=engine,
        verifier=Verifier(engine, policies, settings.decide, lambda error: log.error("undecided", exc_info=error)),
        policies=policies,
        identity=IdentityVerifier(settings.identity, clock=clock),
        keys=ApiKeys(engine.home.api_keys),
        settings=settings,
        clock=clock,
        metrics=Metrics(settings.serve.metric_labels),
        log=log,
    )
    _measure(house)
    return house


async def _serve(house: House, home: Path, ready: Callable[[str], None]) -> None:
    house.engine.hosted = True
    server = Server(house, App(house, routes(house)), home / ADMIN_SOCKET)
    told = home / SERVE_FILE

    def started(address: str) -> None:
        replace_file(told, msgspec.json.encode({"address": address, "pid": os.getpid()}))
        house.log.info("started", address=address, policy_version=house.policies.current.version)
        ready(address)

    loop = asyncio.get_running_loop()
    beside = [loop.create_task(_warm(house), name="issuers"), loop.create_task(_follow(house), name="policies")]
    for task in beside:
        task.add_done_callback(partial(_ended, house))
    try:
        await server.run(started)
    finally:
        for task in beside:
            task.cancel()
        told.unlink(missing_ok=True)
        await house.identity.aclose()


def _ended(house: House, task: asyncio.Task[None]) -> None:
    """Tell of work beside the answers that ended by an error; nothing that stops is to stop unseen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        house.log.error("stopped", what=task.get_name(), exc_info=error)


async def _follow(house: House) -> None:
    """Read policies again when their folder changed; a bad change is told once and never replaces what is good."""
    every_s = house.settings.policy.reload_s
    told: TocsinError | None = None
    while every_s:
        await asyncio.sleep(every_s)
        chosen = folder_in_force(house.settings.policy.folder, house.engine.home.path)
        house.policies.folder = chosen or house.policies.folder  # a first set may have been installed meanwhile
        try:
            if await asyncio.to_thread(house.policies.reload):
                house.log.info("policies-changed", policy_version=house.policies.current.version)
            told = None
        except TocsinError as error:
            if error is not told:
                house.log.warning("policies-refused", reason=error.message, hint=error.hint)
            told = error


async def _warm(house: House) -> None:
    """Fetch what issuers publish before anybody needs it, and again while one cannot be reached.

    Whoever is not ready is sent no requests, so none of those would ever bring the keys.
    """
    lost: set[str] = set()
    while True:
        missing = {status.issuer for status in await house.identity.warm(house.clock()) if not status.ready}
        for issuer in missing - lost:
            house.log.warning("issuer-unreachable", issuer=issuer)
        for issuer in lost - missing:
            house.log.info("issuer-reached", issuer=issuer)
        lost = missing
        await asyncio.sleep(house.settings.identity.jwks_cooldown_s)


def _measure(house: House) -> None:
    engine, metrics = house.engine, house.metrics
    metrics.counter("tocsin_events", "Events scored since the home was made.", lambda: float(engine.seq))
    metrics.gauge("tocsin_events_waiting", "Events scored and not yet durable.", lambda: float(engine.waiting.events))
    metrics.gauge("tocsin_flush_seconds", "Seconds at the flush under way.", lambda: house.flusher.writing_s)
    metrics.gauge("tocsin_failed", "Whether nothing can be made durable any more.", lambda: float(bool(house.failed)))
