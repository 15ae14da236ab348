"""Administration of a running server: by key over HTTP, and by the command line through the home's socket."""

from __future__ import annotations

import re
import signal
import socket
import stat
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving import Server, make_key

from tocsin import Engine
from tocsin.event import Event, to_batch
from tocsin.record import Alert, Finding, Reason
from tocsin.store import Home

SETTINGS = '[home]\npath = "home"\n[respond]\nbreak_glass = ["user:root"]\n'
EVALUATION = "/access/v1/evaluation"
SHIFTING = re.compile(r"R-[0-9A-Z]+|\d{4}-\d\d-\d\d[T ][\d:.]+Z")
"""What differs between two runs of the same command: ids and times."""


def question(who):
    return {
        "subject": {"type": "user", "id": who},
        "action": {"name": "read"},
        "resource": {"type": "document", "id": "plan"},
    }


def furnish(home):
    """A home with two alerts of two findings each."""
    began = datetime.now(UTC) - timedelta(hours=1)
    reason = Reason(feature="hour", bits=7.0, share=1.0, text="03:12 is unusual")
    times = [began + timedelta(seconds=n) for n in range(4)]
    with Engine.open(home) as engine:
        engine.observe(to_batch([Event(time=t, kind="api", subject="user:ada", action="read") for t in times]))
        engine.home.records.put_findings(
            [
                Finding(
                    id=f"F-{n}", seq=n, time=t, entity="user:ada", kind="api", action="read", resource=None,
                    address=None, surprise_bits=20.0, tail_bits=12.0, accumulated_bits=12.0, reasons=(reason,),
                    source_file=None, source_line=None, alert_id=f"A-{n // 2}",
                )
                for n, t in enumerate(times)
            ]
        )  # fmt: skip
        engine.home.records.put_alerts(
            [
                Alert(
                    id=f"A-{n}", severity="high", title="user:ada reads", entities=("user:ada",),
                    first_time=times[2 * n], last_time=times[2 * n + 1], findings=2, tail_bits=12.0,
                    reasons=(reason,), absolute=False,
                )
                for n in (0, 1)
            ]
        )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    furnish(tmp_path / "home")
    return tmp_path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all tests that do not stop it."""
    folder = tmp_path_factory.mktemp("served")
    furnish(folder / "home")
    with Server(folder, settings=SETTINGS) as running:
        running.keys = {role: make_key(folder, role) for role in ("reader", "admin")}
        yield running


def steady(ran):
    """What a command said and how it ended, ids and times left out."""
    return SHIFTING.sub("…", ran.out), SHIFTING.sub("…", ran.err), ran.status


def allowed(client, who):
    answer = client.post(EVALUATION, json=question(who))
    assert answer.status_code == 200, answer.text
    return answer.json()["decision"]


SAME = [
    ("restrictions", "add", "user:bob", "suspend", "--for", "2h", "--cause", "ticket 4711", "--by", "ada"),
    ("restrictions", "add", "user:bob", "limit", "--json"),
    ("restrictions", "add", "user:bob", "watch", "--for", "900d", "--cause", "x" * 500, "-o", "jsonl"),
    ("restrictions", "add", "user:root", "suspend"),
    ("restrictions", "add", "bob", "suspend"),
    ("restrictions", "lift", "R-NOBODY"),
    ("restrictions", "lift", "../../keys"),
    ("alerts", "verdict", "a-0", "true", "--by", "ada", "--known-at", "2026-03-04T03:12:00Z"),
    ("alerts", "verdict", "F-3", "false", "--known-at", "2026-03-04T03:12:00", "--json"),
    ("alerts", "verdict", "A-9", "true"),
    ("alerts", "verdict", "F-9", "true"),
]


def test_the_command_line_says_the_same_with_a_server_and_without(folder, tocsin_here):
    (folder / "tocsin.toml").write_text(SETTINGS, encoding="utf-8")
    without = [steady(tocsin_here(*command)) for command in SAME]
    with Server(folder, settings=SETTINGS):
        served = [steady(tocsin_here(*command)) for command in SAME]
    for command, said, expected in zip(SAME, served, without, strict=True):
        assert said == expected, command
    assert {status for _, _, status in served} == {0, 2, 5, 6}


@pytest.mark.heavy
def test_a_restriction_holds_from_the_next_question_on_and_outlasts_the_server(folder, tocsin_here):
    key = make_key(folder, "pep")
    with Server(folder, settings=SETTINGS) as server, server.client(key) as client:
        assert allowed(client, "bob")
        added = tocsin_here("restrictions", "add", "user:bob", "suspend", "--by", "ada", "--json")
        assert added.status == 0, added.err
        assert not allowed(client, "bob")
        assert allowed(client, "eve")
    with Server(folder, settings=SETTINGS) as again, again.client(key) as client:
        assert not allowed(client, "bob")
        name = re.search(r"R-[0-9A-Z]+", added.out)[0]
        assert tocsin_here("restrictions", "lift", name, "--by", "eve").status == 0
        assert allowed(client, "bob")
    audit = tocsin_here("audit", "list").out
    assert re.search(r"ada +restrict .*user:bob", audit)
    assert re.search(r"eve +lift ", audit)
    assert tocsin_here("audit", "verify").status == 0


@pytest.mark.heavy
def test_a_killed_server_loses_no_decision_and_leaves_no_closed_door(folder, tocsin_here):
    with Server(folder, settings=SETTINGS) as server:
        assert tocsin_here("restrictions", "add", "user:bob", "limit").status == 0
        server.stop(signal.SIGKILL)
    assert (folder / "home" / "admin.sock").exists()
    assert tocsin_here("restrictions", "add", "user:eve", "limit").status == 0
    listed = tocsin_here("restrictions", "list").out
    assert "user:bob" in listed
    assert "user:eve" in listed


def test_a_writer_without_a_door_is_still_waited_for(folder, tocsin_here):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "home" / "admin.sock"))  # nobody listens: a server was killed here
    with Home.open(folder / "home", writer=True):
        done = tocsin_here("restrictions", "add", "user:bob", "limit", "--home", "home")
    assert done.status == 4
    assert "is writing to" in done.err


def test_only_the_owner_can_open_the_door(server):
    mode = (server.home / "admin.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700


def test_a_key_works_as_soon_as_it_is_made_and_not_a_second_after_it_was_revoked(server, tocsin_here):
    home = ("--home", server.home)
    with server.client() as client:

        def status(secret):
            headers = {"Authorization": f"Bearer {secret}"}
            return client.post(EVALUATION, json=question("bob"), headers=headers).status_code

        made = tocsin_here("keys", "create", "--role", "pep", *home)
        secret = made.out.strip()
        assert status(secret) == 200
        key_id = re.search(r"key ([0-9A-Z]{8})", made.err)[1]
        assert tocsin_here("keys", "revoke", key_id, *home).status == 0
        time.sleep(0.3)
        assert status(secret) == 401

        old = tocsin_here("keys", "create", "--role", "pep", *home)
        old_id = re.search(r"key ([0-9A-Z]{8})", old.err)[1]
        new = tocsin_here("keys", "rotate", old_id, "--grace", "1s", *home).out.strip()
        assert (status(old.out.strip()), status(new)) == (200, 200)
        time.sleep(1.3)
        assert (status(old.out.strip()), status(new)) == (401, 200)


def test_an_administrators_key_does_over_http_what_the_command_line_does(server, tocsin_here):
    order = {"entity": "user:bob", "rung": "suspend", "cause": "ticket"}
    with server.client(server.keys["reader"]) as client:
        assert client.get("/admin/v1/status").json()["open_alerts"] == 2
        assert client.post("/admin/v1/restrictions", json=order).status_code == 403
    with server.client(server.keys["admin"]) as client:
        added = client.post("/admin/v1/restrictions", json=order)
        assert added.status_code == 201
        assert added.json()["id"] in tocsin_here("restrictions", "list", "--home", server.home).out
        made = client.post("/admin/v1/keys", json={"role": "pep"}).json()
        with server.client(made["secret"]) as asking:
            assert not allowed(asking, "bob")
        assert client.post(f"/admin/v1/keys/{made['id']}/revoke").json()["state"] == "revoked"
        assert client.post("/admin/v1/policy/reload").json()["changed"] is False
        assert client.get("/admin/v1/audit/verify").json()["whole"]
    assert made["secret"] not in server.log()


def test_strangers_meet_a_closed_door(server):
    with server.client() as client:
        for path in ("status", "keys", "restrictions", "audit"):
            assert client.get(f"/admin/v1/{path}").status_code == 401
        assert client.post("/admin/v1/restrictions", json={}).status_code == 401
    with server.owner() as owner:
        assert owner.get("/admin/v1/keys").status_code == 200
