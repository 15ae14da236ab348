"""`tocsin serve` as an operator meets it: started, asked, watched, stopped, killed."""

from __future__ import annotations

import signal
import socket
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving import Server, drain, make_key, statuses

QUESTION = {
    "subject": {"type": "user", "id": "ada"},
    "action": {"name": "read"},
    "resource": {"type": "document", "id": "plan"},
}
EVALUATION = "/access/v1/evaluation"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One server for all tests that leave it as it was, and a key for every role."""
    folder = tmp_path_factory.mktemp("served")
    keys = {role: make_key(folder, role) for role in ("pep", "ingest", "reader", "admin")}
    with Server(folder, settings='[serve]\nlog_level = "debug"\n') as server:
        server.keys = keys
        yield server


def test_it_lives_and_is_ready_without_a_key(served):
    with served.client() as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert set(ready.json()["checks"].values()) == {"ok"}


@pytest.mark.parametrize("path", ["/metrics", EVALUATION, "/events", "/admin/v1/status", "/forward-auth"])
def test_everything_else_asks_who_calls(served, path):
    with served.client() as client:
        answer = client.get(path)
        if answer.status_code == 405:
            answer = client.post(path, json={})
        assert answer.status_code in {401, 404}
        assert answer.headers["x-request-id"]
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_metrics_take_a_reader_and_nobody_less(served):
    with served.client(served.keys["pep"]) as client:
        assert client.get("/metrics").status_code == 403
    with served.client(served.keys["reader"]) as client:
        shown = client.get("/metrics")
        assert shown.headers["content-type"].startswith("text/plain")
        assert "tocsin_requests_total{" in shown.text
        assert "tocsin_ready 1.0" in shown.text


def test_a_question_is_answered_with_the_id_that_came(served):
    with served.client(served.keys["pep"]) as client:
        answer = client.post(EVALUATION, json=QUESTION, headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 200
    assert isinstance(answer.json()["decision"], bool)
    assert answer.headers["x-request-id"] == "r-1"
    line = wait_for(served, request="r-1")
    assert line["decision"].startswith("D-")


@pytest.mark.parametrize("sent", ["x" * 257, "caf\u00e9", ""])
def test_an_id_that_could_do_harm_is_replaced(served, sent):
    with served.client() as client:
        given = client.get("/healthz", headers={"X-Request-ID": sent.encode("latin-1")}).headers["x-request-id"]
    assert given != sent
    assert given.isascii()
    assert 0 < len(given) <= 256


def test_the_owner_administers_through_a_socket_that_nobody_else_opens(served):
    mode = (served.home / "admin.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    with served.owner() as owner:
        assert owner.get("/admin/v1/status").status_code == 200
        assert owner.get("/metrics").status_code == 200


def test_no_header_makes_a_stranger_the_owner(served):
    with served.client(headers={"tocsin.owner": "true"}) as client:
        assert client.get("/admin/v1/status").status_code == 401


@pytest.mark.heavy
def test_a_second_server_is_told_who_holds_the_home(served, tocsin_process):
    told = tocsin_process("serve", "--home", served.home, "--listen", "127.0.0.1:0")
    assert told.status == 4
    assert str(served.process.pid) in told.err


def test_a_key_made_while_it_runs_works_at_once(served):
    with served.client(make_key(served.folder, "pep")) as client:
        time.sleep(0.3)
        assert client.post(EVALUATION, json=QUESTION).status_code == 200


def test_the_log_is_json_and_holds_no_key(served):
    with served.client(served.keys["pep"]) as client:
        client.post(EVALUATION, json=QUESTION)
    assert served.lines()
    assert not [key for key in served.keys.values() if key in served.log()]


@pytest.mark.heavy
def test_it_stops_at_once_when_nothing_is_under_way(tmp_path):
    with Server(tmp_path) as server, server.client() as client:
        client.get("/healthz")  # leaves a connection open
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
        assert not (server.home / "serve.json").exists()
        assert not (server.home / "admin.sock").exists()


@pytest.mark.heavy
def test_a_request_under_way_is_finished_before_it_stops(tmp_path):
    key = make_key(tmp_path, "pep")
    with Server(tmp_path) as server, socket.create_connection(server.place, timeout=10) as wire:
        body = b'{"subject":{"type":"user","id":"ada"},"action":{"name":"read"},"resource":{"type":"d","id":"1"}}'
        head = f"POST {EVALUATION} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.sendall(head.encode() + body[:20])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(server.place, timeout=2)
        wire.sendall(body[20:])
        got = drain(wire)
        assert statuses(got) == [200]
        assert b"connection: close" in got
        assert server.process.wait(10) == 0


@pytest.mark.heavy
def test_a_request_that_never_ends_does_not_keep_it(tmp_path):
    key = make_key(tmp_path, "pep")
    with Server(tmp_path, settings="[serve]\ndrain_s = 0.5\n") as server:
        with socket.create_connection(server.place, timeout=10) as wire:
            head = f"POST {EVALUATION} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 9\r\n\r\n"
            wire.sendall(head.encode())
            time.sleep(0.2)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 5
        assert any(line["event"] == "gave-up" for line in server.lines())


@pytest.mark.heavy
def test_what_was_asked_is_there_after_a_stop_and_a_start(tmp_path):
    key = make_key(tmp_path, "pep")
    with Server(tmp_path) as server:
        with server.client(key) as client:
            for _ in range(5):
                assert client.post(EVALUATION, json=QUESTION).status_code == 200
        assert server.stop() == 0
    with Server(tmp_path) as again, again.owner() as owner:
        assert "tocsin_events_total 5.0" in owner.get("/metrics").text


@pytest.mark.heavy
def test_after_a_kill_it_starts_again_on_the_same_home(tmp_path):
    key = make_key(tmp_path, "pep")
    with Server(tmp_path) as server:
        with server.client(key) as client:
            assert client.post(EVALUATION, json=QUESTION).status_code == 200
        time.sleep(0.2)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with Server(tmp_path) as again, again.owner() as owner:
        assert "tocsin_events_total 1.0" in owner.get("/metrics").text


@pytest.mark.heavy
def test_policies_that_do_not_load_keep_it_from_starting(tmp_path, tocsin_process):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "bad.cedar").write_text("permit (principal, action", encoding="utf-8")
    told = tocsin_process("serve", "--home", "home", "--policies", "policies", "--listen", "127.0.0.1:0")
    assert told.status == 8
    assert "bad.cedar" in told.err


@pytest.mark.heavy
def test_a_bad_change_of_policies_never_replaces_a_good_one(tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "all.cedar").write_text('@id("all") permit (principal, action, resource);', encoding="utf-8")
    key = make_key(tmp_path, "pep")
    with Server(tmp_path, "--policies", folder) as server, server.client(key) as client:
        assert client.post(EVALUATION, json=QUESTION).json()["decision"] is True
        (folder / "all.cedar").write_text("permit (", encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        wait_for(server, event="reload-refused")
        assert client.post(EVALUATION, json=QUESTION).json()["decision"] is True
        (folder / "all.cedar").write_text('@id("none") forbid (principal, action, resource);', encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        wait_for(server, event="reloaded")
        assert client.post(EVALUATION, json=QUESTION).json()["decision"] is False


@pytest.mark.heavy
def test_a_port_that_is_taken_is_a_clear_error(tocsin_process):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = tocsin_process("serve", "--home", "home", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert told.status == 2
    assert "cannot listen" in told.err
    assert "Traceback" not in told.err


@pytest.mark.heavy
def test_once_the_disk_fails_it_is_not_ready_and_denies(tmp_path):
    key = make_key(tmp_path, "pep")
    (tmp_path / "policies").mkdir()
    permit = '@id("all") permit (principal, action, resource);'
    (tmp_path / "policies" / "all.cedar").write_text(permit, encoding="utf-8")
    with Server(tmp_path, "--policies", "policies") as server, server.client(key) as client:
        assert client.post(EVALUATION, json=QUESTION).json()["decision"] is True
        time.sleep(0.3)
        fill(server)
        client.post(EVALUATION, json=QUESTION)
        until = time.monotonic() + 10
        while client.get("/readyz").status_code != 503:
            assert time.monotonic() < until
            time.sleep(0.1)
        answer = client.post(EVALUATION, json=QUESTION)
        assert answer.status_code == 200
        assert answer.json()["decision"] is False
        assert server.stop() != 0


def test_many_callers_at_once_are_all_answered(served):
    answers = []

    def call():
        with served.client(served.keys["pep"]) as client:
            answers.extend(client.post(EVALUATION, json=QUESTION).status_code for _ in range(20))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 160


def fill(server):
    """Take the disk away: no file of the server may grow any more."""
    import resource  # noqa: PLC0415 - not on every platform

    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, 0))


def wait_for(server, timeout_s=10.0, **wanted):
    """Wait for a line of the log that has these members."""
    until = time.monotonic() + timeout_s
    while True:
        for line in server.lines():
            if wanted.items() <= line.items():
                return line
        assert time.monotonic() < until, server.log()
        time.sleep(0.02)
