"""What strangers send: malformed, endless, slow, smuggled. Always the right status, never a trace, nobody else hurt."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving import Server, drain, make_key, statuses

pytestmark = pytest.mark.heavy
SETTINGS = """
[serve]
header_s = 1.0
body_s = 1.0
idle_s = 2.0
connections = 20
concurrency = 18
"""
EVALUATION = "/access/v1/evaluation"
PING = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
GONE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacked")
    key = make_key(folder, "pep")
    with Server(folder, settings=SETTINGS) as server:
        server.key = key
        yield server


@pytest.fixture(autouse=True)
def unharmed(served):
    """After each of these the server still answers, and logged no trace."""
    yield
    with served.client() as client:
        assert client.get("/healthz").status_code == 200
    assert not [line for line in served.lines() if "trace" in line]


def head(served, *lines, path=EVALUATION, method="POST"):
    start = [f"{method} {path} HTTP/1.1", f"Authorization: Bearer {served.key}", "Content-Type: application/json"]
    return ("\r\n".join([*start, *lines]) + "\r\n\r\n").encode("latin-1")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: 1\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: x\n\n",
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[bad/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_ended(served, sent):
    got = served.raw(sent, timeout_s=5)
    assert statuses(got) in ([400], [404])
    assert b"Traceback" not in got


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: x", "Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Host: x", "Transfer-Encoding: chunked", "Content-Length: 2"),
        ("Host: x", "Content-Length: 2", "Content-Length: 3"),
        ("Host: x", "Content-Length: 2", "Content-Length: 2"),
        ("Host: x", "Content-Length: 2, 2"),
        ("Host: x", "Content-Length: +2"),
        ("Host: x", "Content-Length: -2"),
        ("Host: x", "Content-Length: 0x2"),
        ("Host: x", "Content-Length: 99999999999999999999"),
        ("Host: x", "Transfer-Encoding: gzip, chunked"),
        ("Host: x", "Transfer-Encoding: chunked, chunked"),
        ("Host: x", "Transfer-Encoding: xchunked"),
        ("Host: x", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Host: x", "Transfer-Encoding:\x0bchunked"),
        ("Host: x", "Host: y", "Content-Length: 2"),
        ("Content-Length: 2",),
        ("Host: x", "Authorization: Bearer other", "Content-Length: 2"),
        ("Host: x", "X-Tocsin-Key: a", "X-Tocsin-Key: b", "Content-Length: 2"),
    ],
)
def test_what_two_servers_could_read_differently_is_refused(served, lines):
    smuggled = b"{}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    got = served.raw(head(served, *lines) + smuggled, timeout_s=5)
    assert statuses(got) == [400], got


def test_a_trailer_is_no_header(served):
    chunked = b"2\r\n{}\r\n0\r\nX-Request-ID: from-a-trailer\r\nAuthorization: Bearer x\r\n\r\n"
    got = served.raw(head(served, "Host: x", "Transfer-Encoding: chunked", "Connection: close") + chunked)
    assert statuses(got) == [400]
    assert b"from-a-trailer" not in got
    assert b"repeated" not in got


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000,
        b"GET /" + b"a" * 40_000,
    ],
)
def test_headers_without_end_are_cut_off(served, sent):
    assert statuses(served.raw(sent, timeout_s=5)) == [431]


def test_headers_that_trickle_run_out_of_time(served):
    with socket.create_connection(served.place, timeout=10) as wire:
        began = time.monotonic()
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX")
        got = drain(wire)
        assert statuses(got) == [408]
        assert time.monotonic() - began < 5


def test_a_connection_without_a_request_is_closed(served):
    with socket.create_connection(served.place, timeout=10) as wire:
        assert drain(wire) == b""


def test_a_connection_left_idle_is_closed(served):
    with socket.create_connection(served.place, timeout=10) as wire:
        wire.sendall(PING)
        began = time.monotonic()
        assert statuses(drain(wire)) == [200]
        assert 1 < time.monotonic() - began < 8


def test_a_body_that_trickles_is_given_up(served):
    got = served.raw(head(served, "Host: x", "Content-Length: 100"), b'{"subject":', pause_s=0.1)
    assert statuses(got) == [408]
    assert b"connection: close" in got


def test_a_body_is_refused_by_its_announced_length_before_it_is_read(served):
    got = served.raw(head(served, "Host: x", "Content-Length: 104857600", "Expect: 100-continue"), timeout_s=5)
    assert statuses(got) == [413]


def test_a_hundred_megabytes_are_refused_and_the_next_request_answered(served):
    with served.client(served.key) as client:
        big = b" " * (100 << 20)
        assert client.post(EVALUATION, content=big, headers={"Content-Type": "application/json"}).status_code == 413
        assert client.get("/healthz").status_code == 200


def test_a_body_without_announced_length_is_refused_once_it_is_too_long(served):
    with served.client(served.key) as client:
        pieces = (b" " * 65536 for _ in range(400))
        assert client.post(EVALUATION, content=pieces, headers={"Content-Type": "application/json"}).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"NaN",
        b'{"subject": NaN}',
        b'{"subject":{"type":"user","id":"a"},"subject":{"type":"user","id":"b"}}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"subject": "\xff"}',
        b'{"subject": "\\ud800"}',
        b'{"subject": 1, "action": 2, "resource": 3}',
        b'{"subject":{"type":"user","id":"' + b"a" * 100_000 + b'"}}',
    ],
)
def test_a_body_that_is_no_question_is_refused(served, body):
    with served.client(served.key) as client:
        answer = client.post(EVALUATION, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 413}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert "aaaa" not in answer.text


@pytest.mark.parametrize(
    "token",
    [
        "tsn_",
        "tsn_" + "A" * 58,
        "a" * 20_000,
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.",
        "\xff\xfe",
        "a b",
        "' or 1=1 --",
    ],
)
def test_a_key_that_is_none_is_refused(served, token):
    shown = {"Authorization": b"Bearer " + token.encode("latin-1")}
    with served.client() as client:
        assert client.post(EVALUATION, json={}, headers=shown).status_code == 401


def test_requests_in_one_go_are_answered_in_order(served):
    got = served.raw(PING + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + GONE)
    assert statuses(got) == [200, 404, 200]


def test_a_wish_to_upgrade_is_answered_plainly_and_ends_the_connection(served):
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    got = served.raw(upgrade + PING, timeout_s=5)
    assert statuses(got) == [200]
    assert b"connection: close" in got


def hold(served, count, sent=b""):
    """Open connections and leave each where `sent` takes it."""
    held = [socket.create_connection(served.place, timeout=5) for _ in range(count)]
    for wire in held:
        wire.sendall(sent)
    time.sleep(0.1)
    return held


def test_idle_connections_make_room_for_a_new_one(served):
    held = hold(served, 40)
    assert statuses(served.raw(GONE, timeout_s=5)) == [200]
    for wire in held:
        wire.close()


def test_who_does_not_read_what_it_asked_for_makes_room(served):
    held = hold(served, 20, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
    time.sleep(0.5)
    for _ in range(3):
        assert statuses(served.raw(GONE, timeout_s=5)) == [200]
        time.sleep(0.1)
    for wire in held:
        wire.close()


def test_when_all_connections_work_a_new_one_is_turned_away_but_not_the_owner(served):
    held = hold(served, 18, head(served, "Host: x", "Content-Length: 100"))
    held += hold(served, 2, b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert statuses(served.raw(PING, timeout_s=5)) == [503]
    with served.owner() as owner:
        assert owner.get("/admin/v1/status").status_code == 200
    for wire in held:
        wire.close()
    time.sleep(0.2)


def test_when_all_places_are_taken_health_and_the_owner_are_still_answered(served):
    held = hold(served, 18, head(served, "Host: x", "Content-Length: 100"))
    got = served.raw(head(served, "Host: x", "Content-Length: 2", "Connection: close") + b"{}", timeout_s=5)
    assert statuses(got) == [503]
    assert b"retry-after: 1" in got
    assert statuses(served.raw(GONE, timeout_s=5)) == [200]
    with served.owner() as owner:
        assert owner.get("/admin/v1/status").status_code == 200
    for wire in held:
        wire.close()
    time.sleep(0.2)


def test_clients_that_leave_in_the_middle_leave_nothing_behind(served):
    for size in (1, 40, 90):
        with socket.create_connection(served.place, timeout=5) as wire:
            wire.sendall((head(served, "Host: x", "Content-Length: 100") + b"{" * 50)[:size])
    with socket.create_connection(served.place, timeout=5) as wire:
        wire.sendall(head(served, "Host: x", "Content-Length: 100") + b"{" * 50)
    time.sleep(0.3)
    with served.owner() as owner:
        assert "tocsin_requests_under_way 0.0" in owner.get("/metrics").text
