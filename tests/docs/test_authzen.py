"""docs/authzen.md: each row of the conformance table names tests that exist, and the page says what the code has."""

from __future__ import annotations

import ast
import re

import msgspec
import pages
import pytest

from tocsin.config.settings import ServeSettings
from tocsin.service.authzen import ASKERS, PATHS, SEARCHERS
from tocsin.service.authzen_answer import Context

PAGE = "docs/authzen.md"
TESTS = {path.name: path for path in (pages.ROOT / "tests").rglob("test_*.py")}
ROWS = [row for row in pages.rows(PAGE) if re.match(r"\d", row[0]) and "test_" in row[-1]]
SECTIONS = {section for row in ROWS for section in row[0].split(", ")}
NORMATIVE = [
    *("2", "4", "5.1", "5.1.1", "5.2", "5.2.1", "5.3", "5.3.1", "5.4", "5.5", "5.5.1", "6.1", "6.2"),
    *("7.1", "7.1.1", "7.1.2", "7.1.2.1", "7.2", "7.2.1"),
    *("8.1", "8.2", "8.2.1", "8.2.2", "8.3", "8.4", "8.5", "8.6"),
    *("9", "9.1.1", "9.1.2", "9.1.3", "9.2", "9.2.1", "9.2.2", "9.2.3"),
    *("10.1", "10.1.1", "10.1.2", "10.1.3"),
    *("11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.9"),
]
"""Sections of the specification with something in them that a decision point must, should or may do."""


def functions(name):
    tree = ast.parse(TESTS[name].read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{place}" for place, row in enumerate(ROWS)])
def test_every_row_names_tests_that_exist(row):
    named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", row[-1])
    assert named
    for name, function in named:
        assert name in TESTS
        assert not function or function in functions(name)


@pytest.mark.parametrize("section", NORMATIVE)
def test_every_normative_section_has_a_row(section):
    assert section in SECTIONS


def test_no_row_is_of_another_section():
    assert set(NORMATIVE) == SECTIONS


def test_the_endpoints_and_their_roles_are_named():
    roles = {row[0]: {role.strip("`") for role in row[2].split(", ")} for row in pages.rows(PAGE) if len(row) == 3}
    for path in PATHS.values():
        assert roles[f"`POST {path}`"] == (SEARCHERS if "search" in path else ASKERS)


def test_every_member_of_an_answer_is_explained():
    page = pages.text(PAGE)
    for field in msgspec.structs.fields(Context):
        assert f"`{field.name}`" in page


def test_the_settings_it_names_exist():
    for name in re.findall(r"`serve\.(\w+)`", pages.text(PAGE)):
        assert name in ServeSettings.__struct_fields__
