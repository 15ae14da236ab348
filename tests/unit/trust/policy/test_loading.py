from __future__ import annotations

import pytest

from tocsin.errors import PolicyError
from tocsin.trust.policy import PolicySet, inspect

ANY = "permit (principal, action, resource)"
SCHEMA = """
entity user = { level?: Long };
entity doc;
action "read", "write" appliesTo { principal: [user], resource: [doc], context: TocsinContext };
"""
FIRST = '[{"uid": {"type": "user", "id": "a"}, "attrs": {}, "parents": []},\n'


def faults(folder):
    return [str(fault).replace(f"{folder}/", "") for fault in inspect(folder).faults]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"// a\n{ANY};\n{ANY}\nwhen {{ context. }};", "policies.cedar:4: unexpected token `}`"),
        (f"{ANY};\n\n{ANY}\nwhen {{ foo(1) }};", "policies.cedar:4: `foo` is not a valid function"),
        (f"{ANY};\npermit (principal,\n  acton, resource);", "policies.cedar:3: found an invalid variable in the"),
        (f"{ANY};\n{ANY}\nwhen {{ true }}", "policies.cedar:3: unexpected end of input"),
        (f'{ANY};\n{ANY}\nwhen {{ "abc }};', "policies.cedar:3: invalid token"),
        ("permit (principal == ?principal, action, resource);", "policies.cedar:1: a template"),
        (f'@id("a") {ANY};\n@id("a") {ANY};', "policies.cedar:2: `@id` `a` is taken by the policy at policies.cedar:1"),
        (f'@outcom("limit") {ANY};', "policies.cedar:1: unknown annotation `@outcom`; did you mean `@outcome`?"),
        (f'@outcome("limt") {ANY};', "policies.cedar:1: `@outcome` of a permit is `allow` or `limit`, not `limt`"),
        (f'@outcome("step_up") {ANY};', "policies.cedar:1: `@outcome` of a permit is"),
        (f'@outcome("limit") {ANY};', 'policies.cedar:1: `@outcome("limit")` needs `@read_only`'),
        (f'@outcome("limit") @read_only("yes") {ANY};', "policies.cedar:1: `@read_only` is `true` or `false`"),
        (
            f'@read_only("true") {ANY};',
            'policies.cedar:1: `@read_only` means something only beside `@outcome("limit")`',
        ),
        (f'@seconds("0") {ANY};', "policies.cedar:1: `@seconds` is a number above 0, not `0`"),
        (f'@seconds("nan") {ANY};', "policies.cedar:1: `@seconds` is a number above 0, not `nan`"),
        (f'@bytes("1e9") {ANY};', "policies.cedar:1: `@bytes` is a number above 0"),
        (f'@obligation("x") {ANY};', "policies.cedar:1: `@obligation` is written `key=value; key=value`, not `x`"),
        (f'@id("no-permit") {ANY};', "policies.cedar:1: `@id` cannot be `no-permit`"),
        (f'@id("a b") {ANY};', "policies.cedar:1: `@id` cannot be `a b`"),
        ('@seconds("3") forbid (principal, action, resource);', "policies.cedar:1: `@seconds` means something only on"),
        (";", "policies.cedar:1: unexpected token `;`"),
        ("\x00", "policies.cedar:1: invalid token"),
        (f"{ANY} when {{ {'(' * 90}true{')' * 90} }};", "policies.cedar: more than 64 brackets are open at once"),
        (f"{ANY} when {{ {'(' * 90_000} }};", "policies.cedar: more than 64 brackets are open at once"),
        (f"{ANY} when {{ {' && '.join(['true'] * 20_000)} }};", "policies.cedar: more than 1000 operators in one"),
        (f"{ANY} when {{ {'if true then true else ' * 9_000}true }};", "policies.cedar: more than 1000 operators in"),
        (f"{ANY} when {{ {' && '.join(['true'] * 990)} }};", "policies.cedar:1: nested too deep"),
    ],
)
def test_a_wrong_policy_is_told_with_file_and_line(folder, text, fault):
    found = faults(folder(text))
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_every_fault_of_every_file_is_told_and_the_first_is_raised(folder):
    written = folder(f"{ANY};\n oops;", other=f"{ANY} when {{ 1 < }};", entities="[\n{}]")
    assert [line.split(": ")[0] for line in faults(written)] == ["other.cedar:1", "policies.cedar:2", "entities.json:2"]
    with pytest.raises(PolicyError, match=r"other\.cedar:1: ") as raised:
        PolicySet.load(written)
    assert raised.value.hint.startswith("2 more; ")


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        (f"{ANY}\nwhen {{ context.rsk == 1 }};", "policies.cedar:2: attribute `rsk` in context"),
        ('permit (principal, action == Action::"raed", resource);', "policies.cedar:1: unrecognized action"),
        (f"{ANY}\nwhen {{ context.bytes > 1 }};", "policies.cedar:2: unable to guarantee safety of access to optional"),
        (f"{ANY} when {{ context.risk > 1 }};", "policies.cedar:1: unexpected type"),
    ],
)
def test_policies_are_checked_against_the_schema(folder, policy, fault):
    assert any(found.startswith(fault) for found in faults(folder(f"{policy}", schema=SCHEMA)))


