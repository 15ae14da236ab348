"""A hosted engine: it scores while another thread makes things durable, and what was handed over survives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from made_up import START, kept, made_up, records

from tocsin import Engine, Settings
from tocsin.config import BehaviourSettings
from tocsin.engine.ruling import Rulings
from tocsin.errors import NotFound


def hosted(home, events, *, every=37, settings=None):
    """Score events one by one while one thread writes every few of them."""
    with Engine.open(home, settings or Settings(), clock=lambda: START) as engine:
        engine.hosted = True
        with ThreadPoolExecutor(1) as writer:
            waiting = []
            for number, event in enumerate(events):
                engine.observe_one(event)
                if number % every == 0 and (work := engine.hand_over()) is not None:
                    waiting.append(writer.submit(work.write))
            for done in waiting:
                done.result()
        engine.hosted = False
        engine.flush()
        return kept(engine), records(engine), engine.home.journal.committed_seq


def plain(home, events):
    with Engine.open(home, Settings(), clock=lambda: START) as engine:
        for event in events:
            engine.observe_one(event)
        engine.flush()
        return kept(engine), records(engine), engine.home.journal.committed_seq


def test_another_thread_writes_what_the_engine_itself_would_have_written(tmp_path):
    events = made_up(1_500)
    scores, told, count = hosted(tmp_path / "hosted", events)
    again, same, other = plain(tmp_path / "plain", events)
    assert count == other == len(events)
    assert len(told[0]) == len(same[0]) > 0
    assert [f.seq for f in told[1]] == [f.seq for f in same[1]]
    assert len(scores[0]) == len(again[0])


def test_what_was_handed_over_and_written_is_there_again_after_a_crash(tmp_path):
    home, events = tmp_path / "home", made_up(900)
    engine = Engine.open(home, Settings(), clock=lambda: START)
    engine.hosted = True
    for event in events[:800]:
        engine.observe_one(event)
    thread = threading.Thread(target=engine.hand_over().write)
    thread.start()
    for event in events[800:]:
        engine.observe_one(event)
    thread.join()
    before = kept(engine)
    engine.home.close()  # the last hundred were never written, as after a crash
    with Engine.open(home, Settings(), clock=lambda: START) as again:
        assert again.seq == 800
        assert str(kept(again)) == str([column[:800] for column in before])  # text: NaN stands for late events


def test_a_snapshot_is_written_by_the_other_thread_and_opens(tmp_path):
    settings = Settings(behaviour=BehaviourSettings(snapshot_events=300))
    hosted(tmp_path / "home", made_up(1_000), settings=settings)
    with Engine.open(tmp_path / "home", settings, clock=lambda: START, writer=False) as engine:
        assert engine.home.snapshots.latest().seq >= 300
        assert engine.seq == 1_000


def test_a_ruling_holds_at_once_and_is_durable_with_the_next_hand_over(tmp_path):
    now = START + timedelta(days=1)
    with Engine.open(tmp_path, Settings(), clock=lambda: now) as engine:
        engine.hosted = True
        added = Rulings(engine).restrict("user:1", "suspend", hours=2, cause="seen", by="ops", now=now)
        assert [r.id for r in engine.story.responder.in_force("user:1", now)] == [added.id]
        with pytest.raises(NotFound):
            engine.home.records.restriction(added.id)
        engine.hand_over().write()
        assert engine.home.records.restriction(added.id).state == "active"
        lifted = Rulings(engine).lift(added.id, by="ops", now=now)
        assert lifted.state == "lifted"
        assert not engine.story.responder.in_force("user:1", now)
        engine.hand_over().write()
        assert [row.action for row in engine.home.records.audit_rows()][:2] == ["lift", "restrict"]
        assert engine.home.records.verify_audit() is None
        engine.hosted = False
    with Engine.open(tmp_path, Settings(), clock=lambda: now, writer=False) as again:
        assert not again.story.responder.in_force("user:1", now)


def test_an_answer_that_fails_leaves_the_event_in_the_journal(tmp_path):
    def fails(_event, score):
        raise ValueError(score.seq)

    with Engine.open(tmp_path, Settings(), clock=lambda: START) as engine:
        first, second = made_up(2)
        with pytest.raises(ValueError, match="0"):
            engine.observe_ready(engine.ready(first), fails)
        engine.observe_one(second)
        engine.flush()
        assert engine.home.journal.committed_seq == engine.seq == 2
