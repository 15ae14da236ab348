"""Decisions a second and processor time a decision, Tocsin against Cerbos, over HTTP with wrk in the same run.

    python bench/decisions.py [--seconds 15] [--connections 32] [--rounds 2]

Needs `wrk` and npm, with which Cerbos is fetched once into `--tools`. Both servers run on this machine, one at a time
under load, and the load generator takes its share of the same cores. Both get the same AuthZEN bodies. Tocsin checks a
key, scores, journals and learns from every question, and overlays what is sent on 500 stored entities; Cerbos does
none of this, holds no entities and has no cache of answers. Answers of both are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from questions import DISTINCT, PLACE, bodies, cedar, cerbos, write_lua

if TYPE_CHECKING:
    from collections.abc import Iterator

EVALUATION = "/access/v1/evaluation"
PACKAGE = "@cerbos/cerbos-linux-x64"
COMPARED = 400
TICKS = os.sysconf("SC_CLK_TCK")
CERBOS = """
server: {{httpListenAddr: "127.0.0.1:{http}", grpcListenAddr: "127.0.0.1:{grpc}", logRequestPayloads: false}}
storage: {{driver: disk, disk: {{directory: "{policies}", watchForChanges: false}}}}
telemetry: {{disabled: true}}
"""


class Server(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]
    address: str
    authorization: str

    def cpu_s(self) -> float:
        """Processor time of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found.group(1)) / 1024 if found else 0.0

    def ask(self, body: str) -> bool:
        headers = {"content-type": "application/json"}
        if self.authorization:
            headers["authorization"] = self.authorization
        request = urllib.request.Request(self.address + EVALUATION, body.encode(), headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return bool(json.load(answer)["decision"])


class Figures(NamedTuple):
    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    failed: int


def free_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)  # noqa: S603 - ours
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until_it_answers(process: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=1).close()  # noqa: S310 - loopback
            return
        time.sleep(0.05)
    raise SystemExit(f"no server at {address}")


@contextlib.contextmanager
def tocsin(folder: Path, *, cache_entries: int | None = None, name: str = "tocsin") -> Iterator[Server]:
    home, port = folder / name, free_port()
    program = [sys.executable, "-m", "tocsin"]
    settings = f'[policy]\nfolder = "{folder / "cedar"}"\n'
    if cache_entries is not None:
        settings += f"cache_entries = {cache_entries}\n"
    (folder / f"{name}.toml").write_text(settings, encoding="utf-8")
    create = [*program, "keys", "create", "--role", "pep", "--home", str(home)]
    key = subprocess.run(create, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S603 - ours
    serve = [*program, "serve", "--config", f"{name}.toml", "--home", str(home), "--listen", f"127.0.0.1:{port}"]
    with running(serve, folder, name) as process:
        address = f"http://127.0.0.1:{port}"
        until_it_answers(process, f"{address}/healthz")
        yield Server(name, process, address, f"Bearer {key}")


@contextlib.contextmanager
def peer(folder: Path, program: str) -> Iterator[Server]:
    http = free_port()
    told = CERBOS.format(http=http, grpc=free_port(), policies=folder / "cerbos")
    (folder / "cerbos.conf.yaml").write_text(told, encoding="utf-8")
    command = [program, "server", f"--config={folder / 'cerbos.conf.yaml'}", "--log-level=error"]
    with running([*command, f"--debug-listen-addr=127.0.0.1:{free_port()}"], folder, "cerbos") as process:
        address = f"http://127.0.0.1:{http}"
        until_it_answers(process, f"{address}/_cerbos/health")
        yield Server("cerbos", process, address, "")


def cerbos_program(tools: Path) -> str:
    program = tools / "node_modules" / PACKAGE / PACKAGE.rpartition("/")[2]
    if not program.exists():
        tools.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm") or "npm"
        install = [npm, "install", "--no-audit", "--no-fund", "--silent", PACKAGE]
        subprocess.run(install, cwd=tools, check=True)  # noqa: S603 - npm
    return str(program)


class Load:
    """wrk, with numbers that no run has used before."""

    def __init__(self, folder: Path, connections: int) -> None:
        self._folder, self._connections, self._first = folder, connections, 2_000_000_000
        write_lua(folder / "ask.lua")
        (folder / "bodies.txt").write_text("\n".join(bodies()) + "\n", encoding="utf-8")

    def run(self, server: Server, seconds: float, *, fresh: bool) -> Figures:
        command = [
            shutil.which("wrk") or "wrk", "-t1", f"-c{self._connections}", f"-d{seconds:g}s", "--latency",
            "-s", str(self._folder / "ask.lua"), server.address,
        ]  # fmt: skip
        environment = {
            "BENCH_AUTHORIZATION": server.authorization, "BENCH_BODIES": str(self._folder / "bodies.txt"),
            "BENCH_PATH": EVALUATION, "BENCH_FRESH": str(int(fresh)), "BENCH_FIRST": str(self._first),
        }  # fmt: skip
        self._first += 5_000_000
        before = server.cpu_s()
        told = subprocess.run(command, env=os.environ | environment, capture_output=True, check=True, text=True).stdout  # noqa: S603 - wrk
        spent = server.cpu_s() - before
        return figures(told, spent)


def figures(told: str, cpu_s: float) -> Figures:
    found = re.search(r"(\d+) requests in", told)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if found is None or rate is None:
        raise SystemExit(f"wrk said something else:\n{told}")
    bad = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", told))
    bad += sum(int(n) for line in re.findall(r"Socket errors: (.*)", told) for n in re.findall(r"\d+", line))
    p50, p99 = (_ms(told, share) for share in ("50", "99"))
    return Figures(float(rate.group(1)), cpu_s / int(found.group(1)) * 1e6, p50, p99, bad)


def _ms(told: str, share: str) -> float:
    found = re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s)", told, re.MULTILINE)
    return float(found.group(1)) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found.group(2)] if found else float("nan")