def test_a_schema_may_use_our_types_and_define_those_it_wants_otherwise(folder):
    text = f'{ANY} when {{ context.subject.email == "a@b" && context.time > datetime("2026-01-01") }};'
    assert "attribute `subject.email`" in faults(folder(text, schema=SCHEMA))[0]
    assert faults(folder(text, schema="type TocsinSubject = { email: String };" + SCHEMA)) == []
    assert faults(folder(f"{ANY} when {{ context.x }};", schema="type TocsinContext = { x: Bool };" + SCHEMA)) == []


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ("entity user;\nentity doc {\n  x: };", "schema.cedarschema:3: unexpected token `}`"),
        ("entity user {\n  x: Strng };", "schema.cedarschema:2: failed to resolve type: Strng"),
        ("entity user {", "schema.cedarschema:1: unexpected end of input"),
        ("entity user {" + "a: {" * 90, "schema.cedarschema: more than 64 brackets"),
    ],
)
def test_a_wrong_schema_is_told_with_its_line(folder, schema, fault):
    assert faults(folder(f"{ANY};", schema=schema))[0].startswith(fault)


@pytest.mark.parametrize(
    ("entities", "fault"),
    [
        ("{}", "entities.json:1: entities are a JSON list"),
        ("[\n{},\n", "entities.json:2: an entity is an object with"),
        ('[\n{"uid": {"type": "user", "id": "a"}, "attrs": {,', "entities.json:2: not JSON"),
        ('[{"uid": {"type": "user", "id": "a"}, "attrs": {"n": 1,\n"n": 2}}]', "entities.json:1: a key stands twice"),
        ('[{"uid": {"type": "user", "id": "a"}, "attrs": {"n": NaN}}]', "entities.json:1: `NaN` is not JSON"),
        ('[{"uid": {"type": "user", "id": "a"}, "attrs": {}, "parents": []}', "entities.json:1: the list of entities"),
        ("[] []", "entities.json:1: something follows"),
        ("[" * 100_000, "entities.json:1: "),
        (
            FIRST + '{"uid": {"type": "user", "id": "b"}, "attrs": {"level": "x"}, "parents": []}]',
            'entities.json:2: entity `user::"b"`: entity does not conform to the schema',
        ),
        (
            FIRST + '{"uid": {"type": "us-er", "id": "b"}, "attrs": {}, "parents": []}]',
            'entities.json:2: entity `us-er::"b"`: ',
        ),
        ('[{"uid": {"type": "user"}, "attrs": {}, "parents": []}]', 'entities.json:1: entity `?::"?"`: '),
    ],
)
def test_wrong_entities_are_told_with_their_line(folder, entities, fault):
    found = faults(folder(f"{ANY};", entities=entities, schema=SCHEMA))
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_what_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(PolicyError, match="cannot read"):
        inspect(tmp_path / "nowhere")
    with pytest.raises(PolicyError, match=r"holds no `\*.cedar`"):
        inspect(tmp_path)
    (tmp_path / "a.cedar").write_bytes(b"permit\n\xff")
    with pytest.raises(PolicyError, match=r"a\.cedar:2: not UTF-8"):
        inspect(tmp_path)
    (tmp_path / "a.cedar").write_bytes(b" " * (5 << 20))
    with pytest.raises(PolicyError, match="beyond the limit"):
        inspect(tmp_path)
    (tmp_path / "a.cedar").unlink()
    (tmp_path / "a.cedar").mkdir()
    with pytest.raises(PolicyError, match="not a regular file"):
        inspect(tmp_path)


