"""The description put to a real server: whatever it allows to be sent, and much that it does not, is answered as said.

Schemathesis makes requests from the description and from its negation, the same ones every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tocsin.service.openapi import description

sys.path.insert(0, str(Path(__file__).parent))
from serving import Server, make_key

pytestmark = pytest.mark.heavy

DESCRIPTION = schemathesis.openapi.from_dict(description())
OPERATIONS = {op.label: op for op in (found.ok() for found in DESCRIPTION.get_all_operations())}
ROLES = {"AuthZEN": "pep", "Forward authentication": "pep", "Ingest": "ingest"}
ALWAYS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    keys = {role: make_key(folder, role) for role in ("pep", "ingest", "admin")}
    with Server(folder) as running:
        running.keys = keys
        yield running


def headers_for(server, operation):
    role = ROLES.get(operation.tags[0], "admin") if operation.tags else "admin"
    return {"X-Tocsin-Key": server.keys[role]}


def negatable(operation):
    """Whether there is anything that could be sent wrongly; the id of a request may be any text."""
    told = operation.definition.raw
    return "requestBody" in told or len(told["parameters"]) > 1


def put(server, label, mode, wanted, examples=25):
    operation = OPERATIONS[label]

    @settings(EXAMPLES, max_examples=examples)
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        answer = case.call(base_url=server.address, headers=headers_for(server, operation))
        # A body that is too large for its schema may be too large to be read at all.
        unread = answer.status_code == 413
        case.validate_response(answer, checks=ALWAYS if unread else wanted)

    run()
    assert server.process.poll() is None


@pytest.mark.parametrize("label", OPERATIONS)
def test_what_fits_the_description_is_answered_as_described(server, label):
    put(server, label, GenerationMode.POSITIVE, ALWAYS)


@pytest.mark.parametrize("label", [label for label, operation in OPERATIONS.items() if negatable(operation)])
def test_what_does_not_fit_is_refused_as_described(server, label):
    put(server, label, GenerationMode.NEGATIVE, [*ALWAYS, checks.negative_data_rejection])


@pytest.mark.parametrize("label", [label for label, op in OPERATIONS.items() if op.definition.raw["security"]])
def test_without_a_key_nothing_is_answered(server, label):
    @settings(EXAMPLES, max_examples=3)
    @given(case=OPERATIONS[label].as_strategy())
    def run(case):
        assert case.call(base_url=server.address, headers={"X-Tocsin-Key": "tsn_nobody"}).status_code == 401
        for name in ("X-Tocsin-Key", "Authorization"):
            case.headers.pop(name, None)
        assert case.call(base_url=server.address).status_code == 401

    run()


def test_the_server_lived_through_it_and_logged_no_failure(server):
    with server.client() as client:
        assert client.get("/readyz").json()["status"] == "ready"
    assert not [line for line in server.lines() if line["event"] == "request-failed"]
