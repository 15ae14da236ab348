"""docs/policies.md: its example loads and passes its cases, its tables are those of the code."""

from __future__ import annotations

import pages
import pytest

from tocsin.trust.policy import DEFAULT_FOLDER, PolicySet, failure, inspect, read_cases
from tocsin.trust.policy.annotations import KNOWN
from tocsin.trust.policy.facts import FACTS
from tocsin.trust.policy.names import cedar_type

PAGE = "docs/policies.md"
BLOCKS = [b for b in pages.blocks("cedar", "cedarschema", "json", "toml") if b.page == pages.ROOT / PAGE]


@pytest.fixture
def folder(tmp_path):
    names = {"cedar": "accounts.cedar", "cedarschema": "schema.cedarschema", "json": "entities.json"}
    for block in BLOCKS:
        name = names.get(block.language) or ("accounts.test.toml" if "[[case]]" in block.body else "tocsin.toml")
        (tmp_path / name).write_text(block.body, encoding="utf-8")
    return tmp_path


def test_the_example_loads_without_a_warning(folder):
    found = inspect(folder)
    assert (found.faults, found.warnings) == ((), ())
    assert found.parts is not None


def test_the_cases_of_the_example_pass(folder):
    policies = PolicySet.load(folder)
    cases = read_cases(folder / "accounts.test.toml")
    assert len(cases) == 4
    assert [failure(policies, case) for case in cases] == [""] * 4


def test_every_fact_is_in_the_table_with_its_type():
    told = {row[0].strip("`"): row[1].strip("`") for row in pages.rows(PAGE) if len(row) == 3 and row[0] != "field"}
    assert {name: told.get(name) for name in FACTS} == dict(FACTS)


def test_every_annotation_is_in_the_table():
    told = {row[0].partition("(")[0].strip("`@") for row in pages.rows(PAGE) if row[0].startswith("`@")}
    assert told == set(KNOWN)


def test_every_default_policy_is_in_the_table():
    told = {row[0].strip("`"): row[1].replace(" ", "_") for row in pages.rows(PAGE) if len(row) == 3}
    rules = PolicySet.load(DEFAULT_FOLDER).rules
    assert {rule.id: told.get(rule.id) for rule in rules} == {rule.id: rule.outcome for rule in rules}


def test_the_escapes_shown_are_those_made():
    page = pages.text(PAGE)
    for name in ("us-er", "in"):
        assert f"`{name}`" in page
        assert f"`{cedar_type(name)}`" in page
