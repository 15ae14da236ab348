"""Forty policies over five hundred entities, said to Tocsin in Cedar and to Cerbos in its YAML, and questions to both.

Eight kinds of things, five policies each: readers of a department, auditors, the owner, a classification that forbids,
and a size beyond which only administrators go. Bodies are AuthZEN's, byte for byte the same for both: Cerbos keeps no
entities, so every question brings the attributes that policies read, and `cerbos.roles`, which Cerbos insists on.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ADDRESSES", "DISTINCT", "PLACE", "bodies", "cedar", "cerbos", "write_lua"]

KINDS = ("account", "dataset", "document", "host", "invoice", "payment", "report", "ticket")
DEPARTMENTS = ("audit", "finance", "legal", "platform", "sales", "support")
ACTIONS = ("read", "read", "read", "read", "write", "write", "delete")
USERS, THINGS = 250, 250
DISTINCT = 4_000
"""Questions that are asked again and again where answers may be cached."""
PLACE = "1234567890"
"""Stands where a number goes that no other question has."""
ADDRESSES = 400
LARGE = 9_000_000_000

_CEDAR = """
@id("{kind}-department") permit(principal, action == Action::"read", resource is {kind})
when {{ context.subject.department == context.resource.department }};
@id("{kind}-auditor") permit(principal, action == Action::"read", resource is {kind})
when {{ context.subject.groups.contains("auditor") }};
@id("{kind}-owner") permit(principal, action in [Action::"read", Action::"write", Action::"delete"], resource is {kind})
when {{ context.resource.owner == context.subject.name }};
@id("{kind}-classified") forbid(principal, action in [Action::"write", Action::"delete"], resource is {kind})
when {{ context.subject.clearance < context.resource.classification }};
@id("{kind}-large") forbid(principal, action, resource is {kind})
when {{ context.resource.size > {large} && !context.subject.groups.contains("administrator") }};
"""


def entities(seed: int = 11) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Users and things with their attributes."""
    chance = random.Random(seed)  # noqa: S311 - made-up people, no secret
    users = [
        {
            "type": "user",
            "id": f"user{n}",
            "properties": {
                "name": f"user{n}",
                "department": chance.choice(DEPARTMENTS),
                "clearance": chance.randrange(5),
                "groups": [g for g, share in (("auditor", 0.1), ("administrator", 0.05)) if chance.random() < share],
            },
        }
        for n in range(USERS)
    ]
    things = [
        {
            "type": chance.choice(KINDS),
            "id": f"thing{n}",
            "properties": {
                "department": chance.choice(DEPARTMENTS),
                "owner": f"user{chance.randrange(USERS)}",
                "classification": chance.randrange(4),
            },
        }
        for n in range(THINGS)
    ]
    return users, things


def cedar(folder: Path) -> None:
    """Write the folder of policies that Tocsin reads."""
    folder.mkdir(parents=True)
    for kind in KINDS:
        (folder / f"{kind}.cedar").write_text(_CEDAR.format(kind=kind, large=LARGE), encoding="utf-8")
    users, things = entities()
    stored = [
        {"uid": {"type": e["type"], "id": e["id"]}, "attrs": e["properties"], "parents": []} for e in users + things
    ]
    (folder / "entities.json").write_text(json.dumps(stored), encoding="utf-8")


def cerbos(folder: Path) -> None:
    """Write the same policies for Cerbos; YAML is a superset of JSON."""
    folder.mkdir(parents=True)
    subject, thing = "request.principal.attr", "request.resource.attr"
    for kind in KINDS:
        rules = [
            _rule(f"{kind}-department", ["read"], "ALLOW", f"{subject}.department == {thing}.department"),
            _rule(f"{kind}-auditor", ["read"], "ALLOW", f'"auditor" in {subject}.groups'),
            _rule(f"{kind}-owner", ["read", "write", "delete"], "ALLOW", f"{thing}.owner == {subject}.name"),
            _rule(f"{kind}-classified", ["write", "delete"], "DENY", f"{subject}.clearance < {thing}.classification"),
            _rule(
                f"{kind}-large", ["*"], "DENY", f'{thing}.size > {LARGE}.0 && !("administrator" in {subject}.groups)'
            ),
        ]
        policy = {"resource": kind, "version": "default", "rules": rules}
        text = json.dumps({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": policy}, indent=1)
        (folder / f"{kind}.yaml").write_text(text, encoding="utf-8")


def _rule(name: str, actions: list[str], effect: str, expression: str) -> dict[str, Any]:
    condition = {"match": {"expr": expression}}
    return {"name": name, "actions": actions, "effect": f"EFFECT_{effect}", "roles": ["*"], "condition": condition}


def bodies(count: int = DISTINCT, seed: int = 12) -> list[str]:
    """Write questions; each holds `PLACE` where its size goes."""
    chance = random.Random(seed)  # noqa: S311 - made-up questions
    users, things = entities()
    written = []
    for _ in range(count):
        user, thing = chance.choice(users), chance.choice(things)
        asked = {
            "subject": user | {"properties": user["properties"] | {"cerbos.roles": ["employee"]}},
            "action": {"name": chance.choice(ACTIONS)},
            "resource": thing | {"properties": thing["properties"] | {"size": int(PLACE)}},
            "context": {"ip_address": f"198.51.{chance.randrange(2)}.{chance.randrange(ADDRESSES // 2)}"},
        }
        written.append(json.dumps(asked, separators=(",", ":")))
    return written


_LUA = """-- Every request is written before the run, or, where each is new, cut at the number and joined again.
local authorization = os.getenv("BENCH_AUTHORIZATION")
local fresh = os.getenv("BENCH_FRESH") == "1"
local heads, tails, whole, at, number = {}, {}, {}, 0, tonumber(os.getenv("BENCH_FIRST"))

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  if authorization ~= "" then wrk.headers["Authorization"] = authorization end
  for line in io.lines(os.getenv("BENCH_BODIES")) do
    local request = wrk.format("POST", os.getenv("BENCH_PATH"), nil, line)
    local from, to = request:find("@PLACE@", 1, true)
    whole[#whole + 1] = request
    heads[#whole], tails[#whole] = request:sub(1, from - 1), request:sub(to + 1)
  end
end

function request()
  at = at % #whole + 1
  if not fresh then return whole[at] end
  number = number + 1
  return heads[at] .. number .. tails[at]
end
"""


def write_lua(path: Path) -> None:
    """Write the script for wrk."""
    path.write_text(_LUA.replace("@PLACE@", PLACE), encoding="utf-8")
