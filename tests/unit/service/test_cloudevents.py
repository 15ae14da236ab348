"""CloudEvents 1.0 over HTTP, in its three modes."""

from __future__ import annotations

import base64
import json

import pytest

from tocsin.errors import RecordError
from tocsin.service.cloudevents import carried, from_headers
from tocsin.service.request import Request

from .test_ingest import NOW, door, event

__all__ = ["door"]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = {"ce_specversion": "1.0", "ce_id": "7", "ce_source": "/caf%C3%A9/till", "ce_type": "com.example.sale"}
SSHD = f"{NOW:%b} {NOW.day - 1:2d} 10:00:00 web sshd[12]: Failed password for root from 203.0.113.9 port 22 ssh2"
TRAIL = {
    "eventVersion": "1.08",
    "eventTime": "2026-03-04T02:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "203.0.113.9",
    "userAgent": "aws-cli/2",
    "userIdentity": {"type": "IAMUser", "userName": "ada", "accountId": "1", "arn": "arn:aws:iam::1:user/ada"},
    "eventID": "e-1",
}


def cloud(data=None, **attributes):
    given = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "com.example.sale", "data": data}
    return {name: value for name, value in (given | attributes).items() if value is not None}


def test_structured(door):
    at = door()
    assert at.post(cloud(event(uid="own")), STRUCTURED).json()["accepted"] == 1
    (row,) = at.journaled()
    assert (row["uid"], row["subject"]) == ("/shop 7", "user:ada")


def test_batch_with_bad_ones_among_the_good(door):
    at = door()
    batch = [
        cloud(event()),
        3,
        cloud(event(1), specversion="0.3"),
        cloud({}, id="8"),
        cloud(event(2), id="9", type="tocsin.nonsense"),
        cloud(event(3), id="10", source="a b"),
        cloud(id="11"),
        cloud("", id="12", type="tocsin.sshd"),
        cloud(event(4), id="13", extension={"deep": [1]}),
    ]
    told = at.post(batch, BATCH).json()
    assert (told["accepted"], told["set_aside"]) == (2, 7)
    assert sorted(problem["index"] for problem in told["problems"]) == list(range(1, 8))


def test_binary(door):
    at = door()
    assert at.post(event(), **BINARY).json()["accepted"] == 1
    assert at.post(event(), **BINARY).json()["duplicates"] == 1
    (row,) = at.journaled()
    assert row["uid"] == "/café/till 7"


def test_binary_needs_its_attributes(door):
    answer = door().post(event(), ce_specversion="1.0", ce_id="7")
    assert (answer.status_code, answer.json()["records"]) == (400, 1)


def test_a_cloudevent_lends_its_time(door):
    at = door()
    timeless = {name: value for name, value in event().items() if name != "time"}
    at.post(cloud(timeless, time=event()["time"]), STRUCTURED)
    assert at.journaled()[0]["time"].isoformat() == event()["time"]
    assert at.post(cloud(timeless, id="8"), STRUCTURED).status_code == 400


def test_records_of_known_logs(door):
    at = door()
    batch = [
        cloud(TRAIL, id="1", dataschema="urn:tocsin:cloudtrail"),
        cloud(SSHD, id="2", type="tocsin.sshd"),
        cloud(data_base64=base64.b64encode(SSHD.encode()).decode(), id="3", type="tocsin.sshd"),
        cloud(json.dumps(TRAIL | {"eventID": "e-2"}), id="4", type="tocsin.cloudtrail"),
        cloud(event(), id="5"),
        cloud("no line of sshd's", id="6", type="tocsin.sshd"),
        cloud("no object", id="7", type="tocsin.cloudtrail"),
    ]
    told = at.post(batch, BATCH).json()
    assert told["accepted"] == 5
    assert told["set_aside"] + told["left_out"] == 2
    uids = {row["uid"] for row in at.journaled()}
    assert uids == {"e-1", "e-2", "/shop 2", "/shop 3", "/shop 5"}


def test_what_one_event_holds_does_not_reach_another():
    hostile = base64.b64encode(b"\xff\xfe\n" + json.dumps(event()).encode()).decode()
    one = carried(json.dumps(cloud(data_base64=hostile, type="tocsin.sshd")).encode())
    assert b"\n" not in one.record
    assert one.record.decode().startswith("ÿþ")


def test_text_in_binary_mode():
    headers = [(b"content-type", b"text/plain"), (b"ce-specversion", b"1.0"), (b"ce-id", b"1"), (b"ce-source", b"/x")]
    request = Request("POST", "/events", headers=[*headers, (b"ce-type", b"tocsin.sshd")])
    assert from_headers(request, SSHD.encode()).record == SSHD.encode()


@pytest.mark.parametrize("raw", [b"[]", b"{", b'{"specversion":"1.0"}', b"\xff", b"[" * 100_000])
def test_no_cloudevent(raw):
    with pytest.raises(RecordError):
        carried(raw)
