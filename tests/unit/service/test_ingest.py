"""`POST /events` over the real application, engine and journal, in this process."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import timedelta
from types import SimpleNamespace

import httpx
import msgspec
import pytest
import zstandard

from tocsin import Engine, Settings
from tocsin.config.settings import IngestSettings
from tocsin.service import ingest
from tocsin.service.app import App
from tocsin.store import Events

from .conftest import NOW

LINES = "application/x-ndjson"
COUNTS = ("accepted", "duplicates", "late", "set_aside", "left_out")


def event(second=0, **fields):
    time = (NOW - timedelta(hours=1) + timedelta(seconds=second)).isoformat()
    return {"time": time, "kind": "api", "subject": "user:ada", "action": "GET", **fields}


def lines(*events):
    return "\n".join(e if isinstance(e, str) else json.dumps(e) for e in events).encode()


class Door:
    """A server with its engine, in one event loop that lasts between requests."""

    def __init__(self, make_house, home, **settings):
        self.settings = Settings(ingest=IngestSettings(**settings))
        self.engine = Engine.open(home, self.settings, clock=lambda: NOW)
        self.house = make_house(engine=self.engine, settings=self.settings, verifier=SimpleNamespace(failed=""))
        self.app = App(self.house, ingest.routes(self.house))
        self.runner = asyncio.Runner()
        self.runner.run(self._start())

    async def _start(self):
        self.house.flusher.start()

    async def send(self, body, media="application/json", key="tsn_ingest", **headers):
        transport = httpx.ASGITransport(self.app)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"authorization": f"Bearer {key}", "content-type": media, **named}
        async with httpx.AsyncClient(transport=transport, base_url="http://tocsin.example") as client:
            return await client.post("/events", content=body, headers=given)

    def post(self, body, media="application/json", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer = self.runner.run(self.send(body, media, **headers))
        told = answer.json()
        if "records" in told:
            assert sum(told[name] for name in COUNTS) == told["records"]
        return answer

    def journaled(self):
        """Rows of the journal, those that are durable alone."""
        entries = [e for e in self.engine.home.journal.read() if isinstance(e, Events)]
        return [row for entry in entries for row in entry.batch.to_pylist()]

    def close(self):
        self.runner.run(self.house.flusher.stop())
        self.runner.close()
        self.engine.close()


@pytest.fixture
def door(make_house, tmp_path):
    opened = []

    def make(**settings):
        while opened:
            opened.pop().close()
        opened.append(Door(make_house, tmp_path / "home", **settings))
        return opened[0]

    yield make
    while opened:
        opened.pop().close()


def test_one_event_is_durable_when_it_is_acknowledged(door):
    at = door()
    answer = at.post(event(origin={"address": "203.0.113.9"}))
    assert answer.status_code == 200
    assert answer.json() == {
        "records": 1, "accepted": 1, "duplicates": 0, "late": 0, "set_aside": 0, "left_out": 0, "problems": []
    }  # fmt: skip
    (row,) = at.journaled()
    assert (row["subject"], row["origin.network"], row["outcome"]) == (
        "user:ada",
        "documentation 203.0.0.0/16",
        "unknown",
    )
    assert (row["source_file"], row["source_line"]) == ("POST /events by ingest-1", 1)


def test_a_list_and_lines_are_journaled_in_the_order_of_time(door):
    at = door()
    at.post([event(2, action="c"), event(0, action="a"), event(1, action="b")])
    at.post(lines(event(12, action="f"), event(10, action="d"), event(11, action="e")), LINES)
    assert [row["action"] for row in at.journaled()] == ["a", "b", "c", "d", "e", "f"]


def test_a_bad_event_does_not_fail_the_others(door):
    at = door()
    told = at.post([event(), {"kind": "api"}, 7, event(1, subject="ada"), event(2)]).json()
    assert (told["accepted"], told["set_aside"]) == (2, 3)
    assert sorted(problem["index"] for problem in told["problems"]) == [1, 2, 3]
    assert all(problem["reason"] for problem in told["problems"])
    told = at.post(lines("{", event(3), "", event(4, kind="nothing")), LINES).json()
    assert (told["accepted"], told["set_aside"]) == (1, 2)
    assert sorted(problem["line"] for problem in told["problems"]) == [1, 4]


def test_problems_are_listed_up_to_a_hundred_and_counted_all(door):
    told = door().post(lines(event(), *["x"] * 250), LINES).json()
    assert (told["accepted"], told["set_aside"], len(told["problems"])) == (1, 250, 100)


@pytest.mark.parametrize("body", [b"", b"  \n", b"[", b"[]", b"nonsense", b"{}", b'"x"', b"[1,2]", b"\xff\xfe\x00"])
def test_a_body_without_any_event_is_refused(door, body):
    at = door()
    answer = at.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "no-event")
    assert answer.headers["content-type"] == "application/problem+json"
    assert not at.journaled()


def test_what_only_tocsin_may_say_is_not_believed(door):
    at = door()
    at.post(event(source_file="forged", source_line=9, decision="{}"))
    (row,) = at.journaled()
    assert (row["source_file"], row["source_line"], row["decision"]) == ("POST /events by ingest-1", 1, None)


def test_an_event_met_before_is_a_duplicate_whatever_request_brings_it(door):
    at = door()
    first = at.post([event(uid="a"), event(uid="a"), event(1, uid="b")]).json()
    assert (first["accepted"], first["duplicates"]) == (2, 1)
    again = at.post([event(1, uid="b"), event(2, uid="c"), event(2)]).json()
    assert (again["accepted"], again["duplicates"]) == (2, 1)
    at = door()  # the same home, opened again
    again = at.post([event(1, uid="b"), event(3, uid="d")]).json()
    assert (again["accepted"], again["duplicates"]) == (1, 1)


def test_a_uid_alone_does_not_have_another_event_passed_over(door):
    at = door()
    at.post(event(uid="a"))
    assert at.post(event(uid="a", subject="user:eve")).json()["accepted"] == 1
    assert at.post(event(uid="a", action="PUT")).json()["accepted"] == 1


def test_memory_of_events_is_bounded(door):
    at = door(recent_events=2)
    at.post([event(0, uid="a"), event(1, uid="b"), event(2, uid="c")])
    assert at.post(event(0, uid="a")).json()["accepted"] == 1
    assert at.post(event(2, uid="c")).json()["duplicates"] == 1


def test_an_event_ahead_of_the_clock_is_set_aside_lest_all_that_follows_be_late(door):
    told = door().post([event(3600 + 299), event(3600 + 301), event()]).json()
    assert (told["accepted"], told["set_aside"]) == (2, 1)
    assert told["problems"][0]["reason"] == "its time lies more than 5 minutes ahead"


def test_a_late_event_is_counted_and_kept(door):
    at = door()
    told = at.post([event(), event(-7200)]).json()
    assert (told["accepted"], told["late"]) == (2, 0), "those of one request are put in order"
    told = at.post([event(5), event(-7100)]).json()
    assert (told["accepted"], told["late"]) == (1, 1)
    assert len(at.journaled()) == 4


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)])
def test_packed_bodies(door, coding, pack):
    at = door(expanded_bytes=4096)
    packed = pack(lines(event(), event(1)))
    assert at.post(packed, LINES, content_encoding=coding).json()["accepted"] == 2
    assert at.post(pack(b" " * 1_000_000), LINES, content_encoding=coding).status_code == 413
    assert at.post(packed[:-9], LINES, content_encoding=coding).status_code == 400
    assert at.post(packed, LINES).status_code == 400, "packed, and not said so"
    assert at.post(lines(event()), LINES, content_encoding=coding).status_code == 400
    assert at.post(pack(packed), LINES, content_encoding=coding).status_code == 400, "packed twice"


def test_an_unknown_coding_or_type_is_refused(door):
    at = door()
    answer = at.post(event(), content_encoding="br")
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, zstd")
    assert at.post(b"<event/>", "application/xml").status_code == 415


def test_too_many_records_or_bytes_are_refused_whole(door):
    at = door(records=3, body_bytes=2048)
    assert at.post(lines(*map(event, range(3))), LINES).status_code == 200
    assert at.post(lines(*map(event, range(3, 7))), LINES).status_code == 413
    assert at.post([event(second) for second in range(3, 7)]).status_code == 413
    assert at.post(event(resource="x" * 3000)).status_code == 413
    assert len(at.journaled()) == 3


@pytest.mark.parametrize(("key", "status"), [("tsn_admin", 200), ("tsn_pep", 403), ("tsn_reader", 403), ("x", 401)])
def test_only_ingest_and_admin_may(door, key, status):
    assert door().post(event(), key=key).status_code == status


class TestIdempotency:
    def test_the_same_again_is_answered_and_not_observed(self, door):
        at = door()
        first = at.post([event(), {}], idempotency_key="one")
        again = at.post([event(), {}], idempotency_key="one")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert len(at.journaled()) == 1

    def test_it_outlives_the_process(self, door):
        first = door().post([event(), {}], idempotency_key="one")
        at = door()
        assert at.post([event(), {}], idempotency_key="one").content == first.content
        assert len(at.journaled()) == 1

    def test_a_key_with_another_request_is_refused(self, door):
        at = door()
        at.post(event(), idempotency_key="one")
        assert at.post(event(1), idempotency_key="one").status_code == 422
        assert at.post(lines(event()), LINES, idempotency_key="one").status_code == 422
        assert at.post(event(1), idempotency_key="one", key="tsn_admin").status_code == 200, "another caller's key"

    def test_a_refusal_is_not_remembered(self, door):
        at = door()
        assert at.post({}, idempotency_key="one").status_code == 400
        assert at.post(event(), idempotency_key="one").status_code == 200

    def test_only_one_of_two_at_once_is_observed(self, door):
        at = door()
        body = json.dumps(event()).encode()

        async def both():
            return await asyncio.gather(*(at.send(body, idempotency_key="one") for _ in range(2)))

        assert sorted(answer.status_code for answer in at.runner.run(both())) == [200, 409]
        assert len(at.journaled()) == 1

    def test_events_that_got_through_before_a_crash_are_found_by_the_retry(self, door):
        at = door()
        at.post([event(), event(1)], idempotency_key="one")
        with at.engine.home._database.write() as connection:  # noqa: SLF001 - the crash between journal and answer
            connection.exec_driver_sql("DELETE FROM answers")
        at = door()
        told = at.post([event(), event(1)], idempotency_key="one").json()
        assert (told["accepted"], told["duplicates"]) == (0, 2)

    def test_the_oldest_are_forgotten(self, door):
        at = door(answers=2, recent_events=0)
        for name in ("a", "b", "c"):
            at.post(event(), idempotency_key=name)
        at.post(event(), idempotency_key="c")
        assert len(at.journaled()) == 3
        at.post(event(), idempotency_key="a")
        assert len(at.journaled()) == 4
        assert len(at.engine.home.answers.since(NOW - timedelta(days=1))) == 2

    @pytest.mark.parametrize("key", ["", "two words", "x" * 256])
    def test_a_malformed_key_is_refused(self, door, key):
        assert door().post(event(), idempotency_key=key).status_code == 400


def test_when_too_much_waits_more_is_turned_away(door):
    at = door(waiting_bytes=1024)
    body = json.dumps([event(n, resource="x" * 300) for n in range(2)]).encode()

    async def many():
        return await asyncio.gather(*(at.send(body) for _ in range(5)))

    answers = at.runner.run(many())
    assert {answer.status_code for answer in answers} == {200, 429}
    turned_away = next(answer for answer in answers if answer.status_code == 429)
    assert int(turned_away.headers["retry-after"]) >= 1
    accepted = sum(answer.json()["accepted"] for answer in answers if answer.status_code == 200)
    assert len(at.journaled()) == accepted
    assert at.post(event()).status_code == 200, "and taken again afterwards"


def test_no_acknowledgement_without_a_disk(door, monkeypatch):
    at = door()
    at.post(event())

    def full():
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(at.engine.home.journal, "commit", full)
    assert at.post(event(1)).status_code == 503
    monkeypatch.undo()
    assert at.post(event(2)).status_code == 503, "only a restart mends it: nobody knows what is on disk"
    assert len(at.journaled()) == 1
    at.engine.close = at.engine.home.close  # it ends as a process that is killed does


def test_what_was_ingested_is_counted_for_prometheus(door):
    at = door()
    at.post([event(uid="a"), event(uid="a"), {}])
    shown = at.house.metrics.exposition().decode()
    for line in ("accepted_total 1.0", "duplicates_total 1.0", "set_aside_total 1.0"):
        assert f"tocsin_ingest_{line}" in shown
    assert "tocsin_ingest_waiting_bytes 0.0" in shown


def test_the_receipt_tells_all_there_is():
    assert set(msgspec.to_builtins(ingest.Receipt())) == {*COUNTS, "records", "problems"}
