"""Replay from JSON lines to alerts, by stage, beside River half-space trees fed ready-made features.

    python bench/replay.py [--people 2000] [--days 60] [--peer-events 20000]

A drill town is written as uncompressed JSON lines and replayed into a fresh home: read, ordered, journaled, sealed,
scored, told. CPU time of this process; pin it to one core with `taskset -c 0`. Stages are what the named
calls took, calls inside them included; `other` is the rest. A small replay before compiles and loads the kernels. The
peer gets features that are numbers already and does nothing else; parsing and durability are ours alone. Bars: 400,000
events a second, 15 times the peer.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from river.anomaly import HalfSpaceTrees

from tocsin import Engine, ReplayRequest, Settings
from tocsin.behaviour import Model, encode
from tocsin.drill import build
from tocsin.engine import loop, story
from tocsin.sources import gathering
from tocsin.store import Events, Journal

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 7
STAGES = {
    "read and check": (gathering.Gathering, "_read"),
    "digest": (gathering, "digest"),
    "encode": (loop, "encode"),
    "journal": (Journal, "commit"),
    "score and learn": (Model, "observe"),
    "findings": (loop, "findings"),
    "records": (story.Changes, "write"),
    "snapshot": (loop.Engine, "snapshot"),
}


def timed(call: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    @functools.wraps(call)
    def run(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes and gives
        begun = time.process_time()
        try:
            return call(*arguments, **named)
        finally:
            spent[name] += time.process_time() - begun

    return run


def town(folder: Path, people: int, days: int) -> Path:
    build(folder / "town", seed=SEED, days=days, people=people)
    plain = folder / "plain"
    plain.mkdir()
    for path in (folder / "town" / "events").glob("*.gz"):
        (plain / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return plain


def replay(home: Path, logs: Path) -> tuple[int, float]:
    begun = time.process_time()
    with Engine.open(home, Settings()) as engine:
        report = engine.replay(ReplayRequest(paths=[str(logs)]))
    return report.read, time.process_time() - begun


def peer(home: Path, most: int) -> float:
    """Events a second of half-space trees over the first events of a home."""
    with Engine.open(home, Settings(), writer=False) as engine:
        first = next(entry for entry in engine.home.journal.read() if isinstance(entry, Events))
        encoded = encode(first.batch, engine.key)
    columns = np.column_stack(
        [
            encoded.half / 48,
            encoded.weekday / 7,
            np.nan_to_num(encoded.sizes) / 40,
            encoded.values % np.uint64(1_000) / 1_000,
        ]
    )
    rows = [dict(enumerate(row)) for row in columns[:most].tolist()]
    trees = HalfSpaceTrees(seed=SEED)
    begun = time.process_time()
    for row in rows:
        trees.score_one(row)
        trees.learn_one(row)
    return len(rows) / (time.process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--peer-events", type=int, default=16_384)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = town(folder, told.people, told.days)
        small = folder / "small"
        small.mkdir()
        (small / "one.jsonl").write_bytes(next(iter(sorted(logs.iterdir()))).read_bytes())
        replay(folder / "warm", small)
        spent = dict.fromkeys(STAGES, 0.0)
        for stage, (owner, call) in STAGES.items():
            setattr(owner, call, timed(getattr(owner, call), spent, stage))
        events, total = replay(folder / "home", logs)
        river = peer(folder / "home", told.peer_events)
    size = sum(spent.values())
    print(f"{events:,} events, {told.people:,} people, {told.days} days")
    print(f"{'stage':<28}{'CPU s':>8}{'us/event':>10}")
    for stage, seconds in (*spent.items(), ("other", total - size), ("whole", total)):
        print(f"{stage:<28}{seconds:>8.2f}{seconds / events * 1e6:>10.2f}")
    ours = events / total
    print(
        f"events/s: {ours:,.0f} (bar 400,000); River half-space trees {river:,.0f}; {ours / river:.1f} times (bar 15)"
    )


if __name__ == "__main__":
    main()
