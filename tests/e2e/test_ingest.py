"""`POST /events` against the real server: what was acknowledged is there after the worst of ends."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tocsin.store import Events, Home

sys.path.insert(0, str(Path(__file__).parent))

from serving import Server, make_key

LINES = {"content-type": "application/x-ndjson"}


def events(count, first=0):
    start = datetime.now(UTC) - timedelta(minutes=10)
    return [
        {
            "time": (start + timedelta(milliseconds=first + n)).isoformat(),
            "kind": "api",
            "subject": f"user:{n % 7}",
            "action": "GET",
            "resource": f"table/{first + n}",
        }
        for n in range(count)
    ]


def lines(made):
    return "\n".join(map(json.dumps, made)).encode()


def journaled(folder):
    with Home.open(folder / "home", writer=True) as home:
        entries = [entry for entry in home.journal.read() if isinstance(entry, Events)]
        return [name for entry in entries for name in entry.batch.column("resource").to_pylist()]


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path, "ingest")


def test_acknowledged_events_outlive_kill_9(tmp_path, key):
    with Server(tmp_path) as server:
        with server.client(key, headers=LINES) as client:
            answer = client.post("/events", content=lines(events(500)), headers={"idempotency-key": "one"})
            assert answer.json()["accepted"] == 500
        server.stop(signal.SIGKILL)
    assert sorted(journaled(tmp_path)) == sorted(event["resource"] for event in events(500))
    with Server(tmp_path) as server, server.client(key, headers=LINES) as client:
        again = client.post("/events", content=answer.request.content, headers={"idempotency-key": "one"})
        assert (again.headers["idempotency-replayed"], again.content) == ("true", answer.content)
    assert len(journaled(tmp_path)) == 500


@pytest.mark.heavy
def test_killed_amid_a_stream_every_acknowledged_event_is_there_once(tmp_path, key):
    """Many requests at once, the server killed, and all that was not acknowledged sent again."""
    bodies = {f"body-{n}": lines(events(200, first=n * 1000)) for n in range(40)}
    acknowledged = set()

    def send(server, names):
        with server.client(key, headers=LINES) as client:
            for name in names:
                try:
                    answer = client.post("/events", content=bodies[name], headers={"idempotency-key": name})
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    acknowledged.add(name)

    with Server(tmp_path) as server:
        names = sorted(bodies)
        senders = [threading.Thread(target=send, args=(server, names[at::4])) for at in range(4)]
        for sender in senders:
            sender.start()
        while len(acknowledged) < 8 and any(sender.is_alive() for sender in senders):
            senders[0].join(0.005)
        server.stop(signal.SIGKILL)
        for sender in senders:
            sender.join()
    held = journaled(tmp_path)
    there = {f"body-{int(name.rpartition('/')[2]) // 1000}" for name in held}
    assert acknowledged <= there
    with Server(tmp_path) as server:
        send(server, sorted(set(bodies) - acknowledged))
    held = journaled(tmp_path)
    assert acknowledged == set(bodies)
    assert len(held) == len(set(held)) == 8000


@pytest.mark.heavy
def test_questions_are_answered_while_much_is_read(tmp_path, key):
    asking = make_key(tmp_path, "pep")
    question = {"subject": {"type": "user", "id": "1"}, "action": {"name": "GET"}, "resource": {"type": "t", "id": "1"}}
    with Server(tmp_path) as server, server.client(asking) as pep, server.client(key, headers=LINES) as client:
        pep.post("/access/v1/evaluation", json=question)
        told = []
        body = lines(events(60_000))
        sender = threading.Thread(target=lambda: told.append(client.post("/events", content=body).json()))
        sender.start()
        slowest = 0.0
        while sender.is_alive():
            slowest = max(slowest, pep.post("/access/v1/evaluation", json=question).elapsed.total_seconds())
        assert told[0]["accepted"] == 60_000
        assert 0 < slowest < 1.0
