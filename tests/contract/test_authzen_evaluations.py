"""AuthZEN 1.0, section 7: several questions in one request."""

from __future__ import annotations

import pytest

ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
READ, WRITE = {"name": "read"}, {"name": "write"}
ONE, TWO = {"type": "record", "id": "record-1"}, {"type": "record", "id": "record-2"}


def decisions(answer):
    assert "decision" not in answer
    return [item["decision"] for item in answer["evaluations"]]


def test_answers_stand_in_the_order_of_the_questions(point):
    body = {"subject": BOB, "resource": ONE, "evaluations": [{"action": READ}, {"action": WRITE}, {"action": READ}]}
    assert decisions(point.post("evaluations", body)) == [True, False, True]


def test_questions_need_no_defaults(point):
    items = [
        {"subject": ALICE, "action": READ, "resource": ONE},
        {"subject": BOB, "action": WRITE, "resource": ONE},
    ]
    assert decisions(point.post("evaluations", {"evaluations": items})) == [True, False]


def test_an_evaluation_replaces_defaults(point):
    body = {"subject": BOB, "action": WRITE, "resource": ONE, "evaluations": [{}, {"subject": ALICE}, {"action": READ}]}
    assert decisions(point.post("evaluations", body)) == [False, True, True]


def test_properties_of_a_default_do_not_leak_into_an_evaluation(point):
    body = {
        "action": WRITE,
        "resource": TWO,
        "subject": {"type": "user", "id": "carol", "properties": {"role": "admin"}},
        "evaluations": [{}, {"subject": {"type": "user", "id": "carol"}}, {"subject": {"id": "alice"}}],
    }
    assert decisions(point.post("evaluations", body)) == [True, False, False]


def test_an_evaluation_may_leave_the_type_to_the_default(point):
    body = {
        "subject": ALICE,
        "action": WRITE,
        "resource": {"type": "record"},
        "evaluations": [
            {"resource": {"id": "record-1", "properties": {"status": "active"}}},
            {"resource": {"type": "record", "id": "record-2", "properties": {"status": "archived"}}},
        ],
    }
    assert decisions(point.post("evaluations", body)) == [True, False]


def test_a_context_is_a_default_too(make_point):
    point = make_point()
    body = {
        "subject": ALICE,
        "action": READ,
        "context": {"source": "default"},
        "evaluations": [{"resource": ONE}, {"resource": TWO, "context": {"time": "2025-06-27T19:00-07:00"}}],
    }
    assert decisions(point.post("evaluations", body)) == [True, True]
    assert [q.get("context", {}) for q in point.questions()] == [
        {"source": "default"},
        {"time": "2025-06-27T19:00-07:00"},
    ]


@pytest.mark.parametrize("evaluations", [{}, {"evaluations": []}])
def test_without_evaluations_it_is_one_question(point, asked, evaluations):
    answer = point.post("evaluations", asked() | evaluations)
    assert answer["decision"] is True
    assert "evaluations" not in answer
    assert point.refuse("evaluations", {"subject": ALICE, "action": READ} | evaluations)["status"] == 400


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_semantics_cut_short(make_point, semantic, expected):
    point = make_point()
    body = {
        "subject": BOB,
        "resource": ONE,
        "evaluations": [{"action": READ}, {"action": WRITE}, {"action": READ}],
        "options": {"evaluations_semantic": semantic, "another_option": "value"},
    }
    assert decisions(point.post("evaluations", body)) == expected
    assert len(point.questions()) == len(expected)


def test_permit_on_first_permit_goes_on_until_there_is_one(point):
    body = {
        "subject": BOB,
        "resource": ONE,
        "evaluations": [{"action": WRITE}, {}, {"action": READ}, {"action": READ}],
        "options": {"evaluations_semantic": "permit_on_first_permit"},
    }
    assert decisions(point.post("evaluations", body)) == [False, False, True]


def test_an_error_counts_as_a_denial(point):
    body = {
        "subject": ALICE,
        "resource": ONE,
        "evaluations": [{"action": READ}, {}, {"action": READ}],
        "options": {"evaluations_semantic": "deny_on_first_deny"},
    }
    assert decisions(point.post("evaluations", body)) == [True, False]


def test_execute_all_is_the_default(point):
    body = {"subject": BOB, "resource": ONE, "evaluations": [{"action": WRITE}, {"action": READ}], "options": {}}
    assert decisions(point.post("evaluations", body)) == [False, True]


