"""The audit log through the real command line: listed, whole, and caught when somebody changed it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tocsin.store import Home


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "tocsin-home"
    with Home.open(path, writer=True) as opened:
        for number in range(1, 5):
            opened.records.audit("ada\x1b[2J", "lift", {"restriction": f"R-{number}", "rows": [number]})
    return path


def tamper(home, change):
    with sqlite3.connect(home / "records.sqlite") as raw:
        assert raw.execute(change).rowcount > 0
    raw.close()


@pytest.mark.usefixtures("home")
def test_a_fresh_chain_is_whole(tocsin):
    ran = tocsin("audit", "verify")
    assert (ran.status, ran.out, ran.err) == (0, "ok: 4 rows, none changed\n", "")
    assert json.loads(tocsin("audit", "verify", "--json").out) == {"rows": 4, "first_bad": None}


def test_nothing_done_is_whole_too(tocsin, tmp_path):
    Home.open(tmp_path / "tocsin-home", writer=True).close()
    assert tocsin("audit", "verify").out == "ok: 0 rows, none changed\n"
    ran = tocsin("audit", "list")
    assert (ran.status, ran.out, ran.err) == (0, "", "nothing was done yet\n")
    assert tocsin("audit", "list", "--json").out == "[]\n"


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        ("UPDATE audit SET actor = 'mallory' WHERE id = 2", 2),
        ("UPDATE audit SET detail = 'no bytes' WHERE id = 3", 3),
        ("UPDATE audit SET salt = zeroblob(99) WHERE id = 3", 3),
        ("UPDATE audit SET action = 'erase', detail = x'00' WHERE id = 3", 3),
        ("UPDATE audit SET detail = NULL, salt = NULL WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 4", 4),
    ],
)
def test_the_first_row_that_somebody_changed_is_named(tocsin, home, change, bad):
    tamper(home, change)
    ran = tocsin("audit", "verify")
    assert (ran.status, ran.out) == (4, "")
    assert f"from row {bad} on" in ran.err
    assert "Traceback" not in ran.err
    ran = tocsin("audit", "verify", "--json")
    assert (ran.status, json.loads(ran.out)) == (4, {"rows": bad - 1, "first_bad": bad})


def test_rows_are_listed_newest_first(tocsin, home):
    ran = tocsin("audit", "list", "--limit", "2")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ROW", "4", "3"]
    assert ran.out.splitlines()[1].endswith("ada\\x1b[2J  lift    restriction R-4, rows [4]")
    assert ran.err == "2 more; --limit 4 shows all\n"
    rows = [json.loads(line) for line in tocsin("audit", "list", "-o", "jsonl").out.splitlines()]
    assert [row["detail"]["restriction"] for row in rows] == ["R-4", "R-3", "R-2", "R-1"]
    tamper(home, "UPDATE audit SET detail = x'00' WHERE id = 2")
    ran = tocsin("audit", "list")
    assert ran.status == 4
    assert "row 2 of the audit log is not as it was written" in ran.err
    assert "`tocsin audit verify`" in ran.err
