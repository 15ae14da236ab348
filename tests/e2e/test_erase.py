"""Erasing a person reaches journal, profile, snapshots, scores and open alerts, and no crash undoes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from tocsin.config import Settings
from tocsin.engine import Engine, ReplayRequest
from tocsin.errors import HomeLocked, StoreError
from tocsin.event import Event, Origin, to_batch

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PEOPLE = ("ada", "bo", "cy", "dee", "eve", "fay")


def ordinary(first_day, days):
    for day in range(first_day, first_day + days):
        for hour in range(8):
            for minute, subject in enumerate(PEOPLE):
                yield Event(
                    time=START + timedelta(days=day, hours=hour, minutes=7 * minute),
                    kind="api",
                    subject=f"user:{subject}",
                    action="ReadRows",
                    resource=f"table/{subject}",
                    outcome="success",
                    bytes_out=2_000,
                    origin=Origin(address="10.1.0.7", network="AS64500", country="GB"),
                )


def night(subject, day):
    for minute in range(6):
        yield Event(
            time=START + timedelta(days=day, hours=18, minutes=minute),
            kind="api",
            subject=f"user:{subject}",
            action="ExportTable",
            resource="table/customers",
            bytes_out=900_000_000,
            origin=Origin(address="203.0.113.9", network="AS64511", country="BR"),
            privileged=True,
            sensitive=True,
        )


@pytest.fixture
def home(tmp_path):
    with Engine.open(tmp_path / "home", Settings(), clock=lambda: START) as engine:
        engine.observe(to_batch(list(ordinary(0, 20))))
        assert engine.observe(to_batch(list(night("ada", 20)))).findings
    return tmp_path / "home"


def state_of(path):
    """What of ada can be found: profile, risk, alerts in memory, files that hold her profile."""
    with Engine.open(path, Settings(), clock=lambda: START, writer=False) as engine:
        return engine.profile("user:ada"), engine.risk("user:ada").band, "user:ada" in engine.story.names()


def test_erasing_reaches_profile_story_snapshots_and_scores(home):
    assert state_of(home)[0]["events"] == 166
    assert state_of(home)[1:] != ("low", False)
    with Engine.open(home, Settings(), clock=lambda: START) as engine:
        others = engine.model.population - 1
        assert engine.erase("user:ada", "bo") == 166
        assert engine.profile("user:ada") is None
        assert engine.model.population == others
    assert state_of(home) == (None, "low", False)
    assert len(list((home / "snapshots").glob("0*"))) == 1
    with Engine.open(home, Settings(), clock=lambda: START, writer=False) as engine:
        scores = engine.home.scores.read(0, engine.seq)
        subjects = [
            s for e in engine.home.journal.read() if hasattr(e, "batch") for s in e.batch["subject"].to_pylist()
        ]
        assert [s == "erased:subject" for s in subjects] == scores.late.tolist()
        assert scores.trace[scores.late].sum() == 0
        assert "user:ada" not in str(engine.home.records.alerts()) + str(engine.home.records.findings())
        assert "user:ada" not in str(engine.home.records.restrictions()) + str(engine.home.records.audit_rows())


def test_a_crash_after_erasing_changes_nothing(home):
    with Engine.open(home, Settings(), clock=lambda: START) as engine:
        engine.erase("user:ada")
    engine = Engine.open(home, Settings(), clock=lambda: START)
    expected = engine.observe(to_batch(list(ordinary(21, 3))))
    engine.home.close()  # as a kill does: no snapshot
    with Engine.open(home, Settings(), clock=lambda: START) as again:
        kept = again.home.scores.read(expected.first_seq, again.seq)
        assert kept.tail.tolist() == expected.tail_bits.astype("float32").tolist()
        assert again.profile("user:ada")["events"] == 24


def test_an_erasure_cut_off_before_its_snapshot_is_ordered_again(home, monkeypatch):
    engine = Engine.open(home, Settings(), clock=lambda: START)
    monkeypatch.setattr(engine, "snapshot", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        engine.erase("user:ada")
    engine.home.close()
    with Engine.open(home, Settings(), clock=lambda: START) as again:
        assert again.profile("user:ada") is None
        assert again.erase("user:ada") == 166
    assert state_of(home) == (None, "low", False)


def test_idle_profiles_on_disk_are_erased_too(tmp_path):
    behaviour = Settings().behaviour.__class__(max_entities=3, batch_rows=64)
    settings = Settings(behaviour=behaviour)
    with Engine.open(tmp_path / "home", settings, clock=lambda: START) as engine:
        for event in ordinary(0, 3):
            engine.observe(to_batch([event]))
        assert list((tmp_path / "home" / "cold").glob("run-*"))
        assert engine.profile("user:ada")["events"] == 24
        engine.erase("user:ada")
        assert engine.profile("user:ada") is None
        engine.observe(to_batch(list(ordinary(4, 1))))
        assert engine.profile("user:ada")["events"] == 8
        assert engine.profile("user:bo")["events"] == 32


def test_a_reader_sees_all_beside_a_writer_and_writes_nothing(home):
    with Engine.open(home, Settings(), clock=lambda: START) as writer:
        writer.observe(to_batch(list(ordinary(21, 2))))  # not yet in any snapshot
        before = sorted((p, p.stat().st_mtime_ns, p.stat().st_size) for p in home.rglob("*") if "sqlite" not in p.name)
        with Engine.open(home, Settings(), clock=lambda: START, writer=False) as reader:
            assert reader.profile("user:bo") == writer.profile("user:bo")
            assert reader.risk("user:ada") == writer.risk("user:ada")
            with pytest.raises(StoreError, match="opened for reading"):
                reader.observe(to_batch(list(ordinary(24, 1))))
        after = sorted((p, p.stat().st_mtime_ns, p.stat().st_size) for p in home.rglob("*") if "sqlite" not in p.name)
        assert after == before
        with pytest.raises(HomeLocked):
            Engine.open(home, Settings(), clock=lambda: START)


def test_the_command_erases_and_scores_of_the_erased_are_null(tocsin_here, tmp_path):
    log = tmp_path / "log.jsonl"
    rows = [
        json.dumps({"time": e.time.isoformat(), "kind": e.kind, "subject": e.subject, "action": e.action})
        for e in ordinary(0, 4)
    ]
    log.write_text("\n".join(rows) + "\n")
    assert tocsin_here("replay", log).status == 0
    ran = tocsin_here("entity", "erase", "user:ada", "--yes", "--json")
    assert json.loads(ran.out) == {"entity": "user:ada", "events": 32}
    assert tocsin_here("entity", "show", "user:ada").status == 5
    assert tocsin_here("entity", "show", "user:bo").status == 0
    with Engine.open(tmp_path / "tocsin-home", Settings(), clock=lambda: START) as engine:
        engine.replay(ReplayRequest(paths=[str(log)], scores=tmp_path / "scores.parquet"))
    scores = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert len(scores) == len(rows)
    erased = [row for row in scores if row["subject"] == "erased:subject"]
    assert len(erased) == 32
    assert all(row["tail_bits"] is None for row in erased)