def compare(one: Server, other: Server) -> int:
    """Put the same questions to both; returns how many were allowed, and ends where two answers differ."""
    allowed = 0
    for number, body in enumerate(bodies(COMPARED)):
        asked = body.replace(PLACE, str(8_999_999_000 + number * 5))
        answers = one.ask(asked), other.ask(asked)
        if answers[0] != answers[1]:
            raise SystemExit(f"{one.name} says {answers[0]}, {other.name} says {answers[1]}: {asked}")
        allowed += answers[0]
    return allowed


def middle(runs: list[Figures]) -> Figures:
    return Figures(*(statistics.median(column) for column in zip(*runs, strict=True)))


def show(rows: dict[str, Figures], ratios: dict[str, float]) -> None:
    head = ("", "decisions/s", "server CPU, us", "p50, ms", "p99, ms", "failed")
    print(f"{head[0]:44s} {head[1]:>12s} {head[2]:>15s} {head[3]:>8s} {head[4]:>8s} {head[5]:>7s}")
    for name, row in rows.items():
        line = f"{name:44s} {row.per_s:12,.0f} {row.cpu_us:15.1f} {row.p50_ms:8.2f} {row.p99_ms:8.2f} {row.failed:7.0f}"
        print(line)
    for name, ratio in ratios.items():
        print(f"{name:44s} {ratio:12.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tools", type=Path, default=Path(tempfile.gettempdir()) / "tocsin-bench-tools")
    told = parser.parse_args()
    program = cerbos_program(told.tools)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as made:
        folder = Path(made)
        cedar(folder / "cedar")
        cerbos(folder / "cerbos")
        measure(folder, program, told)


def measure(folder: Path, program: str, told: argparse.Namespace) -> None:
    load = Load(folder, told.connections)
    runs: dict[str, list[Figures]] = {}
    with (
        tocsin(folder) as ours,
        tocsin(folder, cache_entries=0, name="uncached") as uncached,
        peer(folder, program) as theirs,
    ):
        allowed = compare(ours, theirs)
        print(f"{COMPARED} questions answered alike, {allowed} of them allowed; {DISTINCT} distinct questions")
        for server in (ours, uncached, theirs):
            load.run(server, 5, fresh=False)  # every question at least once, so that answers are in the cache
        for _ in range(told.rounds):
            for name, server, fresh in (
                ("Tocsin, cached", ours, False),
                ("Cerbos, the same questions", theirs, False),
                ("Tocsin, each question new", ours, True),
                ("Cerbos, each question new", theirs, True),
                ("Tocsin, each question new, cache_entries = 0", uncached, True),
            ):
                runs.setdefault(name, []).append(load.run(server, told.seconds, fresh=fresh))
        print(f"resident: Tocsin {ours.rss_mb():.0f} MB, Cerbos {theirs.rss_mb():.0f} MB")
    rows = {name: middle(found) for name, found in runs.items()}
    cached, same, new, theirs_new, bare = rows.values()
    ratios = {
        "Tocsin over Cerbos, cached": cached.per_s / same.per_s,
        "Tocsin over Cerbos, each question new": new.per_s / theirs_new.per_s,
        "Tocsin without cache over Cerbos": bare.per_s / theirs_new.per_s,
        "Cerbos' CPU over Tocsin's, cached": same.cpu_us / cached.cpu_us,
        "Cerbos' CPU over Tocsin's, each new": theirs_new.cpu_us / new.cpu_us,
    }
    show(rows, ratios)


if __name__ == "__main__":
    main()
