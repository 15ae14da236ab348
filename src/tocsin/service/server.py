"""The server's life: it listens, answers, and when told to stop finishes what it began.

INVARIANT: after a stop everything that was answered is on disk, unless the disk itself had failed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from email.utils import formatdate
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from uvicorn import Config

from tocsin.errors import ConfigError, StoreError, TocsinError
from tocsin.service.logs import adopt
from tocsin.service.protocol import Bounds, Connection, State
from tocsin.service.tls import load_certificate, tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from tocsin.service.app import App
    from tocsin.service.house import House

__all__ = ["Server"]

_TICK_S: Final = 0.25
_SWITCH_S: Final = 0.0005
"""The writer thread gives way after so long, so that an answer never waits for more."""
_LONGEST_SOCKET: Final = 107
"""Bytes of a Unix socket's path (`sun_path` less its end)."""
_BACKLOG: Final = 2048
_FAREWELL_S: Final = 2.0
"""Seconds that a client is given to say goodbye over TLS."""


class Server:
    """Listeners and connections over one application."""

    def __init__(self, house: House, app: App, admin_socket: Path) -> None:
        self._house, self._serve, self._admin = house, house.settings.serve, admin_socket
        self._config = Config(
            app, http=Connection, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False
        )
        self._config.load()
        self._state = State()
        self._bounds = Bounds.of(self._serve)
        self._tls = tls_context(self._serve)
        self._listeners: list[asyncio.Server] = []
        self._stop = asyncio.Event()
        metrics, state = house.metrics, self._state
        metrics.gauge("tocsin_connections", "Connections open.", lambda: len(state.connections))
        metrics.counter("tocsin_connections_refused", "Connections ended without a request.", lambda: state.refused)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self._tls is None else "https"

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is told the address once connections are taken."""
        loop = asyncio.get_running_loop()
        adopt(self._house.log, "uvicorn.error", "asyncio")
        sys.setswitchinterval(_SWITCH_S)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._read_again)
        self._tick()
        self._house.flusher.start()
        try:
            address = await self._listen()
            ticking = loop.create_task(self._ticks())
            gc.collect()
            gc.set_threshold(50_000, 20, 1000)
            gc.freeze()  # what was loaded at start stays; collections need not look at it
            ready(address)
            await self._stop.wait()
            await self._drain()
            ticking.cancel()
        finally:
            self._close_listeners()
            await self._house.flusher.stop()

    def stop(self) -> None:
        """Begin to stop, as a signal does."""
        self._stop.set()

    # --- listening

    async def _listen(self) -> str:
        loop = asyncio.get_running_loop()
        host, _, port = self._serve.listen.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        connection = partial(Connection, self._config, self._state, self._bounds)
        try:
            listener = await loop.create_server(
                connection,
                host,
                int(port),
                backlog=_BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else self._serve.header_s,
                ssl_shutdown_timeout=None if self._tls is None else _FAREWELL_S,
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"cannot listen on `{self._serve.listen}`: {error}", hint="another program may; --listen names another"
            ) from error
        self._listeners.append(listener)
        await self._listen_to_owner()
        bound = listener.sockets[0].getsockname()
        if self._tls is None and not ip_address(bound[0]).is_loopback:
            self._house.log.warning("no-tls", reason="keys and tokens cross the network as they are", address=bound[0])
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        return f"{self.scheme}://{name}:{bound[1]}"

    async def _listen_to_owner(self) -> None:
        path = self._admin
        if len(os.fsencode(path)) > _LONGEST_SOCKET:
            raise StoreError(
                f"`{path}` is too long for a socket", hint=f"at most {_LONGEST_SOCKET} bytes; move the home"
            )
        path.unlink(missing_ok=True)  # left by a server that was killed: the home's lock is ours
        connection = partial(Connection, self._config, self._state, self._bounds, owner=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
            bound.bind(str(path))
            path.chmod(0o600)  # before anybody can connect; an umask would hold for the writer thread's files too
            loop = asyncio.get_running_loop()
            listener = await loop.create_unix_server(connection, sock=bound.dup(), backlog=_BACKLOG)
        self._listeners.append(listener)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._admin.unlink(missing_ok=True)

    # --- time and signals

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._tick()

    def _tick(self) -> None:
        date = formatdate(usegmt=True).encode()
        if self._state.default_headers[:1] != [(b"date", date)]:
            self._state.default_headers = [(b"date", date)]
        now_s = asyncio.get_running_loop().time()
        for connection in list(self._state.connections):
            if isinstance(connection, Connection):
                connection.expire(now_s)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            for task in self._state.tasks:
                task.cancel()
        self._stop.set()

    def _read_again(self) -> None:
        """Read policies and the certificate again; a bad one never replaces a good one."""
        log, policies = self._house.log, self._house.policies
        try:
            changed = policies.reload()
            if policies.fault is not None:
                raise policies.fault
            if self._tls is not None:
                _renew(self._tls, self._house)
        except TocsinError as error:
            log.warning("reload-refused", code=error.code, reason=error.message)
        else:
            log.info("reloaded", policies_changed=changed, policy_version=policies.current.version)

    # --- stopping

    async def _drain(self) -> None:
        """Take nothing new, finish what was begun, give up on what takes longer than `drain_s`."""
        state, house = self._state, self._house
        house.draining = True
        house.log.info("stopping", connections=len(state.connections), requests=len(state.tasks))
        self._close_listeners()
        state.quiet.clear()
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self._serve.drain_s):
                if state.connections:
                    await state.quiet.wait()
                if state.tasks:
                    await asyncio.wait(state.tasks)
        except TimeoutError:
            await self._give_up()

    async def _give_up(self) -> None:
        left = list(self._state.tasks)
        self._house.log.warning("gave-up", connections=len(self._state.connections), requests=len(left))
        for task in left:
            task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        if left:
            await asyncio.wait(left, timeout=1.0)


def _renew(context: ssl.SSLContext, house: House) -> None:
    """Try the certificate on a context of its own first: half a change would leave a key that does not fit."""
    tls_context(house.settings.serve)
    load_certificate(context, house.settings.serve)
