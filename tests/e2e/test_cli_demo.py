"""The demonstration, on a small town: built, replayed, graded, told."""

from __future__ import annotations

import json

import pytest


@pytest.mark.heavy
def test_the_demo_builds_replays_grades_and_says_what_to_do_next(tocsin_process, tmp_path):
    ran = tocsin_process("demo", "--people", "60", "--out", "here")
    assert ran.status == 0
    assert ran.out.startswith("STORY ")
    assert "stories caught" in ran.out
    assert "the administrator at three in the morning" in ran.out
    assert ran.err.startswith("building a town of 60 people and 60 days in here/town\n")
    assert "tocsin alerts list --home here/home" in ran.err
    assert (tmp_path / "here" / "town" / "truth.parquet").exists()

    graded = tocsin_process("drill", "grade", "--truth", "here/town", "--home", "here/home", "--asked", "10", "--json")
    assert {"caught", "too_easy", "stories", "baselines"} <= set(json.loads(graded.out))
    again = tocsin_process("demo", "--people", "60", "--out", "here")
    assert again.status == 2
    assert "already holds a town" in again.err


def test_a_drill_is_built_by_the_command(tocsin, tmp_path):
    ran = tocsin("drill", "--seed", "3", "--days", "20", "--people", "60", "--out", "town", "--json")
    assert ran.status == 0
    assert json.loads(ran.out)["people"] == 60
    assert len(list((tmp_path / "town" / "events").iterdir())) == 20
    assert "next: tocsin replay town/events" in ran.err
    assert tocsin("drill", "--days", "3", "--out", "other").status == 2
