"""Two platforms as the AuthZEN working group likes to draw them, written in policies of our own.

A list of to-dos: roles come from `entities.json`, the owner of a to-do is sent with the question. And records of
departments, stored whole, which are searched: every candidate is put to the policies.
"""

from __future__ import annotations

import pytest

from tocsin.question import Party

TODOS = """
@id("users-are-seen")
permit (principal, action == Action::"can_read_user", resource is user);

@id("members-read")
permit (principal in role::"viewer", action == Action::"can_read_todos", resource is todo);

@id("editors-add")
permit (principal in role::"editor", action == Action::"can_create_todo", resource is todo);

@id("owners-change")
permit (
  principal in role::"editor",
  action in [Action::"can_update_todo", Action::"can_delete_todo"],
  resource is todo
)
when { context.resource has ownerID && context.subject has email && context.resource.ownerID == context.subject.email };

@id("evil-genius")
permit (principal in role::"evil_genius", action == Action::"can_update_todo", resource is todo);

@id("admins-delete")
permit (principal in role::"admin", action == Action::"can_delete_todo", resource is todo);
"""


def entity(kind, name, attributes=None, parents=()):
    uids = [{"type": parent, "id": above} for parent, above in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": attributes or {}, "parents": uids}


def person(name, *roles):
    return entity("user", name, {"email": f"{name}@house.example"}, [("role", role) for role in roles])


HOUSEHOLD = [
    entity("role", "viewer"),
    entity("role", "editor", parents=[("role", "viewer")]),
    entity("role", "evil_genius", parents=[("role", "editor")]),
    entity("role", "admin", parents=[("role", "editor")]),
    person("rosa", "admin"),
    person("mo", "evil_genius"),
    person("una", "editor"),
    person("ivo", "editor"),
    person("bea", "viewer"),
]

TODO_CASES = {
    "can_read_user": "rosa mo una ivo bea eve",
    "can_read_todos": "rosa mo una ivo bea",
    "can_create_todo": "rosa mo una ivo",
    "can_update_todo": "mo una",
    "can_delete_todo": "rosa una",
}


@pytest.mark.parametrize("name", ["rosa", "mo", "una", "ivo", "bea", "eve"])
@pytest.mark.parametrize("action", TODO_CASES)
def test_todos(policies, ask, name, action):
    loaded = policies(TODOS, entities=HOUSEHOLD)
    kind = "user" if action == "can_read_user" else "todo"
    todo = Party(type=kind, id="t1", properties={"ownerID": "una@house.example"})
    answer = ask(loaded, subject=Party(type="user", id=name), action=action, resource=todo)
    assert (answer.answer == "allow") == (name in TODO_CASES[action].split())
    assert answer.errors == ()


def test_an_owner_is_one_only_by_what_is_sent(policies, ask):
    loaded = policies(TODOS, entities=HOUSEHOLD)
    una = Party(type="user", id="una")
    assert ask(loaded, subject=una, action="can_update_todo", resource=Party(type="todo", id="t1")).answer == "deny"
    owned = Party(type="todo", id="t1", properties={"ownerID": "una@house.example"})
    assert ask(loaded, subject=una, action="can_update_todo", resource=owned, overlay=False).answer == "deny"


RECORDS = """
@id("own-department")
permit (principal, action == Action::"view", resource is record)
when { principal has department && resource has department && principal.department == resource.department };

@id("owners")
permit (principal, action in [Action::"view", Action::"edit", Action::"delete"], resource is record)
when { resource has owner && resource.owner == principal };

@id("managers")
permit (principal, action in [Action::"edit"], resource is record)
when {
  principal has role && principal.role == "manager" &&
  resource has department && principal.department == resource.department
};
"""


def owned(name, owner, department):
    return entity("record", name, {"owner": {"__entity": {"type": "user", "id": owner}}, "department": department})


OFFICE = [
    entity("user", "ada", {"department": "sales", "role": "manager"}),
    entity("user", "ben", {"department": "sales", "role": "clerk"}),
    entity("user", "cleo", {"department": "legal", "role": "clerk"}),
    owned("101", "ada", "sales"),
    owned("102", "ben", "sales"),
    owned("103", "cleo", "legal"),
    owned("104", "ben", "legal"),
]


@pytest.fixture
def office(policies):
    return policies(RECORDS, entities=OFFICE)


def found(ask, office, *, subject, action, resource):
    return ask(office, subject=subject, action=action, resource=resource).answer == "allow"


@pytest.mark.parametrize(
    ("name", "action", "records"),
    [
        ("ada", "view", ["101", "102"]),
        ("ada", "edit", ["101", "102"]),
        ("ben", "view", ["101", "102", "104"]),
        ("ben", "edit", ["102", "104"]),
        ("cleo", "delete", ["103"]),
        ("nobody", "view", []),
    ],
)
def test_resources_are_searched(ask, office, name, action, records):
    who = Party(type="user", id=name)
    candidates = (Party(type="record", id=record) for record in office.entities("record"))
    assert [c.id for c in candidates if found(ask, office, subject=who, action=action, resource=c)] == records


@pytest.mark.parametrize(
    ("record", "action", "names"),
    [("101", "view", ["ada", "ben"]), ("104", "edit", ["ben"]), ("103", "view", ["cleo"]), ("109", "view", [])],
)
def test_subjects_are_searched(ask, office, record, action, names):
    what = Party(type="record", id=record)
    candidates = (Party(type="user", id=name) for name in office.entities("user"))
    assert [c.id for c in candidates if found(ask, office, subject=c, action=action, resource=what)] == names


@pytest.mark.parametrize(
    ("name", "record", "actions"),
    [("ada", "102", ["view", "edit"]), ("ben", "104", ["view", "edit", "delete"]), ("cleo", "101", [])],
)
def test_actions_are_searched(ask, office, name, record, actions):
    who, what = Party(type="user", id=name), Party(type="record", id=record)
    assert [a for a in office.actions() if found(ask, office, subject=who, action=a, resource=what)] == actions
