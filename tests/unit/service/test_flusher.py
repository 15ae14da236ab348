"""The writer: together, in order, never after a failure, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tocsin.errors import StoreError
from tocsin.service.flusher import Flusher


class Engine:
    """Hands over what was put in; writing may be slow, or fail."""

    def __init__(self):
        self.waiting, self.written, self.threads = [], [], set()
        self.gate = threading.Event()
        self.gate.set()
        self.fails = None

    def hand_over(self):
        taken, self.waiting = self.waiting, []
        return Work(self, taken) if taken else None


class Work:
    def __init__(self, engine, items):
        self.engine, self.items = engine, items

    def write(self):
        self.engine.gate.wait(5)
        self.engine.threads.add(threading.current_thread().name)
        if self.engine.fails:
            raise self.engine.fails
        self.engine.written.append(self.items)


def run(scenario, *, every_s=0.005):
    async def main():
        engine, told = Engine(), []
        flusher = Flusher(engine, every_s, told.append)
        flusher.start()
        try:
            await asyncio.wait_for(scenario(engine, flusher), 5)
        finally:
            engine.gate.set()
            await flusher.stop()
        return engine, told

    return asyncio.run(main())


def test_what_waits_is_written_soon_without_anybody_asking():
    async def scenario(engine, _flusher):
        engine.waiting.append(1)
        await asyncio.sleep(0.2)

    engine, _ = run(scenario)
    assert engine.written == [[1]]
    assert engine.threads == {"tocsin-writer_0"}


def test_who_waits_for_the_disk_does_not_wait_for_the_timer():
    async def scenario(engine, flusher):
        for number in range(3):
            engine.waiting.append(number)
            await flusher.durable()
            assert [number] in engine.written

    run(scenario, every_s=60)


def test_all_who_wait_during_one_write_are_served_by_the_next():
    async def scenario(engine, flusher):
        engine.gate.clear()
        engine.waiting.append(0)
        first = asyncio.create_task(flusher.durable())
        await asyncio.sleep(0.02)
        rest = []
        for number in range(1, 50):
            engine.waiting.append(number)
            rest.append(asyncio.create_task(flusher.durable()))
        await asyncio.sleep(0.02)
        assert not first.done()
        assert flusher.writing_s > 0
        engine.gate.set()
        await asyncio.gather(first, *rest)

    engine, _ = run(scenario)
    assert engine.written == [[0], list(range(1, 50))]


def test_a_failure_is_told_once_and_nothing_is_written_afterwards():
    async def scenario(engine, flusher):
        engine.fails = OSError(28, "no space left")
        engine.waiting.append(1)
        with pytest.raises(StoreError, match="no space left"):
            await flusher.durable()
        engine.fails = None
        engine.waiting.append(2)
        with pytest.raises(StoreError):
            await flusher.durable()
        await asyncio.sleep(0.02)

    engine, told = run(scenario)
    assert engine.written == []
    assert len(told) == 1
    assert "no space left" in told[0]


def test_a_stop_writes_what_waits_behind_what_is_being_written():
    async def scenario(engine, _flusher):
        engine.gate.clear()
        engine.waiting.append(1)
        await asyncio.sleep(0.02)
        engine.waiting.append(2)

    engine, _ = run(scenario)
    assert engine.written == [[1], [2]]


def test_a_stop_writes_nothing_behind_a_write_that_fails():
    async def scenario(engine, _flusher):
        engine.gate.clear()
        engine.fails = OSError(5, "broken")
        engine.waiting.append(1)
        await asyncio.sleep(0.02)
        engine.waiting.append(2)
        asyncio.get_running_loop().call_later(0.05, engine.gate.set)

    engine, told = run(scenario)
    assert engine.written == []
    assert len(told) == 1
    assert engine.waiting == [2]


def test_one_who_stops_waiting_harms_nobody():
    async def scenario(engine, flusher):
        engine.gate.clear()
        engine.waiting.append(1)
        left = asyncio.create_task(flusher.durable())
        await asyncio.sleep(0.02)
        left.cancel()
        engine.gate.set()
        engine.waiting.append(2)
        await flusher.durable()

    engine, _ = run(scenario)
    assert engine.written == [[1], [2]]
