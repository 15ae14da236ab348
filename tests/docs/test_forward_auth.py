"""The page on forward authentication: its policies load and answer as it says, its tables name what there is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pages
import pytest

from tocsin.config import DecideSettings
from tocsin.event import Origin
from tocsin.question import ANONYMOUS, Identity, Party, Question
from tocsin.service import forward_auth
from tocsin.trust.decision import Facts, State
from tocsin.trust.policy import PolicyStore

PAGE = "docs/forward-auth.md"
NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)


def identity(group="staff", age_s=60):
    return Identity(
        subject="user:ada",
        assurance=2,
        method="oidc",
        claims={"groups": [group]},
        proven_at=NOW - timedelta(seconds=age_s),
    )


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    (block,) = (block for block in pages.blocks("cedar") if block.page == pages.ROOT / PAGE)
    folder = tmp_path_factory.mktemp("policies")
    (folder / "api.cedar").write_text(block.body)
    return PolicyStore.open(folder).current


@pytest.mark.parametrize(
    ("who", "method", "path", "answer"),
    [
        (ANONYMOUS, "GET", "/public/hello", "allow"),
        (ANONYMOUS, "POST", "/public/hello", "deny"),
        (ANONYMOUS, "GET", "/orders/7", "deny"),
        (identity(), "DELETE", "/orders/7", "allow"),
        (identity("guests"), "GET", "/orders/7", "deny"),
        (identity(age_s=299), "GET", "/exports/all", "allow"),
        (identity(age_s=301), "GET", "/exports/all", "step_up"),
        (identity("guests", 301), "GET", "/exports/all", "deny"),
    ],
)
def test_the_policies_answer_as_the_page_says(policies, who, method, path, answer):
    subject = Party(type="user", id="ada") if who.subject else Party(type="ip", id="203.0.113.9")
    resource = Party(type="route", id=path, properties={"path": path, "host": "", "query": []})
    question = Question(
        time=NOW,
        subject=subject,
        action=method,
        resource=resource,
        identity=who,
        caller="k",
        origin=Origin(address="203.0.113.9"),
    )
    told = policies.evaluate(subject, method, {}, resource, Facts(question, State()))
    assert (told.answer, told.errors) == (answer, ())


def test_a_route_to_degrade_is_written_as_settings_take_it():
    (pattern,) = re.findall(r'decide\.degrade = \["(.+?)"\]', pages.text(PAGE))
    assert DecideSettings(degrade=(pattern,)).degrade == ("GET route//public/*",)


def test_every_example_has_its_row():
    folders = {path.name for path in (pages.ROOT / "examples").iterdir() if path.is_dir()}
    assert folders == {row[0].strip("`") for row in pages.rows("examples/README.md")} - {"folder"}


def test_every_header_of_an_answer_is_on_the_page():
    source = (pages.ROOT / "src/tocsin/service/forward_auth.py").read_text(encoding="utf-8")
    headers = set(re.findall(r"x-tocsin-[a-z-]+", source))
    assert len(headers) == 5
    told = pages.text(PAGE).lower()
    assert all(header in told for header in headers), headers
    assert forward_auth.PATH in told
