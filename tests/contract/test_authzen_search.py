"""AuthZEN 1.0, section 8: which subjects, resources and actions would be allowed."""

from __future__ import annotations

import pytest

READ, WRITE = {"name": "read"}, {"name": "write"}
ONE, TWO = {"type": "record", "id": "record-1"}, {"type": "record", "id": "record-2"}
ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
READERS = {"subject": {"type": "user"}, "action": READ, "resource": ONE}
READABLE = {"subject": ALICE, "action": READ, "resource": {"type": "record"}}
POSSIBLE = {"subject": ALICE, "resource": ONE}
SEARCHES = [("search/subject", READERS), ("search/resource", READABLE), ("search/action", POSSIBLE)]


def users(*names):
    return [{"type": "user", "id": name} for name in names]


def test_subjects_are_found_through_every_membership(point):
    assert point.post("search/subject", READERS) == {"results": users("alice", "bob")}


def test_resources_are_found(point):
    assert point.post("search/resource", READABLE) == {"results": [ONE, TWO]}


def test_actions_are_found(point):
    assert point.post("search/action", POSSIBLE) == {"results": [{"name": "read"}, {"name": "write"}, {"name": "pay"}]}


def test_properties_of_what_is_given_count(point):
    body = {"subject": {"type": "user"}, "action": WRITE, "resource": ONE | {"properties": {"status": "archived"}}}
    assert point.post("search/subject", body) == {"results": users("bob")}
    body = {"subject": {"type": "user", "id": "carol", "properties": {"role": "admin"}}, "resource": TWO}
    assert point.post("search/action", body) == {"results": [WRITE]}


def test_properties_of_what_is_sought_count_for_every_candidate(point):
    body = {"subject": BOB, "action": WRITE, "resource": {"type": "record", "properties": {"status": "archived"}}}
    assert point.post("search/resource", body) == {"results": [ONE, TWO]}


@pytest.mark.parametrize(("path", "body"), SEARCHES)
def test_what_is_found_would_be_permitted(point, path, body):
    for result in point.post(path, body)["results"]:
        assert point.post("evaluation", body | {path.rpartition("/")[2]: result})["decision"] is True


@pytest.mark.parametrize("uid", ["carol", 5, None, {}, ""])
def test_an_id_of_what_is_sought_is_ignored(point, uid):
    body = READERS | {"subject": {"type": "user", "id": uid}}
    assert point.post("search/subject", body) == {"results": users("alice", "bob")}
    body = READABLE | {"resource": {"type": "record", "id": uid}}
    assert point.post("search/resource", body) == {"results": [ONE, TWO]}


@pytest.mark.parametrize("action", [READ, {"name": "nonsense"}, {"name": 5}, 5, None])
def test_an_action_in_a_search_for_actions_is_ignored(point, action):
    assert point.post("search/action", POSSIBLE | {"action": action}) == point.post("search/action", POSSIBLE)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search/subject", READERS | {"subject": {"type": "spaceship"}}),
        ("search/subject", READERS | {"action": {"name": "unheard-of"}}),
        ("search/subject", READERS | {"resource": {"type": "planet", "id": "x"}}),
        ("search/resource", READABLE | {"subject": {"type": "user", "id": "nobody"}}),
        ("search/resource", READABLE | {"resource": {"type": "space ship::x"}}),
        ("search/action", POSSIBLE | {"subject": {"type": "user", "id": "nobody"}}),
    ],
)
def test_nothing_found_is_an_empty_list(point, path, body):
    assert point.post(path, body) == {"results": []}


@pytest.mark.parametrize(("path", "body"), SEARCHES)
def test_a_context_is_taken_and_unknown_members_are_ignored(point, path, body):
    more = {"context": {"time": "2024-10-26T01:22-07:00", "ip": "192.0.2.1"}, "foo": 1, "page": {"customAttr": "x"}}
    assert point.post(path, body | more)["results"] == point.post(path, body)["results"]


@pytest.mark.parametrize(("path", "body"), SEARCHES)
def test_what_is_required_and_missing_is_a_bad_request(point, path, body):
    for name in body:
        assert point.refuse(path, {key: value for key, value in body.items() if key != name})["status"] == 400
        for member in set(body[name]):
            short = {key: value for key, value in body[name].items() if key != member}
            assert point.refuse(path, body | {name: short})["status"] == 400


@pytest.mark.parametrize(("path", "body"), SEARCHES)
@pytest.mark.parametrize(
    "page",
    [None, [], "x", {"limit": -1}, {"limit": "1"}, {"limit": 1.5}, {"limit": None}, {"token": 5}, {"properties": 1}],
)
def test_a_page_of_the_wrong_kind_is_a_bad_request(point, path, body, page):
    assert point.refuse(path, body | {"page": page})["status"] == 400


def test_a_search_is_not_journaled(make_point):
    point = make_point()
    for path, body in SEARCHES:
        point.post(path, body)
    assert point.questions() == []


def test_a_credential_is_verified(point):
    body = {"subject": ALICE, "resource": ONE, "context": {"credential": "alice-now"}}
    assert {"name": "export"} in point.post("search/action", body)["results"]
    answer = point.post("search/action", body | {"context": {"credential": "alice-old"}})
    assert answer["results"] == []
    assert answer["context"]["reasons"][0]["source"] == "identity"


