from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.cli.safe import safe, safe_json, shorten

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red]text[/red]", "plain [red]text[/red]"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202eexe.fdp", "\\u202eexe.fdp"),
        ("\x9b31m", "\\x9b31m"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("Zoë 日本", "Zoë 日本"),
    ],
)
def test_what_is_shown(text, shown):
    assert safe(text) == shown


@given(st.text())
def test_nothing_hidden_is_left_and_twice_is_once(text):
    shown = safe(text)
    assert not any(unicodedata.category(c) in HIDDEN for c in shown)
    assert safe(shown) == shown


@given(st.dictionaries(st.text(), st.text()))
def test_json_stays_the_same_json_without_hidden_characters(value):
    text = json.dumps(value, ensure_ascii=False, indent=2)
    shown = safe_json(text)
    assert json.loads(shown) == json.loads(json.dumps(value))
    assert not any(unicodedata.category(c) in HIDDEN and c != "\n" for c in shown)


@given(st.text(), st.integers(8, 200))
def test_long_values_keep_both_ends(text, limit):
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or (short[0] == text[0] and short[-1] == text[-1])
