"""No field may give an attacker away by itself, and ordinary life must be full of single oddities."""

from __future__ import annotations

from collections import defaultdict

import pyarrow.parquet as pq
import pytest

from tocsin.drill.plan import NETWORKS


@pytest.fixture(scope="module")
def sides(wide_town, read_lines):
    out, _ = wide_town
    truth = pq.read_table(out / "truth.parquet").to_pylist()
    bad = {(row["source_file"], row["source_line"]) for row in truth if row["harmful"]}
    harmful, harmless = [], []
    for file in sorted((out / "events").iterdir()):
        for n, row in enumerate(read_lines(out, f"events/{file.name}"), 1):
            (harmful if (f"events/{file.name}", n) in bad else harmless).append(row)
    return harmful, harmless


def network_kind(row):
    return next(n.kind for n in NETWORKS if n.asn == row["origin"]["network"])


FIELDS = {
    "action": lambda row: row["action"],
    "kind": lambda row: row["kind"],
    "outcome": lambda row: row["outcome"],
    "agent": lambda row: row["origin"]["agent"],
    "country": lambda row: row["origin"]["country"],
    "network": lambda row: row["origin"]["network"],
    "network kind": network_kind,
    "resource family": lambda row: row.get("resource", "").partition("/")[0],
    "device named": lambda row: "device" in row["origin"],
    "session named": lambda row: "session" in row,
    "marks": lambda row: (row.get("privileged"), row.get("sensitive")),
    "fields present": lambda row: (row["action"], tuple(sorted(row.keys() - {"session"}))),
}


@pytest.mark.parametrize("field", FIELDS)
def test_whatever_attackers_show_others_show_too(sides, field):
    harmful, harmless = ({FIELDS[field](row) for row in side} for side in sides)
    assert harmful <= harmless


def test_the_hour_and_size_of_harm_lie_within_ordinary_life(sides):
    harmful, harmless = sides
    assert {row["time"][11:13] for row in harmful} <= {row["time"][11:13] for row in harmless}
    assert max(row.get("bytes_out", 0) for row in harmful) < max(row.get("bytes_out", 0) for row in harmless)


def test_new_addresses_are_everyday(sides):
    _, harmless = sides
    seen = defaultdict(set)
    new = 0
    for row in harmless:
        address = row["origin"]["address"]
        new += address not in seen[row["subject"]]
        seen[row["subject"]].add(address)
    assert new > 0.02 * len(harmless)


def test_administrators_work_at_night_too(sides):
    _, harmless = sides
    nights = [r for r in harmless if r.get("privileged") and r["time"][11:13] in {"00", "01", "02", "03", "04"}]
    assert len(nights) > 10
    assert any(row["action"] == "admin.log.export" for row in harmless)


def test_the_migration_renames_and_moves(sides):
    _, harmless = sides
    renamed = [row for row in harmless if row.get("resource", "").startswith("files/")]
    assert renamed
    assert min(row["time"] for row in renamed) >= "2026-02-28"  # the evening before, by clocks ahead of UTC
