"""A file of scores is made from what the home holds, and a home that lost its scores says so."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow.parquet as pq
import pytest

from tocsin import Engine, Event, Settings
from tocsin.engine import ReplayRequest
from tocsin.errors import StoreError

START = datetime(2026, 1, 5, tzinfo=UTC)
COUNT = 300


def log(path, first, count):
    events = [
        Event(time=START + timedelta(minutes=i), kind="api", subject=f"user:{i % 5}", action=f"act{i % 3}")
        for i in range(first, first + count)
    ]
    path.write_bytes(msgspec.json.Encoder(enc_hook=str).encode_lines(events))
    return path


def replay(tmp_path, *names):
    request = ReplayRequest(paths=[str(tmp_path / name) for name in names], scores=tmp_path / "scores.parquet")
    with Engine.open(tmp_path / "home", Settings(), clock=lambda: START + timedelta(days=9)) as engine:
        engine.replay(request)
    return pq.read_table(tmp_path / "scores.parquet")


@pytest.fixture
def whole(tmp_path):
    log(tmp_path / "a", 0, COUNT)
    table = replay(tmp_path, "a")
    assert table.num_rows == COUNT
    (tmp_path / "scores.parquet").unlink()
    return table


@pytest.mark.parametrize("lost", ["all", "one"])
def test_lost_scores_are_told_and_what_the_hint_says_brings_them_back(tmp_path, whole, lost):
    home = tmp_path / "home"
    if lost == "all":
        (home / "scores.dat").unlink()
    else:
        os.truncate(home / "scores.dat", (home / "scores.dat").stat().st_size - 1)
    with pytest.raises(StoreError, match=f"ends before event {COUNT - 1} of the journal") as caught:
        replay(tmp_path, "a")
    assert all(f"`{name}`" in caught.value.hint for name in ("scores.dat", "snapshots", "cold"))
    assert not list(tmp_path.glob("scores.parquet*")), "nor is half a file left"
    (home / "scores.dat").unlink()
    for folder in ("snapshots", "cold"):
        shutil.rmtree(home / folder, ignore_errors=True)
    assert replay(tmp_path, "a").equals(whole)


def test_more_events_do_not_paper_over_lost_scores(tmp_path, whole):
    assert whole.num_rows == COUNT
    (tmp_path / "home" / "scores.dat").unlink()
    log(tmp_path / "b", COUNT, 50)
    with pytest.raises(StoreError, match="do not follow") as caught:
        replay(tmp_path, "b")
    assert "`snapshots`" in caught.value.hint
