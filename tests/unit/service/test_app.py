"""The application: who may call what, and how a refusal looks."""

from __future__ import annotations

import pytest

from tocsin.errors import NotFound
from tocsin.service.request import Response
from tocsin.service.route import ANY_METHOD, JSON, PUBLIC, Route


async def echo(request):
    return Response(200, request.body, b"application/octet-stream")


async def crash(_request):
    raise ZeroDivisionError("a secret detail")


async def nothing(_request):
    raise NotFound("there is no alert `A-1`")


GET, POST = frozenset({"GET"}), frozenset({"POST"})
PEP = frozenset({"pep"})
ROUTES = [
    Route(GET, "/open", echo, PUBLIC),
    Route(POST, "/echo", echo, PEP, media=JSON, body_limit=100),
    Route(GET, "/crash", crash, PEP),
    Route(GET, "/nothing", nothing, PEP),
    Route(ANY_METHOD, "/under/", echo, PEP, prefix=True, key_header_only=True),
]


@pytest.mark.parametrize(
    ("line", "key", "told"),
    [
        ("GET /open", None, (200, None)),
        ("GET /nowhere", None, (404, "no-such-path")),
        ("POST /open", None, (405, "wrong-method")),
        ("GET /crash", None, (401, "no-caller")),
        ("GET /crash", "tsn_nobody", (401, "invalid-caller")),
        ("GET /crash", "tsn_reader", (403, "wrong-role")),
        ("GET /crash", "tsn_pep", (500, "unexpected")),
        ("GET /nothing", "tsn_pep", (404, "not-found")),
        ("POST /echo", "tsn_pep", (200, None)),
        ("DELETE /under/any", "tsn_pep", (401, "no-caller")),
    ],
)
def test_every_request_is_answered(make_house, ask, line, key, told):
    status, code = told
    answer = ask(make_house(), ROUTES, *line.split(), key=key)
    assert answer.status_code == status
    assert answer.headers["x-request-id"]
    if code:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["status"], problem["code"]) == (status, code)
        assert "secret" not in answer.text


def test_the_key_of_a_caller_may_come_in_its_own_header(make_house, ask):
    headers = {"X-Tocsin-Key": "tsn_pep", "Authorization": "Bearer somebody-else"}
    assert ask(make_house(), ROUTES, "DELETE", "/under/any", headers=headers).status_code == 200


def test_a_body_over_the_limit_is_refused(make_house, ask):
    assert ask(make_house(), ROUTES, "POST", "/echo", key="tsn_pep", content=b"x" * 101).status_code == 413


def test_a_body_of_another_type_is_refused(make_house, ask):
    headers = {"Content-Type": "text/plain"}
    assert ask(make_house(), ROUTES, "POST", "/echo", key="tsn_pep", headers=headers).status_code == 415
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert ask(make_house(), ROUTES, "POST", "/echo", key="tsn_pep", headers=headers).status_code == 200
