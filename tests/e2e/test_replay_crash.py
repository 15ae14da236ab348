"""A replay killed with -9 at random moments and run again until it ends says what an uninterrupted one says."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from tocsin.store import Events, Home

COMMAND = [sys.executable, "-m", "tocsin"]
SETTINGS = """
[behaviour]
snapshot_events = {snapshot}
batch_rows = {rows}
max_entities = {entities}
"""
SMALL = {"snapshot": 2_500, "rows": 700, "entities": 40}


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
    return kept | {"COLUMNS": "100"}


def tocsin(*arguments):
    done = subprocess.run(  # noqa: S603 - the command under test
        [*COMMAND, *map(str, arguments)], env=environment(), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def killed(after_s, *arguments):
    """Run a command and kill it after a while; whether it had ended by itself."""
    process = subprocess.Popen(  # noqa: S603 - the command under test
        [*COMMAND, *map(str, arguments)], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}, err
    return process.returncode == 0


def records(home):
    """Everything a person can read of a home, and what it took in, in order."""
    with Home.open(home, writer=False) as opened:
        batches = [entry.batch for entry in opened.journal.read() if isinstance(entry, Events)]
        return {
            "alerts": opened.records.alerts(),
            "findings": opened.records.findings(),
            "restrictions": opened.records.restrictions(),
            "lines": [line for batch in batches for line in batch.column("source_line").to_pylist()],
        }


def same_scores(one, other):
    a, b = pq.read_table(one), pq.read_table(other)
    assert a.num_rows == b.num_rows
    for name in a.column_names:
        left, right = a[name].combine_chunks(), b[name].combine_chunks()
        assert left.equals(right), f"{name} differs from row {np.flatnonzero(~np.array(left == right))[:3]} on"


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    """Two halves of a small town, and what became known of some of its events."""
    folder = tmp_path_factory.mktemp("town")
    tocsin("drill", "--people", 60, "--days", 20, "--seed", 11, "--out", folder / "drill")
    lines = [line for path in sorted((folder / "drill").rglob("*.jsonl.gz")) for line in events_of(path)]
    lines.sort(key=lambda line: json.loads(line)["time"])
    half = len(lines) * 2 // 3
    for name, part in (("first", lines[:half]), ("second", lines[half:])):
        (folder / name).mkdir()
        for quarter in range(3):  # several files whose times overlap
            (folder / name / f"{quarter}.jsonl").write_bytes(b"".join(part[quarter::3]))
    rows = [
        f"{name}/{q}.jsonl,{line},{int(line % 7 == 0)}"
        for name in ("first", "second")
        for q in range(3)
        for line in range(1, half // 3, 5)
    ]
    (folder / "labels.csv").write_text("source_file,source_line,label\n" + "\n".join(rows) + "\n")
    return folder


def events_of(path):
    with gzip.open(path) as file:
        return [line for line in file if b'"subject"' in line and b'"time"' in line]


def compare(town, tmp_path, kills, seed, *more, most_s):
    """Run two replays over one home, uninterrupted and killed; `kills` kills are spread over both."""
    chance = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    count = 0
    for name in ("first", "second"):
        for home, shape in (("whole", {**SMALL, "rows": 65_536, "entities": 1_000_000}), ("killed", SMALL)):
            config = tmp_path / f"{home}.toml"
            config.write_text(SETTINGS.format(**shape))
            arguments = ("replay", town / name, "--home", tmp_path / home, "--config", config, *more)
            arguments += ("--scores", tmp_path / f"{home}-{name}.parquet")
            for _ in range((kills + 1) // 2 if home == "killed" else 0):
                count += not killed(chance.uniform(0.5, most_s), *arguments)
            tocsin(*arguments)
        same_scores(tmp_path / f"whole-{name}.parquet", tmp_path / f"killed-{name}.parquet")
        whole, broken = records(tmp_path / "whole"), records(tmp_path / "killed")
        for what, expected in whole.items():
            assert broken[what] == expected, what
    assert not (tmp_path / "killed" / "spill").exists()
    return count


@pytest.mark.heavy
def test_five_kills_change_nothing(town, tmp_path):
    assert compare(town, tmp_path, 5, 1, most_s=4.0) >= 3


@pytest.mark.heavy
def test_five_kills_change_nothing_when_labels_arrive_late(town, tmp_path):
    labels = ("--labels", town / "labels.csv", "--label-delay", "2d")
    assert compare(town, tmp_path, 5, 2, *labels, most_s=5.0) >= 3
