"""AuthZEN 1.0, sections 5 and 6: one question and its answer."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (("alice", "read", "record-1"), True),
        (("alice", "write", "record-1"), True),
        (("alice", "write", "record-2"), False),
        (("bob", "read", "record-1"), True),
        (("bob", "write", "record-1"), False),
        (("bob", "write", "record-2"), True),
        (("carol", "read", "record-1"), False),
        (("nobody", "read", "record-1"), False),
        (("alice", "read", "record-9"), True),
        (("alice", "unheard-of", "record-1"), False),
    ],
)
def test_a_decision_is_true_or_false(point, asked, question, expected):
    assert point.post("evaluation", asked(*question))["decision"] is expected


def test_an_unknown_type_is_denied_and_no_error(point, asked):
    body = asked() | {"subject": {"type": "space ship", "id": "alice"}}
    assert point.post("evaluation", body)["decision"] is False


def test_properties_of_the_subject_count(point, asked):
    body = asked("carol", "write", "record-2")
    assert point.post("evaluation", body)["decision"] is False
    body["subject"]["properties"] = {"role": "admin"}
    assert point.post("evaluation", body)["decision"] is True


def test_properties_of_the_resource_count(point, asked):
    body = asked("alice", "write", "record-1")
    body["resource"]["properties"] = {"status": "archived"}
    assert point.post("evaluation", body)["decision"] is False


def test_properties_of_the_action_count(point, asked):
    body = asked("alice", "delete")
    for soft in (True, False):
        body["action"]["properties"] = {"soft": soft}
        assert point.post("evaluation", body)["decision"] is soft


def test_properties_may_hold_any_json(point, asked):
    body = asked()
    body["subject"]["properties"] = {"a": None, "b": [1, 2.5, "x", {"c": True}], "d": {"e": {}}, "é": "☃"}
    body["resource"]["properties"] = {"library": {"title": "x", "isbn": "978-0"}}
    assert point.post("evaluation", body)["decision"] is True


def test_a_context_is_taken(point, asked):
    body = asked(time="1985-10-26T01:22-07:00", ip="192.0.2.1", schema="https://schema.example/x", nested={"a": [1]})
    assert point.post("evaluation", body)["decision"] is True


@pytest.mark.parametrize("place", ["top", "subject", "action", "resource"])
def test_unknown_members_are_ignored(point, asked, place):
    body = asked()
    target = body if place == "top" else body[place]
    target |= {"foo": "bar", "futureField": {"nested": [None]}, "evaluations": 3}
    assert point.post("evaluation", body)["decision"] is True


def test_members_may_stand_in_any_order(point):
    text = (
        b'{"resource": {"id": "record-1", "type": "record"}, "context": {},'
        b' "action": {"properties": {}, "name": "read"}, "subject": {"id": "alice", "type": "user"}}'
    )
    answer = point.call("POST", "/access/v1/evaluation", content=text, headers={"Content-Type": "application/json"})
    assert answer.json()["decision"] is True


@pytest.mark.parametrize("member", ["subject", "action", "resource"])
def test_what_is_required_and_missing_is_a_bad_request(point, asked, member):
    body = asked()
    del body[member]
    problem = point.refuse("evaluation", body)
    assert problem["code"] == "invalid-request"
    assert f"`{member}`" in problem["detail"]


@pytest.mark.parametrize(
    ("entity", "member"),
    [("subject", "type"), ("subject", "id"), ("action", "name"), ("resource", "type"), ("resource", "id")],
)
@pytest.mark.parametrize("value", [None, 123, True, [], {}, "", "missing"])
def test_what_is_required_of_an_entity_must_be_text(point, asked, entity, member, value):
    body = asked()
    if value == "missing":
        del body[entity][member]
    else:
        body[entity][member] = value
    problem = point.refuse("evaluation", body)
    assert member in problem["detail"] or f"$.{entity}" in problem["detail"]


@pytest.mark.parametrize("member", ["subject", "action", "resource", "context"])
@pytest.mark.parametrize("value", [None, "alice", 7, False, [], [{}]])
def test_entities_and_context_must_be_objects(point, asked, member, value):
    assert point.refuse("evaluation", asked() | {member: value})["status"] == 400


@pytest.mark.parametrize("entity", ["subject", "action", "resource"])
@pytest.mark.parametrize("value", [None, "x", 7, []])
def test_properties_must_be_an_object(point, asked, entity, value):
    body = asked()
    body[entity]["properties"] = value
    assert point.refuse("evaluation", body)["status"] == 400


def test_names_are_bounded(point, asked):
    assert point.refuse("evaluation", asked("x" * 4097))["status"] == 400
    assert point.refuse("evaluation", asked(action="x" * 4097))["status"] == 400
    assert point.post("evaluation", asked("x" * 4096))["decision"] is False


def test_what_no_policy_can_be_asked_about_is_a_bad_request(point, asked):
    body = asked()
    body["subject"]["properties"] = {"role": {"__entity": {"type": "user", "id": "bob"}}}
    assert point.refuse("evaluation", body)["code"] == "bad-value"


def test_an_allowed_answer_says_what_led_to_it(point, asked):
    context = point.post("evaluation", asked())["context"]
    assert context["id"].startswith("D-")
    assert context["outcome"] == "allow"
    assert context["reasons"] == [{"source": "policy", "id": "staff-reads"}]
    assert context["reliance"]["seconds"] == 60.0
    assert context["policy_version"]
    assert context["risk"] == "low"
    assert not {"reason_admin", "reason_user", "error", "would"} & set(context)


def test_a_denial_has_a_reason_for_administrators_and_another_for_the_user(point, asked):
    context = point.post("evaluation", asked("alice", "write", "record-2"))["context"]
    assert context["outcome"] == "deny"
    assert "archived" in context["reason_admin"]["403"]
    assert "archived" not in str(context["reason_user"])
    assert context["reasons"][0]["text"] == "archived records are changed by administrators only"


def test_a_step_up_is_a_denial_that_says_what_to_prove(point, asked):
    answer = point.post("evaluation", asked("alice", "export"))
    assert answer["decision"] is False
    assert answer["context"]["outcome"] == "step_up"
    assert answer["context"]["obligations"]["acr_values"] == "phr"
    assert answer["context"]["obligations"]["max_age"] == 300
    assert set(answer["context"]["reason_user"]) == {"401"}


def test_a_limit_is_a_permit_with_obligations(point, asked):
    answer = point.post("evaluation", asked("alice", "pay", amount=12.5, currency="EUR"))
    assert answer["decision"] is True
    assert answer["context"]["outcome"] == "limit"
    assert answer["context"]["obligations"]["amount"] == 100


def test_an_error_in_a_policy_denies(point, asked):
    answer = point.post("evaluation", asked("alice", "stumble"))
    assert answer["decision"] is False
    assert answer["context"]["reasons"][0]["id"] == "policy-error"


def test_the_same_question_gets_the_same_decision(point, asked):
    for body in (asked(), asked("bob", "write")):
        assert len({point.post("evaluation", body)["decision"] for _ in range(5)}) == 1


def test_the_question_is_journaled_with_what_it_told(make_point, asked):
    point = make_point()
    body = asked(ip="198.51.100.7", user_agent="curl/8", amount=3, currency="EUR", session="s-1", purpose="test")
    body["subject"]["properties"] = {"device_id": "8:65:ee:17:7e:0b"}
    point.post("evaluation", body)
    (question,) = point.questions()
    assert question["caller"] == "pep-1"
    assert question["identity"] == {"subject": "user:alice", "assurance": 1, "method": "asserted"}
    assert (question["kind"], question["amount"], question["session"]) == ("payment", 3.0, "s-1")
    assert question["origin"]["address"] == "198.51.100.7"
    assert question["origin"]["device"] == "8:65:ee:17:7e:0b"
    assert question["context"]["purpose"] == "test"


def test_a_credential_raises_assurance_and_is_never_kept(make_point, asked):
    point = make_point()
    answer = point.post("evaluation", asked("alice", "export", credential="alice-now"))
    assert answer["decision"] is True
    (question,) = point.questions()
    assert question["identity"]["method"] == "oidc"
    assert "alice-now" not in str(question)


@pytest.mark.parametrize("credential", ["alice-old", "bob-now", "tsn_of_bob", "tsn_of_nobody"])
def test_a_credential_that_does_not_hold_is_denied_whatever_policies_say(point, asked, credential):
    answer = point.post("evaluation", asked("alice", "read", credential=credential))
    assert answer["decision"] is False
    assert answer["context"]["reasons"][0]["source"] == "identity"
    assert credential not in str(answer)


def test_a_key_of_a_subject_is_a_credential(point, asked):
    assert point.post("evaluation", asked("bob", "read", credential="tsn_of_bob"))["decision"] is True


def test_a_credential_nobody_can_be_asked_about_is_denied(point, asked):
    answer = point.post("evaluation", asked("alice", "read", credential="alice-lost"))
    assert answer["decision"] is False
    assert answer["context"]["reasons"][0]["id"] == "issuer-unavailable"


@pytest.mark.parametrize("credential", [None, "", 5, {}, {"authorization": 5}, {"authorization": "x", "dpop": 5}])
def test_a_malformed_credential_is_a_bad_request(point, asked, credential):
    assert point.refuse("evaluation", asked("alice", "read", credential=credential))["status"] == 400
