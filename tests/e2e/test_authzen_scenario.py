"""AuthZEN over a real server, as a certifier asks: a small fixture, its eight decisions, batches, searches, metadata.

The scenario is that of the working group: what `alice` and `bob` may do to two records, by name and by properties.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving import Server, make_key

POLICIES = """
permit (principal is user, action == Action::"read", resource is record) when { principal has known };
permit (principal == user::"alice", action == Action::"write", resource is record)
unless { context.resource has status && context.resource.status == "archived" };
permit (principal is user, action == Action::"write", resource is record)
when { context.subject has role && context.subject.role == "admin" &&
       context.resource has status && context.resource.status == "archived" };
permit (principal == user::"alice", action == Action::"delete", resource is record)
when { context.action has soft && context.action.soft };
"""
ENTITIES = [
    {"uid": {"type": "user", "id": "alice"}, "attrs": {"known": True}, "parents": []},
    {"uid": {"type": "user", "id": "bob"}, "attrs": {"known": True, "role": "admin"}, "parents": []},
    {"uid": {"type": "record", "id": "record-1"}, "attrs": {"status": "active"}, "parents": []},
    {"uid": {"type": "record", "id": "record-2"}, "attrs": {"status": "archived"}, "parents": []},
]
PUBLIC = "https://pdp.example.org"


def user(name, **properties):
    return {"type": "user", "id": name} | ({"properties": properties} if properties else {})


def record(name, **properties):
    return {"type": "record", "id": name} | ({"properties": properties} if properties else {})


def action(name, **properties):
    return {"name": name} | ({"properties": properties} if properties else {})


ONE, ARCHIVED = record("record-1"), record("record-2", status="archived")
DECISIONS = [
    (user("alice"), action("read"), ONE, True),
    (user("alice"), action("write"), ONE, True),
    (user("bob"), action("read"), ONE, True),
    (user("bob"), action("write"), ONE, False),
    (user("alice"), action("write"), ARCHIVED, False),
    (user("bob", role="admin"), action("write"), ARCHIVED, True),
    (user("alice"), action("delete", soft=True), ONE, True),
    (user("alice"), action("delete", soft=False), ONE, False),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenario")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "records.cedar").write_text(POLICIES, encoding="utf-8")
    (policies / "entities.json").write_text(json.dumps(ENTITIES), encoding="utf-8")
    key = make_key(folder, "pep")
    settings = f'[policy]\nfolder = "{policies}"\n[serve]\npublic_url = "{PUBLIC}"\n'
    with Server(folder, "--config", "tocsin.toml", settings=settings) as server, server.client(key) as client:
        yield client


def ask(client, path, body):
    answer = client.post(f"/access/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(("subject", "verb", "resource", "expected"), DECISIONS)
def test_the_eight_decisions_hold_every_time(client, subject, verb, resource, expected):
    body = {"subject": subject, "action": verb, "resource": resource}
    for more in ({}, {"context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}}, {"foo": "bar"}):
        assert ask(client, "evaluation", body | more)["decision"] is expected


def test_the_eight_decisions_hold_in_one_request(client):
    items = [{"subject": s, "action": a, "resource": r} for s, a, r, _ in DECISIONS]
    first, second = (ask(client, "evaluations", {"evaluations": items}) for _ in range(2))
    assert [item["decision"] for item in first["evaluations"]] == [expected for *_, expected in DECISIONS]
    assert first == second


def test_searches_find_at_least_what_is_allowed(client):
    found = ask(client, "search/subject", {"subject": {"type": "user"}, "action": action("read"), "resource": ONE})
    assert found["results"] == [user("alice"), user("bob")]
    found = ask(
        client, "search/subject", {"subject": {"type": "user"}, "action": action("write"), "resource": ARCHIVED}
    )
    assert found["results"] == [user("bob")]
    body = {"subject": user("bob", role="admin"), "action": action("write"), "resource": {"type": "record"}}
    assert ask(client, "search/resource", body)["results"] == [record("record-2")]
    found = ask(client, "search/action", {"subject": user("alice"), "resource": ONE})
    assert found["results"] == [action("read"), action("write")]


def test_pages_are_followed_to_the_end(client):
    body = {"subject": {"type": "user"}, "action": action("read"), "resource": ONE, "page": {"limit": 1}}
    first = ask(client, "search/subject", body)
    second = ask(client, "search/subject", body | {"page": {"token": first["page"]["next_token"]}})
    assert first["results"] + second["results"] == [user("alice"), user("bob")]
    assert second["page"]["next_token"] == ""


def test_the_metadata_are_those_of_the_public_address(client):
    told = client.get("/.well-known/authzen-configuration").json()
    assert told.pop("policy_decision_point") == PUBLIC
    assert all(url.startswith(f"{PUBLIC}/access/v1/") for url in told.values())
    assert len(told) == 5
