"""A disk that fills up, played by a limit on file size in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PREAMBLE = """
import resource, sys
from datetime import UTC, datetime
import numpy as np
from tocsin.errors import DiskFull
from tocsin.event import Event, to_batch
from tocsin.store import Home

def batch(first, count):
    return to_batch([
        Event(time=datetime(2025, 3, 1, tzinfo=UTC), kind="api", subject=f"user:p{i}", action="read",
              resource="x" * 50, source_file="made-up.log", source_line=i + 1)
        for i in range(first, first + count)
    ])

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def hashes(first, count):
    return np.arange(first + 1, first + count + 1).astype(np.uint64)

def full(call):
    try:
        call()
    except DiskFull as error:
        assert error.hint
        return
    raise AssertionError("the disk was not full")

path = sys.argv[1]
with Home.open(path + "-warm", writer=True) as warm:  # kernels are compiled and cached before the disk fills
    warm.journal.append_events(batch(0, 9), hashes(0, 9))
    warm.journal.commit()
    list(warm.journal.read())
"""

JOURNAL = """
home = Home.open(path, writer=True)
home.journal.append_events(batch(0, 100), hashes(0, 100))
home.journal.commit()
home.journal.append_events(batch(100, 2000), hashes(0, 2000) % 100 + 1)
limit(60_000)
full(home.journal.commit)
assert (home.journal.next_seq, home.journal.committed_seq) == (2100, 100)
full(home.journal.commit)
with Home.open(path, writer=False) as reader:
    assert sum(r.batch.num_rows for r in reader.journal.read()) == 100
limit(resource.RLIM_INFINITY)
home.journal.commit()
assert home.journal.committed_seq == 2100
home.close()
with Home.open(path, writer=True) as home:
    assert home.journal.repaired is None
    rows = [line for r in home.journal.read() for line in r.batch.column("source_line").to_pylist()]
    assert rows == list(range(1, 2101))
"""

KEYS = """
home = Home.open(path, writer=True)
home.journal.append_events(batch(0, 100), hashes(0, 100))
home.journal.commit()
home.journal.append_events(batch(100, 4000), hashes(100, 4000))
limit(50_000)
full(home.journal.commit)
limit(resource.RLIM_INFINITY)
home.journal.commit()
home.close()
with Home.open(path, writer=True) as home:
    rows = [s for r in home.journal.read() for s in r.batch.column("subject").to_pylist()]
    assert rows == [f"user:p{i}" for i in range(4100)]
"""

SNAPSHOT = """
with Home.open(path, writer=True) as home:
    home.snapshots.write(1, {"a": np.zeros(10)}, {})
    limit(50_000)
    full(lambda: home.snapshots.write(2, {"a": np.zeros(10), "b": np.zeros(100_000)}, {}))
    assert home.snapshots.latest().seq == 1
    assert not list((home.path / "snapshots").glob("*.new"))
"""

SCORES = """
with Home.open(path, writer=True) as home:
    ones = np.ones(5000, np.float32)
    columns = (ones, ones, ones, ones > 0, ones > 0, np.ones((5000, 8), np.uint8))
    home.scores.append(0, *columns)
    home.scores.durable()
    home.scores.append(5000, *columns)
    limit(150_000)
    full(home.scores.durable)
    limit(resource.RLIM_INFINITY)
    home.scores.durable()
    assert len(home.scores.read(0, 20_000).surprise) == 10_000
"""

RECORDS = """
home = Home.open(path, writer=True)
for number in range(20):
    home.records.audit("ada", "did", {"number": number})
limit(100_000)
full(lambda: [home.records.audit("ada", "did", {"text": "x" * 5000}) for _ in range(100)])
limit(resource.RLIM_INFINITY)
home.records.audit("ada", "did", {"number": 20})
assert home.records.verify_audit() is None
home.close()
"""


@pytest.mark.parametrize(
    "script", [JOURNAL, KEYS, SNAPSHOT, SCORES, RECORDS], ids=["journal", "keys", "snapshot", "scores", "records"]
)
def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path, script):
    command = [sys.executable, "-W", "error", "-c", PREAMBLE + script, str(tmp_path / "h")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own interpreter
    assert done.returncode == 0, done.stderr
