"""AuthZEN 1.0, sections 10 and 11: the same for every endpoint."""

from __future__ import annotations

import json

import pytest

WHO = {"type": "user", "id": "alice"}
WHAT = {"type": "record", "id": "record-1"}
ASKED = {"subject": WHO, "action": {"name": "read"}, "resource": WHAT}
EVALUATION, EVALUATIONS, SUBJECT, RESOURCE, ACTION = (
    f"/access/v1/{path}" for path in ("evaluation", "evaluations", "search/subject", "search/resource", "search/action")
)
ENDPOINTS = [EVALUATION, EVALUATIONS, SUBJECT, RESOURCE, ACTION]
JSON = {"Content-Type": "application/json"}
everywhere = pytest.mark.parametrize("path", ENDPOINTS)


def send(point, path, text, **headers):
    content = text if isinstance(text, bytes) else json.dumps(text).encode()
    return point.call("POST", path, content=content, headers=JSON | headers)


@everywhere
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"],
)
def test_json_is_taken_with_and_without_a_charset(point, path, content_type):
    answer = point.call("POST", path, json=ASKED, headers={"Content-Type": content_type})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer.json(), dict)


@everywhere
@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_a_bad_request(point, path, content_type):
    answer = point.call("POST", path, content=json.dumps(ASKED), headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert answer.json()["code"] == "wrong-content-type"


@everywhere
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(point, path, method):
    answer = point.call(method, path, json=ASKED)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"subject":',
        b"[]",
        b'[{"subject":{}}]',
        b'"text"',
        b"5",
        b"null",
        json.dumps(ASKED).encode() + b"x",
        json.dumps(ASKED).encode() + b"{}",
        b"\xef\xbb\xbf" + json.dumps(ASKED).encode(),
        json.dumps(ASKED).encode("utf-16"),
        json.dumps(ASKED).encode().replace(b"alice", b"\xff"),
        json.dumps(ASKED).encode().replace(b"alice", b"\\ud800"),
        json.dumps(ASKED | {"x": 1}).encode().replace(b"1}", b"NaN}"),
        json.dumps(ASKED | {"context": {"x": 1}}).encode().replace(b"1}}", b"1e400}}"),
        json.dumps(ASKED).encode().replace(b'"alice"', b"'alice'"),
    ],
)
def test_what_is_no_json_object_is_a_bad_request(point, path, body):
    answer = send(point, path, body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        b'{"subject":{"type":"user","id":"alice"},"subject":{"type":"user","id":"bob"},"x":0',
        b'{"subject":{"type":"user","id":"alice","id":"bob"}',
        b'{"subject":{"type":"user","id":"alice","\\u0069d":"bob"}',
        b'{"unknown":{"a":1,"a":1},"subject":{"type":"user","id":"alice"}',
        b'{"context":{"a":1, "a":2},"subject":{"type":"user","id":"alice"}',
    ],
)
def test_a_member_that_stands_twice_is_a_bad_request(point, path, body):
    rest = b',"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}'
    answer = send(point, path, body + rest)
    assert answer.status_code == 400
    assert "twice" in answer.json()["detail"]


@everywhere
@pytest.mark.parametrize("depth", [100, 100_000])
def test_nesting_is_bounded(point, path, depth):
    for unknown in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        body = json.dumps(ASKED).encode()[:-1] + b',"context":{"x":' + unknown + b"}}"
        assert send(point, path, body).status_code == 400


@everywhere
def test_the_size_of_a_body_is_bounded(make_point, path):
    point = make_point(body_bytes=1024)
    assert send(point, path, ASKED | {"x": "y" * 2000}).status_code == 413


@everywhere
def test_a_caller_must_be_known(point, path):
    for key in (None, "tsn_nobody", "nonsense"):
        answer = point.call("POST", path, key=key, json=ASKED)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@everywhere
@pytest.mark.parametrize("role", ["ingest", "subject"])
def test_a_caller_must_have_a_role(point, path, role):
    assert point.call("POST", path, key=f"tsn_{role}", json=ASKED).status_code == 403


def test_a_reader_may_search_and_not_ask(point):
    for path in ENDPOINTS:
        status = point.call("POST", path, key="tsn_reader", json=ASKED).status_code
        assert status == (200 if "search" in path else 403)


@everywhere
@pytest.mark.parametrize("body", [ASKED, {"nonsense": True}])
def test_the_id_of_a_request_comes_back(point, path, body):
    for name in ("bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "any/text:at+all"):
        assert send(point, path, body, **{"X-Request-ID": name}).headers["x-request-id"] == name
    assert send(point, path, body).headers["x-request-id"]


@everywhere
def test_the_id_comes_back_when_the_caller_is_refused(point, path):
    answer = point.call("POST", path, key=None, json=ASKED, headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (401, "r-1")


def test_a_denial_is_no_error(point):
    answer = send(point, EVALUATION, ASKED | {"action": {"name": "unheard-of"}})
    assert (answer.status_code, answer.json()["decision"]) == (200, False)


def test_no_error_repeats_what_was_sent(point):
    sent = "correct-horse"
    for body in ({"subject": sent}, ASKED | {"options": {"evaluations_semantic": sent}, "evaluations": [{}]}):
        assert sent not in send(point, EVALUATIONS, body).text


def test_what_should_not_happen_is_an_error_without_a_trace(make_point):
    point = make_point()

    def broken(_question):
        raise ZeroDivisionError("a secret detail")

    point.house.verifier.preview = broken
    answer = send(point, SUBJECT, ASKED)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "decision" not in answer.json()


def test_an_answer_is_json_with_unique_members_and_no_null(point):
    def pairs(items):
        assert len(dict(items)) == len(items)
        assert all(value is not None for _, value in items)
        return dict(items)

    for path in ENDPOINTS:
        for action in ("read", "export", "pay", "nothing"):
            answer = send(point, path, ASKED | {"action": {"name": action}})
            json.loads(answer.content, object_pairs_hook=pairs)