@pytest.mark.parametrize("options", [None, "x", [], {"evaluations_semantic": "bogus"}, {"evaluations_semantic": 1}])
def test_unknown_options_are_ignored_and_wrong_ones_refused(point, options):
    body = {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}], "options": options}
    problem = point.refuse("evaluations", body)
    assert "bogus" not in problem["detail"]
    assert decisions(point.post("evaluations", body | {"options": {"unheard-of": [1]}})) == [True]


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"resource": {"type": "record"}},
        {"resource": {"type": 5, "id": "record-1"}},
        {"resource": "record-1"},
        {"resource": None},
        {"resource": ONE, "action": {"name": ""}},
        {"resource": ONE, "context": []},
        {"resource": ONE, "context": {"amount": "much"}},
        {"resource": ONE | {"properties": {"x": {"__extn": {"fn": "ip", "arg": "x"}}, "status": {"__entity": {}}}}},
    ],
)
def test_an_error_in_one_evaluation_is_its_own(point, item):
    body = {"subject": ALICE, "action": WRITE, "evaluations": [{"resource": ONE}, item, {"resource": ONE}]}
    answer = point.post("evaluations", body)
    assert decisions(answer) == [True, False, True]
    error = answer["evaluations"][1]["context"]["error"]
    assert error["status"] == 400
    assert error["message"]


def test_a_subject_missing_everywhere_is_an_error_of_the_evaluation(point):
    answer = point.post("evaluations", {"action": READ, "evaluations": [{"resource": ONE}]})
    assert decisions(answer) == [False]


@pytest.mark.parametrize("evaluations", [None, {}, "x", {"1": {}}, [5], [None], [[]], ["x"]])
def test_evaluations_must_be_a_list_of_objects(point, asked, evaluations):
    assert point.refuse("evaluations", asked() | {"evaluations": evaluations})["status"] == 400


@pytest.mark.parametrize("default", [{"subject": "alice"}, {"action": {"name": 1}}, {"resource": []}, {"context": 1}])
def test_a_default_of_the_wrong_kind_is_the_whole_request_s_error(point, asked, default):
    assert point.refuse("evaluations", asked() | default | {"evaluations": [asked()]})["status"] == 400


def test_how_many_is_bounded(make_point):
    point = make_point(evaluations=3)
    body = {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}] * 3}
    assert decisions(point.post("evaluations", body)) == [True] * 3
    body["evaluations"].append({"resource": ONE})
    assert point.refuse("evaluations", body)["code"] == "too-many-evaluations"


def test_defaults_do_not_multiply_without_bound(point):
    body = {"subject": ALICE, "action": READ, "context": {"note": "x" * 100_000}}
    assert decisions(point.post("evaluations", body | {"evaluations": [{"resource": ONE}] * 40})) == [True] * 40
    many = body | {"evaluations": [{"resource": ONE}] * 50}
    assert point.refuse("evaluations", many)["code"] == "too-many-evaluations"


def test_equal_requests_get_equal_bodies(point):
    body = {"subject": ALICE, "evaluations": [{"resource": ONE, "action": a} for a in (READ, {"name": "export"})]}
    assert len({str(point.post("evaluations", body)) for _ in range(3)}) == 1


def test_answers_are_brief_unless_there_is_something_to_act_upon(point):
    names = ("read", "unheard-of", "export", "pay")
    answer = point.post(
        "evaluations", {"subject": ALICE, "resource": ONE, "evaluations": [{"action": {"name": n}} for n in names]}
    )
    read, unheard, export, pay = answer["evaluations"]
    assert (read, unheard) == ({"decision": True}, {"decision": False})
    assert export["context"]["outcome"] == "step_up"
    assert export["context"]["obligations"]["max_age"] == 300
    assert pay["context"] == {"outcome": "limit", "obligations": {"amount": 100}}


def test_full_answers_are_given_on_demand(point):
    body = {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}], "options": {"context": "full"}}
    (item,) = point.post("evaluations", body)["evaluations"]
    assert item["context"]["id"].startswith("D-")
    assert item["context"]["reasons"]


def test_ids_of_the_decisions_stand_in_a_header(point):
    body = {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}, {}, {"resource": TWO}]}
    answer = point.call("POST", "/access/v1/evaluations", json=body)
    ids = answer.headers["x-tocsin-decisions"].split(", ")
    assert len(ids) == len(set(ids)) == 2
    assert all(name.startswith("D-") for name in ids)
