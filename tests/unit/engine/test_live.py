"""Live events one by one say what the same events say in batches, and survive what batches survive."""

from __future__ import annotations

import pytest
from made_up import START, kept, made_up, records

from tocsin import Engine, Settings, to_batch
from tocsin.store import Events


def enriched(engine, events):
    return to_batch([engine.enrichment.enrich_one(event) for event in events])


@pytest.fixture
def batches(tmp_path):
    """What two thousand events are given in batches of 300."""
    events = made_up(2_000)
    with Engine.open(tmp_path / "batches", Settings(), clock=lambda: START) as engine:
        scored = [engine.observe(enriched(engine, events[at : at + 300])) for at in range(0, 2_000, 300)]
        return events, kept(engine), records(engine), sum(len(s.findings) for s in scored)


def same(left, right):
    assert str(left) == str(right)  # NaN is NaN


def test_one_by_one_as_in_batches(tmp_path, batches):
    events, scores, told, found = batches
    assert found
    with Engine.open(tmp_path / "live", Settings(), clock=lambda: START) as engine:
        live = [engine.observe_one(event) for event in events]
        engine.flush()
        same(kept(engine), scores)
        assert records(engine) == told
        assert [score.seq for score in live] == list(range(2_000))
        assert sum(score.alert for score in live) == found
        assert all(score.reasons for score in live if score.alert)
        rows = [entry.batch for entry in engine.home.journal.read() if isinstance(entry, Events)]
        assert sum(batch.num_rows for batch in rows) == 2_000


def test_both_ways_mixed_and_opened_again(tmp_path, batches):
    events, scores, told, _ = batches
    at = 0
    while at < 2_000:
        with Engine.open(tmp_path / "mixed", Settings(), clock=lambda: START) as engine:
            for event in events[at : at + 130]:
                engine.observe_one(event)
            engine.observe(enriched(engine, events[at + 130 : at + 400]))
            engine.observe_one(events[at + 400]) if at + 400 < 2_000 else None
            at = engine.seq
    with Engine.open(tmp_path / "mixed", Settings(), clock=lambda: START, writer=False) as engine:
        same(kept(engine), scores)
        assert records(engine) == told


def test_what_was_flushed_survives_a_kill_and_the_rest_is_scored_again_alike(tmp_path, batches):
    events, scores, told, _ = batches
    engine = Engine.open(tmp_path / "live", Settings(), clock=lambda: START)
    for event in events[:700]:
        engine.observe_one(event)
    engine.flush()
    for event in events[700:900]:
        engine.observe_one(event)
    engine.home.close()  # as a kill does
    with Engine.open(tmp_path / "live", Settings(), clock=lambda: START) as again:
        assert again.seq == 700
        for event in events[700:]:
            again.observe_one(event)
        again.flush()
        same(kept(again), scores)
        assert records(again) == told
