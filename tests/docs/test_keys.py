"""docs/keys.md names every role, every administration route and what a key looks like, as the code has them."""

from __future__ import annotations

from types import SimpleNamespace

import pages
import pytest

from tocsin.record import ROLES
from tocsin.service import operations
from tocsin.service.administration import ROOT
from tocsin.trust.keys import TOKEN

PAGE = "docs/keys.md"
HOUSE = SimpleNamespace(engine=None, clock=lambda: None)
ROUTES = operations.routes(HOUSE)
TOLD = [row for row in pages.rows(PAGE) if ROOT in row[0]]


def fits(route, request):
    method, path = request.strip("`").split()
    return method in route.methods and (path.startswith(route.path) if route.prefix else path == route.path)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{min(route.methods)} {route.path}")
def test_a_route_is_documented_with_the_roles_that_may_call_it(route):
    rows = [row for row in TOLD if fits(route, row[0])]
    assert rows, f"{PAGE} says nothing of `{route.path}`"
    for row in rows:
        assert row[1] == ("reader" if "reader" in route.roles else "admin")


def test_nothing_is_documented_that_is_not_there():
    assert [row[0] for row in TOLD if not any(fits(route, row[0]) for route in ROUTES)] == []


def test_roles_and_the_shape_of_a_key_are_documented():
    page = pages.text(PAGE)
    assert f"```text\n{TOKEN}\n```" in page
    assert {row[0].strip("`") for row in pages.rows(PAGE)} >= set(ROLES)
