"""A real server in a process of its own, and what speaks to it: httpx for manners, a socket for the lack of them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from tocsin.store import open_api_keys
from tocsin.trust.issuing import issue

START_S = 240  # the first start after an installation compiles
SCRIPT = [sys.executable, "-m", "tocsin"]


def environment():
    return {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "_TOCSIN"))} | {"COLUMNS": "100"}


def make_key(folder, role, **more):
    """Make a key as `tocsin keys create` does (which has tests of its own), without a process for each."""
    with open_api_keys(Path(folder) / "home", make=True) as table:
        return issue(table, role, now=datetime.now(UTC), **more).secret


class Server:
    """`tocsin serve` in `folder`, its home `folder/home`; ends with the block that opened it."""

    def __init__(self, folder, *arguments, settings="", **environ):
        self.folder, self.home = Path(folder), Path(folder) / "home"
        (self.folder / "tocsin.toml").write_text(settings, encoding="utf-8")
        self.log_file = self.folder / "server.log"
        with self.log_file.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the command under test
                [*SCRIPT, "serve", "--home", "home", "--listen", "127.0.0.1:0", *map(str, arguments)],
                cwd=self.folder,
                env=environment() | environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.address = self._wait()
        host, _, port = self.address.rpartition("/")[2].rpartition(":")
        self.place = (host, int(port))

    def _wait(self):
        told, until = self.home / "serve.json", time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                found = msgspec.json.decode(told.read_bytes())
                if found["pid"] == self.process.pid:
                    return found["address"]
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.log()}")

    def log(self):
        return self.log_file.read_text(encoding="utf-8")

    def lines(self):
        """Log entries; the line for people is not one."""
        whole = [line for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [msgspec.json.decode(line) for line in whole]

    def client(self, key=None, *, headers=None, **options):
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.address, headers=shown | (headers or {}), timeout=20, **options)

    def owner(self):
        """Speak as the home's owner does, over the admin socket."""
        return httpx.Client(
            base_url="http://tocsin", transport=httpx.HTTPTransport(uds=str(self.home / "admin.sock")), timeout=20
        )

    def raw(self, *pieces, pause_s=0.0, timeout_s=10.0):
        """Send bytes as they are and return whatever comes back until the server closes or falls silent."""
        with socket.create_connection(self.place, timeout=timeout_s) as wire:
            for piece in pieces:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    wire.sendall(piece)
                time.sleep(pause_s)
            return drain(wire)

    def stop(self, number=signal.SIGTERM, timeout_s=20.0):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        self.process.kill()
        self.process.wait()


def drain(wire):
    """Read until the other end closes or says nothing more."""
    got = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while piece := wire.recv(65536):
            got += piece
    return got


def statuses(got):
    """Status of every answer in what came back."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]
