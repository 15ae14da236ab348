"""Logs in, explained alerts out: the real engine under the real command line, on a small made-up log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAYS = 20


def event(time, subject, **more):
    plain = {
        "time": time.isoformat(),
        "kind": "api",
        "subject": f"user:{subject}",
        "action": "ReadRows",
        "resource": f"table/{subject}",
        "outcome": "success",
        "bytes_out": 2_000,
        "origin": {"address": "10.1.0.7", "network": "AS64500", "country": "GB"},
    }
    return json.dumps(plain | more)


def ordinary():
    for day in range(DAYS):
        for hour in range(8):
            for minute, subject in enumerate(("ada", "bo", "cy", "dee", "eve", "fay")):
                yield event(START + timedelta(days=day, hours=hour, minutes=7 * minute + day % 5), subject)


def night():
    begun = START + timedelta(days=DAYS, hours=-6)
    foreign = {"address": "203.0.113.9", "network": "AS64511", "country": "BR"}
    for minute in range(6):
        yield event(
            begun + timedelta(minutes=minute),
            "ada",
            action="ExportTable",
            resource="table/customers\x1b[2J",
            bytes_out=900_000_000,
            origin=foreign,
            privileged=True,
            sensitive=True,
        )


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "day.jsonl").write_text("\n".join(ordinary()) + "\nnot an event\n")
    (folder / "night.jsonl").write_text("\n".join(night()) + "\n")
    (folder / "noise.bin").write_bytes(bytes(range(256)) * 8)
    return folder


def test_from_a_folder_of_logs_to_an_explained_alert(tocsin, logs, tmp_path):
    ran = tocsin("replay", logs, "--scores", "scores.parquet")
    assert ran.status == 0
    assert "user:ada" in ran.out.splitlines()[0]
    assert "\x1b" not in ran.out + ran.err
    assert "noise.bin: skipped: " in ran.err
    assert "read 966, scored 966, late 0, duplicate 0, set aside 1, filtered 0" in ran.err
    assert "set-aside records, with reasons: tocsin-home/dead-letters/000000.jsonl" in ran.err
    scores = pq.read_table(tmp_path / "scores.parquet")
    assert scores.num_rows == 966
    night_scores = scores.filter([f.endswith("night.jsonl") for f in scores["source_file"].to_pylist()])
    assert max(night_scores["tail_bits"].to_pylist()) == max(scores["tail_bits"].to_pylist())

    listed = json.loads(tocsin("alerts", "list", "--json").out)
    assert listed[0]["entities"][0] == "user:ada"
    explained = tocsin("explain", listed[0]["id"])
    assert "night.jsonl:" in explained.out
    assert "why: " in explained.out
    shown = json.loads(tocsin("entity", "show", "user:ada", "--json").out)
    assert shown["profile"]["events"] > 0
    assert [a["id"] for a in shown["alerts"]] == [a["id"] for a in listed if "user:ada" in a["entities"]]
    assert tocsin("entity", "show", "user:nobody").status == 5


def test_the_same_files_again_are_recognised(tocsin, logs):
    first = tocsin("replay", logs, "--json")
    again = tocsin("replay", logs)
    assert (again.status, again.out) == (0, "")
    assert "2 of 3 files were read before" in again.err
    assert "read 0, scored 0" in again.err
    assert tocsin("alerts", "list", "--json").out.count('"id"') == len(json.loads(first.out))


def test_shadow_records_and_enforce_acts(tocsin, logs):
    tocsin("replay", logs, "--home", "shadow")
    tocsin("replay", logs, "--home", "acting", "--enforce")
    shadow = json.loads(tocsin("restrictions", "list", "--all", "--home", "shadow", "--json").out)
    acting = json.loads(tocsin("restrictions", "list", "--all", "--home", "acting", "--json").out)
    assert shadow
    assert not any(r["enforced"] for r in shadow)
    assert all(r["enforced"] for r in acting if r["state"] != "held")
    assert [r["rung"] for r in shadow] == [r["rung"] for r in acting]


@pytest.mark.parametrize(
    ("arguments", "status"), [(("nowhere",), 3), (("logs", "--format", "nonsense"), 2), (("logs", "--map", "none"), 2)]
)
@pytest.mark.usefixtures("logs")
def test_what_cannot_be_read(tocsin, arguments, status):
    ran = tocsin("replay", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


def test_a_verdict_is_learned_by_the_next_run(tocsin, logs):
    tocsin("replay", logs / "day.jsonl", "--json")
    alert = json.loads(tocsin("replay", logs / "night.jsonl", "--json").out)[0]
    assert tocsin("alerts", "verdict", alert["id"], "true", "--by", "bo").status == 0
    assert tocsin("replay", logs / "night.jsonl").status == 0
    assert json.loads(tocsin("alerts", "show", alert["id"], "--json").out)["alert"]["verdict"] == "true"
