"""One live event: bytes in to explained score, in process, before the journal's flush.

    python bench/live.py [--people 500] [--events 30000]

A drill town's last events are taken as JSON bytes; those before them teach the profiles in batches. Each of the last
goes through `parse_event` and `Engine.observe_one`; `flush` (journal, scores, records) runs between the timed calls,
every 500 events, as a server's flusher would. One thread, garbage collection as it comes; half of the events are timed
by the wall, half by the thread's CPU time, since others may be using the machine. The bar is a median of 15 and a p99.9
of 200.
Beside it, in the same run, scikit-learn's isolation forest scores ready-made features of the same events one at a time.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import IsolationForest

from tocsin import Engine, Settings, parse_event
from tocsin.behaviour.columns import encode
from tocsin.drill import build
from tocsin.event import to_batch

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 7
DAYS = 20
FLUSH_EVERY = 500
FOREST_EVENTS = 200


def town_lines(folder: Path, people: int) -> list[bytes]:
    build(folder, seed=SEED, days=DAYS, people=people)
    return [line for path in sorted(folder.rglob("*.jsonl.gz")) for line in gzip.open(path)]


def row(name: str, seconds: list[float]) -> None:
    us = np.array(seconds) * 1e6
    middle, high, highest = np.percentile(us, [50, 99, 99.9])
    print(f"{name:<44}{middle:>10.1f}{high:>10.1f}{highest:>10.1f}{len(us):>10,}")


def live(
    engine: Engine, lines: list[bytes], clock: Callable[[], float]
) -> tuple[list[float], list[float], list[float]]:
    parsing, scoring, both = [], [], []
    for i, line in enumerate(lines):
        if i % FLUSH_EVERY == 0:
            engine.flush()
        begun = clock()
        event = parse_event(line)
        between = clock()
        engine.observe_one(event)
        ended = clock()
        parsing.append(between - begun)
        scoring.append(ended - between)
        both.append(ended - begun)
    return parsing, scoring, both


def forest(engine: Engine, lines: list[bytes]) -> list[float]:
    encoded = encode(to_batch([parse_event(line) for line in lines]), engine.key)
    sizes = np.nan_to_num(encoded.sizes)
    features = np.column_stack([encoded.hour % 24, encoded.kind, sizes, encoded.values % np.uint64(1024)])
    model = IsolationForest(random_state=SEED).fit(features)
    seconds = []
    for one in features[-FOREST_EVENTS:]:
        begun = time.perf_counter()
        model.score_samples(one.reshape(1, -1))
        seconds.append(time.perf_counter() - begun)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--events", type=int, default=30_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = town_lines(Path(folder) / "town", told.people)
        with Engine.open(Path(folder) / "home", Settings()) as engine:
            before = [engine.enrichment.enrich_one(parse_event(line)) for line in lines[: -told.events]]
            for at in range(0, len(before), 65_536):
                engine.observe(to_batch(before[at : at + 65_536]))
            half = told.events // 2
            live(engine, lines[-told.events : -told.events + 100], time.perf_counter)  # kernels are loaded
            print(f"{'microseconds':<44}{'median':>10}{'p99':>10}{'p99.9':>10}{'events':>10}")
            clocks = (
                ("wall", time.perf_counter, lines[-told.events + 100 : -half]),
                ("CPU", time.thread_time, lines[-half:]),
            )
            for name, clock, part in clocks:
                parsing, scoring, both = live(engine, part, clock)
                row(f"parse_event, {name}", parsing)
                row(f"Engine.observe_one, {name}", scoring)
                row(f"bytes in to explained score, {name}", both)
            row("isolation forest, ready-made features", forest(engine, lines[-told.events :]))


if __name__ == "__main__":
    main()
