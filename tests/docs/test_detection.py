"""docs/how-detection-works.md names every feature, and its constants are those of the code."""

from __future__ import annotations

import math
import pkgutil
import re
from importlib import import_module

import numpy as np
import pages
import pytest

import tocsin.behaviour
from tocsin.behaviour.features import ACTION, FAMILIES, FAMILY, FEATURES, WITNESS
from tocsin.behaviour.layout import R_N, ROW_WIDTH
from tocsin.behaviour.values import own_share

PAGE = "docs/how-detection-works.md"
ROWS = pages.rows(PAGE)
FEATURE_ROWS = {row[0].strip("`"): row for row in ROWS if len(row) == 4}
CONSTANTS = {
    row[3].strip("`"): row[1]
    for row in ROWS
    if len(row) == 5 and re.fullmatch(r"`[\w.]+`", row[3]) and row[1][0].isdigit()
}
MODULES = [m.name for m in pkgutil.iter_modules(tocsin.behaviour.__path__)]


@pytest.mark.parametrize(("feature", "family"), [(f, FAMILIES[n]) for f, n in zip(FEATURES, FAMILY, strict=True)])
def test_a_feature_is_documented(feature, family):
    assert feature in FEATURE_ROWS, f"{PAGE} says nothing of `{feature}`"
    assert FEATURE_ROWS[feature][1] == family


def test_features_that_share_a_witness_are_told():
    told = [FEATURE_ROWS[feature][2] for feature in FEATURES]
    assert [told.index(word) for word in told] == [WITNESS.index(number) for number in WITNESS]


def test_no_feature_is_documented_that_is_not_there():
    assert set(FEATURE_ROWS) - {"feature"} == set(FEATURES)


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_a_constant_is_that_of_the_code(name):
    module, _, constant = name.rpartition(".")
    held = [import_module(f"tocsin.behaviour.{m}") for m in ([module] if module else MODULES)]
    values = {getattr(m, constant) for m in held if hasattr(m, constant)}
    assert values == {float(CONSTANTS[name])}, f"{PAGE} gives {name} as {CONSTANTS[name]}"


def test_there_are_constants_to_compare():
    assert len(CONSTANTS) >= 30


@pytest.mark.parametrize(("hours", "bits"), [(2, 9.0), (15, 4.3)])
def test_poisoning_costs_what_the_page_states(hours, bits):
    row = np.zeros(ROW_WIDTH, np.float32)
    row[R_N + ACTION] = 250 + hours  # the first hour is probation: it counts in all units and not in the value's own
    own, _ = own_share(row, ACTION, float(hours - 1))
    assert -math.log2(own) == pytest.approx(bits, abs=0.05)
    assert f"{bits} bits after two hours" in pages.text(PAGE) or f"and {bits}\nafter 15" in pages.text(PAGE)
