"""The administration API over the real application, engine, keys and policies, in this process."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from tocsin import Engine, Settings
from tocsin.record import ROLES
from tocsin.trust.keys import well_formed

from .office import PERMIT, Office


@pytest.fixture
def office(tmp_path):
    opened = Office(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """An office for tests that change nothing, or nothing that another one sees."""
    opened = Office(tmp_path_factory.mktemp("office"))
    yield opened
    opened.close()


CHANGES = [
    "restrictions", "restrictions/R-1/lift", "alerts/A-1/verdict", "keys", "keys/ABCDEFGH/revoke",
    "keys/ABCDEFGH/rotate", "policy/reload",
]  # fmt: skip
LISTS = ["status", "restrictions", "alerts", "alerts/A-1", "audit", "audit/verify"]


# --- who may


@pytest.mark.parametrize("path", [*CHANGES, *LISTS, "keys"])
def test_nothing_is_open(lasting, path):
    method = "POST" if path in CHANGES else "GET"
    answer = lasting.ask(method, path, role=None)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert lasting.ask(method, path, key="tsn_AAAAAAAA_" + "0" * 49).status_code == 401


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_only_an_administrator_changes_anything_or_sees_keys(lasting, role):
    before = lasting.engine.home.records.audit_rows()
    for path in CHANGES:
        assert lasting.ask("POST", path, role=role, json={}).status_code == 403
    assert lasting.ask("GET", "keys", role=role).status_code == 403
    assert lasting.engine.home.records.audit_rows() == before


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(("role", "status"), [("reader", 200), ("pep", 403), ("ingest", 403), ("subject", 403)])
def test_a_reader_reads(lasting, path, role, status):
    assert lasting.ask("GET", path, role=role).status_code == status


def test_the_owner_of_the_home_is_an_administrator_through_the_socket(lasting):
    assert lasting.get("keys", owner=True)["keys"]


@pytest.mark.parametrize("path", LISTS)
def test_no_cache_keeps_an_answer(lasting, path):
    assert lasting.ask("GET", path).headers["cache-control"] == "no-store"


# --- restrictions


def test_a_restriction_is_in_force_at_once_listed_audited_and_lifted(office):
    added = office.post(
        "restrictions", {"entity": "user:ada", "rung": "suspend", "hours": 2, "cause": "ticket", "by": "bob"}, 201
    )
    key_id = office.secrets["admin"][4:12]
    assert (added["entity"], added["rung"], added["enforced"]) == ("user:ada", "suspend", True)
    assert added["note"] == f"by bob (key:{key_id})"
    assert [r.rung for r in office.engine.story.responder.in_force("user:ada", office.now)] == ["suspend"]
    assert [r["id"] for r in office.get("restrictions")["restrictions"]] == [added["id"]]
    assert office.audited() == (f"bob (key:{key_id})", "restrict")

    lifted = office.post(f"restrictions/{added['id'].lower()}/lift", {})
    assert lifted["state"] == "lifted"
    assert office.engine.story.responder.in_force("user:ada", office.now) == ()
    assert office.get("restrictions")["restrictions"] == []
    assert [r["state"] for r in office.get("restrictions", params={"all": "true"})["restrictions"]] == ["lifted"]
    assert len(office.get("restrictions", params={"at": added["time"]})["restrictions"]) == 1
    assert office.audited() == (f"key:{key_id}", "lift")
    again = office.post(f"restrictions/{added['id']}/lift", status=404)
    assert "is lifted already" in again["detail"]
    assert again["hint"]


def test_what_a_guard_refuses_is_a_conflict(lasting):
    told = lasting.post("restrictions", {"entity": "user:root", "rung": "suspend"}, 409)
    assert told["code"] == "refused"
    assert "break-glass" in told["detail"]
    assert "respond.break_glass" in told["hint"]


def test_two_who_lift_at_once_lift_once(office):
    added = office.post("restrictions", {"entity": "user:ada", "rung": "limit"}, 201)
    path, key = f"/admin/v1/restrictions/{added['id']}/lift", office.secrets["admin"]

    async def both():
        return await asyncio.gather(*(office.send("POST", path, key=key) for _ in range(2)))

    assert sorted(a.status_code for a in office.runner.run(both())) == [200, 404]


def test_what_was_decided_is_in_the_journal_and_comes_back(office, tmp_path):
    office.post("restrictions", {"entity": "user:ada", "rung": "limit", "hours": 300}, 201)
    with Engine.open(tmp_path / "home", Settings(), clock=office.clock, writer=False) as reader:
        assert [r.rung for r in reader.story.responder.in_force("user:ada", office.now)] == ["limit"]


# --- alerts


def test_alerts_are_listed_shown_and_judged(office):
    listed = office.get("alerts", params={"limit": 1})
    assert listed["total"] == 2
    assert len(listed["alerts"]) == 1
    shown = office.get("alerts/a-1")
    assert shown["alert"]["id"] == "A-1"
    assert [f["id"] for f in shown["findings"]] == ["F-0", "F-1"]
    given = office.post("alerts/A-1/verdict", {"verdict": "true", "by": "ada"}, owner=True)
    assert [(v["seq"], v["bad"], v["by"]) for v in given["verdicts"]] == [(0, True, "ada"), (1, True, "ada")]
    assert office.get("alerts/A-1")["alert"]["verdict"] == "true"
    assert [a["id"] for a in office.get("alerts", params={"open": "true"})["alerts"]] == ["A-2"]
    assert office.audited() == ("ada", "verdict")


def test_one_finding_is_judged_with_the_time_it_became_known(office):
    known = "2026-03-05T00:00:00Z"
    (given,) = office.post("alerts/f-1/verdict", {"verdict": "false", "known_at": known})["verdicts"]
    assert (given["seq"], given["bad"], given["known_at"]) == (1, False, known)


@pytest.mark.parametrize(
    "path", ["alerts/A-9", "alerts/A-1/", "alerts/a/b", "alerts/", "alerts/A-1/verdict", "nothing"]
)
def test_what_is_not_there_is_not_found(lasting, path):
    assert lasting.ask("GET", path).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["alerts/A-9/verdict", "alerts/A-1/shred", "alerts//verdict", "restrictions/R-9/lift", "keys/NOBODY00/revoke"],
)
def test_nothing_that_is_not_there_is_changed(lasting, path):
    assert lasting.ask("POST", path, json={"verdict": "true"} if "verdict" in path else {}).status_code == 404


# --- keys


def test_a_key_is_made_used_rotated_and_revoked(office):
    made = office.post("keys", {"role": "pep", "label": "edge", "expires_s": 3600, "scopes": ["a"]}, 201)
    secret = made.pop("secret")
    assert well_formed(secret)
    assert secret not in json.dumps(office.get("keys"))
    assert [k["label"] for k in office.get("keys")["keys"] if k["id"] == made["id"]] == ["edge"]

    def passes(key):
        return office.runner.run(office.send("GET", "/pep", key=key)).status_code

    assert passes(secret) == 200
    turned = office.post(f"keys/{made['id']}/rotate", {"grace_s": 60}, 201)
    assert passes(secret) == passes(turned["secret"]) == 200
    office.now += timedelta(seconds=61)
    assert (passes(secret), passes(turned["secret"])) == (401, 200)
    assert office.post(f"keys/{turned['id'].lower()}/revoke", {"by": "ada"})["state"] == "revoked"
    assert passes(turned["secret"]) == 401
    assert office.audited() == (f"ada (key:{office.secrets['admin'][4:12]})", "key-revoke")


@pytest.mark.parametrize(
    "body",
    [
        {"role": "root"}, {"role": "subject"}, {"role": "pep", "subject": "ada"}, {"role": "pep", "scopes": ["a b"]},
        {"role": "pep", "expires_s": 0}, {"role": "pep", "expires_s": 1e12}, {"role": "pep", "label": "a\nb"},
        {"role": "pep", "secret": "tsn_mine"}, {},
    ],
)  # fmt: skip
def test_no_key_is_made_of_what_cannot_be(lasting, body):
    before = lasting.get("keys")
    assert lasting.post("keys", body, 400)["status"] == 400
    assert lasting.get("keys") == before


# --- bodies and queries


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b'{"entity": "user:ada"}', b'{"entity": "ada", "rung": "limit"}',
        b'{"entity": "user:ada", "rung": "limit", "rung": "watch"}',
        b'{"entity": "user:ada", "rung": "limit", "extra": 1}', b'{"entity": "user:ada", "rung": "Limit"}',
        b'{"entity": "user:ada", "rung": "limit", "hours": "2"}',
        b'{"entity": "user:ada", "rung": "limit", "hours": NaN}',
        b'{"entity": "user:ada", "rung": "limit", "hours": -1}',
        b'{"entity": "user:ada", "rung": "limit", "hours": 1e400}',
        b'{"entity": "user:\\u001b[2J", "rung": "limit"}', b'{"entity": "user:\\ud800", "rung": "limit"}',
        b'{"entity": "user:ada", "rung": "limit", "by": "a\\nb"}', b"\xff", b"[" * 10_000,
        b'{"entity": ' * 1_000, b'{"hours": ' + b"9" * 5_000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_not_exactly_right_changes_nothing(lasting, body):
    before = lasting.engine.home.records.audit_rows()
    answer = lasting.ask("POST", "restrictions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert lasting.engine.home.records.audit_rows() == before


def test_a_body_too_large_or_of_another_type_is_refused(lasting):
    typed = {"content-type": "application/json"}
    assert lasting.ask("POST", "restrictions", content=b" " * 20_000, headers=typed).status_code == 413
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert lasting.ask("POST", "restrictions", content=b"{}", headers=form).status_code == 415
    assert lasting.ask("POST", "status", json={}).status_code == 405


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("alerts", "limit=0"), ("alerts", "limit=1001"), ("alerts", "limit=x"), ("alerts", "limit=1&limit=2"),
        ("alerts", "open=perhaps"), ("alerts", "what=1"), ("alerts", "limit"), ("alerts", "&".join(["a=1"] * 20)),
        ("restrictions", "at=yesterday"), ("restrictions", "at=2026-03-04T03:12:00"), ("status", "x=1"),
        ("restrictions", "at=0001-01-01T00:00:00%2B14:00"), ("alerts", "x" * 3000), ("alerts", "%ff=%ff"),
    ],
)  # fmt: skip
def test_a_query_that_is_not_exactly_right_is_refused(lasting, path, query):
    answer = lasting.ask("GET", f"{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong-query")


# --- policies, audit, status


def test_policies_are_read_again_and_a_bad_change_leaves_the_good_ones(office):
    version = office.get("status")["policy_version"]
    assert office.post("policy/reload") == {"changed": False, "version": version}
    (office.policies / "all.cedar").write_text(PERMIT + '@id("more")\n' + PERMIT.split("\n")[1], encoding="utf-8")
    changed = office.post("policy/reload", {"by": "ada"})
    assert changed["changed"]
    assert changed["version"] != version
    assert office.audited()[1] == "policy-reload"
    (office.policies / "all.cedar").write_text("permit (principal,", encoding="utf-8")
    refused = office.post("policy/reload", status=422)
    assert refused["code"] == "policy"
    assert office.get("status")["policy_version"] == changed["version"]


def test_the_audit_is_listed_and_checked(office):
    office.post("restrictions", {"entity": "user:ada", "rung": "watch"}, 201)
    rows = office.get("audit", params={"limit": 2})["audit"]
    assert len(rows) == 2
    assert rows[0]["action"] == "restrict"
    assert office.get("audit/verify") == {"whole": True, "first_bad": None}


def test_the_status_says_how_it_stands(office):
    office.post("restrictions", {"entity": "user:ada", "rung": "watch"}, 201)
    status = office.get("status", role="reader")
    assert (status["mode"], status["events"], status["failed"]) == ("shadow", 2, "")
    assert (status["open_alerts"], status["restrictions"], status["keys"]) == (2, 1, len(ROLES))


def test_a_disk_that_fails_is_told_and_not_answered_as_done(office, monkeypatch):
    def broken(*_):
        raise OSError("no space left")

    monkeypatch.setattr(office.engine.home.journal, "commit", broken)
    assert office.post("restrictions", {"entity": "user:ada", "rung": "watch"}, 503)["code"] == "store"
    assert office.get("status")["failed"]
    monkeypatch.undo()
