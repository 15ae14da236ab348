"""A writer killed with -9 at random moments: nothing acknowledged is lost, nothing is torn."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from tocsin.store import Control, Home

WRITER = """
import sys
from datetime import UTC, datetime
import numpy as np
from tocsin.event import Event, to_batch
from tocsin.store import Home

def batch(first, count):
    return to_batch([
        Event(time=datetime(2025, 3, 1, tzinfo=UTC), kind="api", subject=f"user:p{i % 97}", action="read",
              resource=f"table/{i}", source_file="made-up.log", source_line=i + 1)
        for i in range(first, first + count)
    ])

with Home.open(sys.argv[1], writer=True, segment_bytes=60_000) as home:
    print("ready", home.journal.next_seq, flush=True)
    seq = home.journal.next_seq
    while True:
        size = 1 + seq % 40
        home.journal.append_control("at", str(seq).encode())
        home.journal.append_events(batch(seq, size), (np.arange(seq, seq + size) % 97 + seq // 500).astype(np.uint64))
        if seq % 3 == 0:
            home.journal.spill()
        seq += size
        home.journal.commit()
        print(seq, flush=True)
"""


def killed_run(home, after_s):
    """Run the writer, kill it, and return what it last acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter
    assert process.stdout.readline().startswith("ready")
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()
    whole = [line for line in lines if line.endswith("\n")]
    return int(whole[-1]) if whole else 0


def journaled(home):
    """The lines in the journal, in order, controls checked on the way."""
    lines = []
    for item in home.journal.read():
        if isinstance(item, Control):
            assert (item.seq, item.body) == (len(lines), str(len(lines)).encode())
        else:
            assert item.first_seq == len(lines)
            assert item.batch.column("resource").to_pylist() == [
                f"table/{i}" for i in range(len(lines), len(lines) + item.batch.num_rows)
            ]
            lines += item.batch.column("source_line").to_pylist()
    return lines


def run_and_check(path, rounds, seed):
    chance = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    for _ in range(rounds):
        acknowledged = killed_run(path, chance.uniform(0.0, 0.4))
        with Home.open(path, writer=True, segment_bytes=60_000) as home:
            lines = journaled(home)
            assert len(lines) == home.journal.next_seq == home.journal.committed_seq >= acknowledged
            assert lines == list(range(1, len(lines) + 1))
            assert home.records.verify_audit() is None


def test_a_writer_killed_three_times_loses_nothing_acknowledged(tmp_path):
    run_and_check(tmp_path / "h", 3, seed=5)


@pytest.mark.heavy
def test_a_writer_killed_fifteen_times_loses_nothing_acknowledged(tmp_path):
    run_and_check(tmp_path / "h", 15, seed=6)