@pytest.mark.parametrize(("path", "body"), SEARCHES)
def test_a_malformed_credential_is_a_bad_request(point, path, body):
    assert point.refuse(path, body | {"context": {"credential": {"authorization": "x", "url": False}}})["status"] == 400


# --- pages


def pages(point, path, body):
    """Follow the tokens to the end."""
    found, told, body = [], [], dict(body)
    while True:
        answer = point.post(path, body)
        assert next(iter(answer)) == "page"
        found += answer["results"]
        told.append(answer["page"])
        assert answer["page"]["count"] == len(answer["results"])
        if not answer["page"]["next_token"]:
            return found, told
        body["page"] = body["page"] | {"token": answer["page"]["next_token"]}


@pytest.mark.parametrize(("path", "body"), SEARCHES)
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_together_hold_every_result_once(point, path, body, limit):
    whole = point.post(path, body)["results"]
    found, told = pages(point, path, body | {"page": {"limit": limit}})
    assert found == whole
    assert [page["count"] for page in told] == [len(whole[i : i + limit]) for i in range(0, len(whole), limit)]
    assert told[-1]["total"] == len(whole)


def test_a_page_that_holds_the_rest_exactly_is_the_last(point):
    answer = point.post("search/subject", READERS | {"page": {"limit": 2}})
    assert answer["page"] == {"next_token": "", "count": 2, "total": 2}


def test_a_limit_of_nothing_gives_nothing_and_a_token(point):
    answer = point.post("search/subject", READERS | {"page": {"limit": 0}})
    assert answer["results"] == []
    assert answer["page"]["next_token"]


def test_an_empty_result_has_a_page_where_one_was_asked_for(point):
    body = READERS | {"subject": {"type": "spaceship"}, "page": {"limit": 1}}
    assert point.post("search/subject", body) == {"page": {"next_token": "", "count": 0, "total": 0}, "results": []}


def test_a_token_needs_no_limit_beside_it(point):
    token = point.post("search/subject", READERS | {"page": {"limit": 1}})["page"]["next_token"]
    answer = point.post("search/subject", READERS | {"page": {"token": token}})
    assert answer["results"] == users("bob")
    assert answer["page"]["next_token"] == ""


def test_an_equal_request_gets_an_equal_token(point):
    first, second = (point.post("search/subject", READERS | {"page": {"limit": 1}}) for _ in range(2))
    assert first == second


def test_an_empty_token_is_the_first_page(point):
    answer = point.post("search/subject", READERS | {"page": {"token": "", "limit": 1}})
    assert answer["results"] == users("alice")


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"type": "team"}},
        {"subject": {"type": "user", "properties": {"role": "admin"}}},
        {"action": WRITE},
        {"action": {"name": "read", "properties": {"soft": True}}},
        {"resource": TWO},
        {"context": {"time": "now"}},
        {"page": {"limit": 2}},
        {"page": {"limit": 1, "properties": {"sort": "id"}}},
    ],
)
def test_a_token_holds_for_one_request_only(point, change):
    body = READERS | {"page": {"limit": 1}}
    token = point.post("search/subject", body)["page"]["next_token"]
    changed = body | change
    changed["page"] = changed["page"] | {"token": token}
    assert point.refuse("search/subject", changed)["code"] == "wrong-token"


def test_a_token_holds_for_one_caller_and_one_search_only(point):
    body = READERS | {"page": {"limit": 1}}
    body["page"]["token"] = point.post("search/subject", body)["page"]["next_token"]
    assert point.call("POST", "/access/v1/search/subject", json=body, key="tsn_reader").status_code == 400
    assert point.refuse("search/resource", READABLE | {"page": body["page"]})["status"] == 400


@pytest.mark.parametrize("token", ["x", "????", "é", "AAAA" * 10, "A" * 100_000])
def test_a_token_of_nobody_s_is_a_bad_request(point, token):
    assert point.refuse("search/subject", READERS | {"page": {"token": token}})["code"] == "wrong-token"


def test_every_bit_of_a_token_counts(point):
    token = point.post("search/subject", READERS | {"page": {"limit": 1}})["page"]["next_token"]
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        forged = token[:place] + other + token[place + 1 :]
        assert point.refuse("search/subject", READERS | {"page": {"token": forged}})["status"] == 400


def test_a_large_result_comes_in_pages_unasked(make_point):
    point = make_point(search_page=1)
    answer = point.post("search/subject", READERS)
    assert (answer["results"], answer["page"]["count"]) == (users("alice"), 1)
    found, _ = pages(point, "search/subject", READERS | {"page": {"limit": 100}})
    assert found == users("alice", "bob")


def test_the_work_for_one_page_is_bounded(make_point):
    point = make_point(search_scan=1)
    body = {"subject": {"type": "user"}, "action": WRITE, "resource": TWO, "page": {}}
    found, told = pages(point, "search/subject", body)
    assert found == users("bob")
    assert [page["count"] for page in told] == [0, 1, 0]


def test_properties_of_a_caller_whose_role_may_not_send_them_are_not_read(point):
    body = {"subject": {"type": "user", "id": "carol", "properties": {"role": "admin"}}, "resource": TWO}
    assert point.post("search/action", body, key="tsn_reader") == {"results": []}
    assert point.post("search/action", body, key="tsn_pep") == {"results": [WRITE]}
