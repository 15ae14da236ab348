"""Made-up events for the store's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from tocsin.event import Event, Origin, to_batch
from tocsin.store import Home

START = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)


def clock():
    return START


def open_home(path, *, writer=True, **more):
    return Home.open(path, writer=writer, clock=clock, **more)


def events(count, *, first=0, people=5, source_file="made-up.log"):
    return to_batch(
        [
            Event(
                time=START + timedelta(seconds=i),
                kind="api",
                subject=f"user:p{i % people}",
                action="read",
                resource=None if i % 3 else f"table/{i}",
                origin=Origin(address=f"192.0.2.{i % 250}", agent="agent \u00e9\u4e16"),
                outcome="success",
                bytes_out=i,
                privileged=None if i % 2 else True,
                source_file=source_file,
                source_line=i + 1,
            )
            for i in range(first, first + count)
        ]
    )


def hashes(batch):
    names = batch.column("subject").to_pylist()
    return np.array([int(n.rpartition("p")[2]) + 11 for n in names], np.uint64)


def append(home, batch):
    return home.journal.append_events(batch, hashes(batch))


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0xFF]))


@pytest.fixture
def made():
    """What tests of this room are made of; a fixture because a test folder is no package."""
    return SimpleNamespace(
        open_home=open_home, events=events, hashes=hashes, append=append, flip=flip, clock=clock, START=START
    )