def test_warnings_name_what_no_schema_checks(folder):
    warned = [str(fault) for fault in inspect(folder(f'@note("x") {ANY} when {{ context.rsk == 1 }};')).warnings]
    assert "no `schema.cedarschema`" in warned[0]
    assert warned[1].endswith("policies.cedar:1: `@note` has no meaning here")
    assert warned[2].endswith("`context.rsk` is no fact of ours: only callers can send it")
    assert inspect(folder(f"{ANY};", schema=SCHEMA)).warnings == ()


def test_an_action_that_no_question_has_is_warned_of(folder):
    found = inspect(folder('permit (principal, action in [App::Action::"a", Action::"b"], resource);'))
    assert [str(warning).rpartition("cedar:1: ")[2] for warning in found.warnings[1:]] == [
        'no question has the action `App::Action::"a"`: all are `Action::"name"`'
    ]


def test_comments_and_texts_do_not_end_a_policy(policies):
    text = f'// one; two\n{ANY} when {{ "a;b // c" != "d" }}; // after;\n\n@id("last")\n{ANY};\n// end'
    loaded = policies(text)
    assert [(rule.id, rule.place.rpartition(":")[2]) for rule in loaded.rules] == [("policy0", "2"), ("last", "4")]
    assert len(policies(f"// a\r{ANY};").rules) == 1


def test_files_are_taken_by_name_and_a_comment_at_the_end_of_one_is_its_own(policies):
    loaded = policies(f'@id("z") {ANY}; // z', a=f'@id("a") {ANY}; // a')
    assert [rule.id for rule in loaded.rules] == ["a", "z"]


def test_the_version_is_that_of_the_texts(folder):
    first = PolicySet.load(folder(f"{ANY};")).version
    assert PolicySet.load(folder(f"{ANY};")).version == first
    assert PolicySet.load(folder(f"{ANY}; ")).version != first
    assert PolicySet.load(folder(f"{ANY};", entities=[])).version != first
    assert len(first) == 12


def test_actions_are_those_of_policies_then_schema_then_entities(policies):
    group = {"uid": {"type": "Action", "id": "archive"}, "attrs": {}, "parents": [{"type": "Action", "id": "write"}]}
    text = 'permit (principal, action in [Action::"b", Action::"a"], resource) unless { action == Action::"c" };'
    assert policies(text, entities=[group]).actions() == ("b", "a", "c", "archive")
    written = policies(f"{ANY};", schema='entity u; action "w\\"q", v; ' + SCHEMA, entities=[]).actions()
    assert set(written) == {'w"q', "v", "read", "write"}


def test_stored_entities_are_given_in_file_order_with_plain_attributes(policies):
    price = {"__extn": {"fn": "decimal", "arg": "1.5"}}
    boss = {"__entity": {"type": "user", "id": "b"}}
    loaded = policies(
        f"{ANY};",
        entities=[
            {"uid": {"type": "user", "id": "z"}, "attrs": {"n": [1, {"x": True}], "p": price}, "parents": []},
            {"uid": {"__entity": {"type": "us_x2d_er", "id": "a\n"}}, "attrs": {"boss": boss}, "parents": []},
            {"uid": {"type": "user", "id": "b"}, "attrs": {}, "parents": []},
        ],
    )
    assert loaded.entities("user") == ("z", "b")
    assert loaded.entities("us-er") == ("a\n",)
    assert loaded.entities("nobody") == ()
    assert loaded.attributes("user", "z") == {"n": [1, {"x": True}], "p": "1.5"}
    assert loaded.attributes("us-er", "a\n") == {"boss": {"type": "user", "id": "b"}}
    assert loaded.attributes("user", "?") == {}
