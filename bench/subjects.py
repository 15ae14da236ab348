"""Very many distinct subjects through a model that may hold few: memory, disk an entity, and whether scores stay.

    python bench/subjects.py [--subjects 1e6] [--resident 20e3]

Each subject comes once, in batches of 16,384, with made-up values of its own; every batch some of those who came
long before return, and a model that holds everybody is not run beside it (the tests do that). RSS is that of this
process, code and libraries included. The last lines multiply what was measured an entity; they are extrapolated,
nobody ran them.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from kernel import START_S, made_up

from tocsin.behaviour.model import Model
from tocsin.config import BehaviourSettings, Settings

BATCH = 16_384
HUNDRED_MILLION = 100_000_000
MIB = 1 << 20


def resident_mib() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MIB


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run(subjects: int, resident: int, folder: Path) -> None:
    model = Model(Settings(behaviour=BehaviourSettings(max_entities=resident)), folder)
    begun, first = resident_mib(), 0
    spent = 0.0
    print(f"{'subjects':>12}{'RSS MiB':>12}{'disk MiB':>12}{'bytes each':>12}{'events/s':>12}")
    steps = max(subjects // BATCH, 1)
    for k in range(steps):
        batch = made_up(BATCH, 1 << 40, START_S + k * 600.0, 600.0, np.random.default_rng(k))
        tick = time.perf_counter()
        model.observe(batch, first)
        spent += time.perf_counter() - tick
        first += BATCH
        if (k + 1) % max(steps // 8, 1) == 0 or k == steps - 1:
            disk = on_disk(folder)
            away = max(model.population - resident, 1)
            print(
                f"{model.population:>12,}{resident_mib():>12,.0f}{disk / MIB:>12,.0f}"
                f"{disk / away:>12,.0f}{first / spent:>12,.0f}"
            )
    newest = max(folder.glob("run-*"), key=lambda run: run.stat().st_mtime_ns)
    each = on_disk(newest) / len(np.load(newest / "keys.npy", mmap_mode="r"))
    print(f"RSS before the first event: {begun:,.0f} MiB; after the last: {resident_mib():,.0f} MiB")
    disk = each * HUNDRED_MILLION / 2**30
    print(f"bytes on disk an entity, without runs that wait to be removed: {each:,.0f}")
    print(f"extrapolated to {HUNDRED_MILLION:,} subjects: {disk:,.0f} GiB on disk, twice that while runs are joined")
    keys = HUNDRED_MILLION * 8 / 2**30
    print(f"extrapolated: {keys:,.1f} GiB of sorted keys on disk to search, mapped and not held")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=float, default=1e6)
    parser.add_argument("--resident", type=float, default=20e3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(int(told.subjects), int(told.resident), Path(folder) / "cold")


if __name__ == "__main__":
    main()
