"""Whatever is sent to `POST /events`: an answer below 500, and every record counted once."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin import Engine, Settings
from tocsin.config.settings import IngestSettings
from tocsin.question import Caller
from tocsin.service import ingest
from tocsin.service.app import App
from tocsin.service.house import House
from tocsin.service.logs import open_log
from tocsin.service.metrics import Metrics
from tocsin.store import Events

NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
COUNTS = ("accepted", "duplicates", "late", "set_aside", "left_out")
MEDIA = (
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "",
    "text/plain",
)


class Keys:
    def caller(self, _token, _now):
        return Caller(id="k", role="ingest")


class Server:
    def __init__(self, home):
        chosen = Settings(ingest=IngestSettings(records=50, body_bytes=20_000, expanded_bytes=40_000))
        self.engine = Engine.open(home, chosen, clock=lambda: NOW)
        self.house = House(
            engine=self.engine, verifier=None, policies=None, identity=None, keys=Keys(), settings=chosen,
            clock=lambda: NOW, metrics=Metrics(), log=open_log("error"),
        )  # fmt: skip
        self.app = App(self.house, ingest.routes(self.house))
        self.runner = asyncio.Runner()
        self.runner.run(self._start())

    async def _start(self):
        self.house.flusher.start()

    def post(self, body, media, headers):
        given = {"authorization": "Bearer tsn_ingest", "content-type": media, **headers}

        async def run():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as client:
                return await client.post("/events", content=body, headers=given)

        return self.runner.run(run())

    def rows(self):
        return sum(e.batch.num_rows for e in self.engine.home.journal.read() if isinstance(e, Events))

    def close(self):
        self.runner.run(self.house.flusher.stop())
        self.runner.close()
        self.engine.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("home"))
    yield made
    made.close()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
seconds = st.integers(0, 9_000).map(lambda s: (NOW - timedelta(seconds=s)).isoformat())
events = st.fixed_dictionaries(
    {"time": seconds | st.just("2026-03-04"), "kind": st.sampled_from(["api", "payment", "no"]),
     "subject": st.sampled_from(["user:a", "user:", "b"]), "action": st.text(max_size=3)},
    optional={"uid": st.sampled_from(["1", "2", ""]), "amount": st.floats() | st.text(max_size=2),
              "origin": anything, "count": st.integers(), "x\ny": anything},
)  # fmt: skip
clouds = st.fixed_dictionaries(
    {"specversion": st.sampled_from(["1.0", "2"]), "id": st.text(max_size=3), "source": st.text(max_size=3),
     "type": st.sampled_from(["t", "tocsin.sshd", "tocsin.cloudtrail", "tocsin.office365", "tocsin.nginx"])},
    optional={"data": events | anything, "time": seconds, "data_base64": st.text(max_size=8)},
)  # fmt: skip
optional = st.fixed_dictionaries({}, optional={"uid": st.text(max_size=2), "count": st.integers(0, 9)})
good = st.builds(
    lambda more, time: more | {"kind": "api", "subject": "user:a", "action": "x", "time": time}, optional, seconds
)
clouds_of_good = st.builds(
    lambda cloud, event: cloud | {"specversion": "1.0", "source": "/s", "data": event}, clouds, good
)
records = good | good | clouds_of_good | events | clouds | anything
codings = st.sampled_from(
    [(bytes, "")] * 4 + [(gzip.compress, "gzip"), (bytes, "gzip"), (gzip.compress, ""), (gzip.compress, "zstd")]
)


@st.composite
def bodies(draw):
    """Bodies of every shape, and how many records each holds where that is certain."""
    shape = draw(st.sampled_from(["bytes", "lines", "list", "one", "batch"]))
    if shape == "bytes":
        return draw(st.binary(max_size=300)), draw(st.sampled_from(MEDIA)), None
    if shape == "one":
        return json.dumps(draw(records)).encode(), draw(st.sampled_from(MEDIA)), None
    held = draw(st.lists(records, min_size=1, max_size=8))
    if shape == "lines":
        broken = [json.dumps(r) for r in held] + draw(st.lists(st.sampled_from(["{", "", "  ", "\x00", '{"a'])))
        wanted = sum(bool(line.strip()) for line in broken)
        return "\n".join(draw(st.permutations(broken))).encode(), "application/x-ndjson", wanted
    media = "application/json" if shape == "list" else "application/cloudevents-batch+json"
    return json.dumps(held, indent=draw(st.none() | st.just(1))).encode(), media, len(held)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies(), codings)
def test_nothing_is_lost_and_nothing_breaks(server, body, coding):
    data, media, held = body
    pack, said = coding
    data, coding = pack(data), {"content-encoding": said} if said else {}
    before = server.rows()
    answer = server.post(data, media, coding)
    assert answer.status_code < 500, answer.text
    assert answer.status_code != 401
    told = answer.json()
    if answer.status_code == 200 or "records" in told:
        assert sum(told[name] for name in COUNTS) == told["records"]
        assert held in {None, told["records"]}
        assert len(told["problems"]) == min(told["set_aside"], 100)
        places = [p.get("line", p.get("index", -2) + 1) for p in told["problems"]]
        assert all(place >= 1 for place in places)
    kept = told["accepted"] + told["late"] if answer.status_code == 200 else 0
    assert server.rows() == before + kept
