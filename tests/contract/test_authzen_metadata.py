"""AuthZEN 1.0, section 9: where to ask what."""

from __future__ import annotations

import pytest

from tocsin.service.authzen import PATHS

WELL_KNOWN = "/.well-known/authzen-configuration"


def test_the_metadata_name_every_endpoint(point):
    answer = point.call("GET", WELL_KNOWN, key=None)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["policy_decision_point"] == "https://pdp.example"
    assert told == {"policy_decision_point": "https://pdp.example"} | {
        name: f"https://pdp.example{path}" for name, path in PATHS.items()
    }


def test_every_endpoint_named_answers(point, asked):
    told = point.call("GET", WELL_KNOWN, key=None).json()
    for name, url in told.items():
        if name.endswith("_endpoint"):
            assert point.call("POST", url, json=asked()).status_code == 200


def test_paths_hold_the_version():
    assert all("/v1/" in path for path in PATHS.values())


@pytest.mark.parametrize("url", ["https://tocsin.example.org", "https://example.org:8443/pdp/one"])
def test_a_public_address_goes_before_what_the_request_says(make_point, url):
    point = make_point(public_url=url)
    path = url.removeprefix("https://").partition("/")[2]
    where = f"{WELL_KNOWN}/{path}" if path else WELL_KNOWN
    answer = point.call("GET", where, key=None, headers={"Host": "other.example"})
    assert answer.json()["policy_decision_point"] == url
    assert answer.json()["access_evaluation_endpoint"] == f"{url}/access/v1/evaluation"
    assert "max-age" in answer.headers["cache-control"]


def test_an_address_of_the_request_s_own_is_nobody_else_s_to_keep(point):
    assert point.call("GET", WELL_KNOWN, key=None).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["pdp.example/x", "pdp.example?x", 'x"><script>', "a b", "user@pdp.example", "x:port"])
def test_a_host_that_is_none_is_not_repeated(point, host):
    answer = point.call("GET", WELL_KNOWN, key=None, headers={"Host": host})
    assert answer.status_code == 400
    assert host not in answer.text


def test_an_unknown_tenant_is_nothing(point):
    assert point.call("GET", f"{WELL_KNOWN}/tenant1", key=None).status_code == 404


def test_metadata_are_got_and_not_posted(point):
    assert point.call("POST", WELL_KNOWN, key=None).status_code == 405


@pytest.mark.parametrize("path", [WELL_KNOWN, "/openapi.json"])
def test_what_anybody_may_read_takes_no_body(point, path):
    assert point.call("GET", path, key=None).status_code == 200
    assert point.call("GET", path, key=None, content=b"x").status_code == 413
