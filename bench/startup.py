"""Start-up: importing, help, and the first score of a process whose kernels are compiled already.

    python bench/startup.py [--times 5]

Each line is a fresh process, wall and CPU time (its own and its children's), the median of several; one process runs
before to compile what is not compiled yet. Bars: import 0.5 s, first score 2 s.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time

FIRST_SCORE = """
from datetime import UTC, datetime
from tocsin import Engine, Event
event = Event(time=datetime(2026, 1, 5, tzinfo=UTC), kind="api", subject="user:ada", action="read")
with Engine.open("{home}", clock=lambda: datetime(2026, 1, 6, tzinfo=UTC)) as engine:
    engine.observe_one(event)
"""


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command: list[str]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), spent()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
    return time.perf_counter() - wall, spent() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import tocsin (bar 0.5)": [sys.executable, "-c", "import tocsin"],
            "from tocsin import Engine": [sys.executable, "-c", "from tocsin import Engine"],
            "tocsin --help": [sys.executable, "-m", "tocsin", "--help"],
            "first score (bar 2)": [sys.executable, "-c", FIRST_SCORE.format(home=f"{folder}/home")],
        }
        timed(commands["first score (bar 2)"])
        print(f"{'seconds, median of ' + str(times):<32}{'wall':>8}{'CPU':>8}")
        for name, command in commands.items():
            walls, cpus = zip(*(timed(command) for _ in range(times)), strict=True)
            print(f"{name:<32}{statistics.median(walls):>8.2f}{statistics.median(cpus):>8.2f}")


if __name__ == "__main__":
    main()
