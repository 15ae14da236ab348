"""The description of the HTTP interface: whole, true, and given to whoever asks."""

from __future__ import annotations

import re

import pytest

from tocsin.service import openapi, protocols
from tocsin.service.authzen import PATHS
from tocsin.service.route import ANY_METHOD, PUBLIC

TOLD = openapi.description()


def operations():
    return [(path, method.upper(), told) for path, methods in TOLD["paths"].items() for method, told in methods.items()]


def resolved(node):
    """Follow one reference."""
    while "$ref" in node:
        place = TOLD
        for name in node["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        node = place
    return node


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


@pytest.fixture(scope="module")
def served(point):
    return protocols.routes(point.house)


def answers(route, path, method):
    told = re.sub(r"\{[^}]*\}", "x", path)
    here = told.startswith(route.path) and told != route.path if route.prefix else told == route.path
    return here and (route.methods == ANY_METHOD or method in route.methods)


def test_everything_served_is_described(served):
    """A second prefix for the same thing is left out."""
    for route in served:
        if route.path != "/forward-auth/":
            assert any(answers(route, path, method) for path, method, _ in operations()), route.path


def test_everything_described_is_served_to_whom_it_says(served):
    for path, method, told in operations():
        found = [route for route in served if answers(route, path, method)]
        assert found, path
        assert (found[0].roles == PUBLIC) == (told["security"] == []), path
        assert (found[0].key_header_only) == (told["security"] == [{"key": []}]), path


def test_every_reference_leads_somewhere_and_nothing_is_left_over():
    found = set(references(TOLD))
    for name in found:
        resolved({"$ref": name})
    named = {f"#/components/{kind}/{name}" for kind, parts in TOLD["components"].items() for name in parts}
    assert {name for name in named if "securitySchemes" not in name} == found


def test_operations_have_distinct_ids_and_every_refusal_is_a_problem():
    ids = [told["operationId"] for _, _, told in operations()]
    assert len(set(ids)) == len(ids)
    for _, _, told in operations():
        for status, answer in told["responses"].items():
            if status >= "4":
                assert "application/problem+json" in resolved(answer)["content"]


def test_paths_of_authzen_are_the_specification_s():
    assert set(PATHS.values()) <= set(TOLD["paths"])


def test_the_description_is_given_to_whoever_asks(point, make_point):
    answer = point.call("GET", "/openapi.json", key=None)
    assert answer.json() == TOLD
    public = make_point(public_url="https://pdp.example.org").call("GET", "/openapi.json", key=None).json()
    assert public["servers"] == [{"url": "https://pdp.example.org"}]
