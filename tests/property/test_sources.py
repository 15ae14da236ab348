"""What must hold for any input: two ways of reading agree, and neither cutting nor memory changes the order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.addresses import canonical_text
from tocsin.errors import RecordError
from tocsin.event import KINDS, OUTCOMES
from tocsin.sources import Enrichment, gather, parse_event
from tocsin.sources.order import TIE, Orderer

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ZONES = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1995, 1, 1), datetime(2025, 1, 1), timezones=ZONES)  # noqa: DTZ001 - zones are drawn
ORIGIN = st.fixed_dictionaries({}, optional={"device": TEXT | st.none(), "agent_family": TEXT, "odd": st.none()})
RECORD = st.fixed_dictionaries(
    {
        "time": TIMES.map(datetime.isoformat),
        "kind": st.sampled_from(KINDS),
        "subject": TEXT.map(lambda t: f"user:{t}"),
        "action": TEXT,
    },
    optional={
        "resource": TEXT | st.none(),
        "outcome": st.sampled_from(OUTCOMES),
        "count": st.integers(0, 2**60) | st.none(),
        "amount": st.floats(0, 1e12) | st.integers(0, 10**9) | st.none(),
        "privileged": st.booleans() | st.none(),
        "session": TEXT,
        "origin": ORIGIN,
        "unknown": TEXT | st.integers() | st.booleans() | st.none() | st.lists(st.integers(), max_size=2),
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sources")


def events_of(path, spill, **options):
    gathering = gather([path], enrichment=Enrichment(), now=NOW, spill=spill, format="tocsin", **options)
    rows = [row for batch in gathering.batches() for row in batch.to_pylist()]
    return gathering, sorted(rows, key=lambda r: r["source_line"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(RECORD, st.booleans()), min_size=1, max_size=6))
def test_a_block_and_a_single_line_are_read_alike(folder, drawn):
    lines = [json.dumps(record, ensure_ascii=ascii_only).encode() for record, ascii_only in drawn]
    (folder / "log").write_bytes(b"\n".join(lines) + b"\n")
    gathering, rows = events_of(folder / "log", folder)
    assert gathering.set_aside == 0
    for row, line in zip(rows, lines, strict=True):
        event = parse_event(line)
        assert row["time"] == event.time
        for name in ("kind", "subject", "action", "resource", "outcome", "count", "amount", "privileged", "session"):
            assert row[name] == getattr(event, name)
        assert row["origin.device"] == event.origin.device
        assert row["origin.agent_family"] == event.origin.agent_family


GOOD = b'{"time":"2026-03-01T09:00:00.5Z","kind":"api","subject":"user:a","action":"\\u00e9","count":12,"origin":{}}'


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3).filter(lambda b: b"\n" not in b and b"\r" not in b))
def test_a_damaged_line_is_read_alike_or_set_aside_by_both(folder, at, damage):
    line = GOOD[:at] + damage + GOOD[at + 1 :]
    (folder / "log").write_bytes(GOOD + b"\n" + line + b"\n")
    _, rows = events_of(folder / "log", folder)
    try:
        action = parse_event(line.decode("utf-8")).action
    except (RecordError, UnicodeDecodeError):
        return
    if len(rows) == 2:
        assert rows[1]["action"] == action


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=40), max_size=6), st.integers(0, 3))
def test_order_does_not_depend_on_memory(tmp_path_factory, chunks, spill_each):
    def ordered(*, small):
        orderer = Orderer(tmp_path_factory.mktemp("runs"), 1 << 30)
        tie = 0
        for number, chunk in enumerate(chunks):
            times = pa.array(np.array(chunk, np.int64)).cast(pa.timestamp("us", tz="UTC"))
            orderer.add(pa.table({"time": times, TIE: pa.array(np.arange(tie, tie + len(chunk)))}))
            tie += len(chunk)
            if small and number % (spill_each + 1) == 0:
                orderer._spill_run()  # noqa: SLF001 - what a full memory would do
        windows = list(orderer.windows())
        return [pair for w in windows for pair in zip(w["time"].cast(pa.int64()).to_pylist(), w[TIE].to_pylist())]  # noqa: B905 - columns of one table

    assert ordered(small=True) == ordered(small=False) == sorted(ordered(small=True))


@given(st.ip_addresses())
def test_canonical_text_is_stable(address):
    once = canonical_text(str(address))
    assert once is not None
    assert canonical_text(once) == once
