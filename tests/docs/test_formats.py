"""docs/formats.md names every format and field, and its samples are events."""

from __future__ import annotations

import pages
import pytest

from tocsin.engine.scores import SCORE_SCHEMA
from tocsin.event import EVENT_SCHEMA, KINDS, OWN_FIELDS
from tocsin.sources import FORMATS, parse_event
from tocsin.sources.admission import EARLIEST, MAX_ID_CHARS, MAX_TEXT_CHARS
from tocsin.sources.finding import MAX_DEPTH, MAX_FILES
from tocsin.sources.lines import MAX_LINE_BYTES

PAGE = "docs/formats.md"
SAMPLES = [
    line
    for block in pages.blocks("json")
    if "docs/formats" in str(block.page)
    for line in block.body.split("\n")
    if line
]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_is_documented(name):
    assert any(f"`{name}`" in row[0] for row in pages.rows(PAGE))


@pytest.mark.parametrize("field", [f.name for f in EVENT_SCHEMA if f.name not in OWN_FIELDS])
def test_a_field_is_documented(field):
    assert any(f"`{field}`" in row[0] for row in pages.rows(PAGE))


@pytest.mark.parametrize("word", [*KINDS, *SCORE_SCHEMA.names])
def test_a_word_of_the_formats_is_documented(word):
    assert f"`{word}`" in pages.text(PAGE)


@pytest.mark.parametrize("line", SAMPLES)
def test_a_sample_is_an_event(line):
    assert parse_event(line.encode()).subject


def test_there_are_samples():
    assert len(SAMPLES) >= 2


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (MAX_LINE_BYTES, "1 MiB"),
        (MAX_ID_CHARS, "512 bytes"),
        (MAX_TEXT_CHARS, "2,048 characters"),
        (EARLIEST.year, "1990"),
        (MAX_FILES, "200,000"),
        (MAX_DEPTH, "at most 32 deep"),
    ],
)
def test_a_limit_is_as_documented(limit, shown):
    number = int("".join(c for c in shown if c.isdigit())) * ((1 << 20) if "MiB" in shown else 1)
    assert number == limit
    assert any(shown in row[1] for row in pages.rows(PAGE))
