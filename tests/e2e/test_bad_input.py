"""Bad input through the real command: nothing is dropped without being counted, nothing stops the rest."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from tocsin.store import Home

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def line(minute, **more):
    plain = {
        "time": (START + timedelta(minutes=minute)).isoformat(),
        "kind": "api",
        "subject": "user:ada",
        "action": "ReadRows",
        "origin": {"address": "10.1.0.7"},
    }
    return json.dumps(plain | more)


def lines(count, first=0):
    return "".join(line(first + minute) + "\n" for minute in range(count))


def letters(tmp_path, number=0):
    path = tmp_path / "tocsin-home" / "dead-letters" / f"{number:06d}.jsonl"
    return [json.loads(letter) for letter in path.read_text().splitlines()]


def counts(ran):
    """The last line of counts, by name."""
    told = next(text for text in ran.err.splitlines() if text.startswith("files "))
    return {part.rpartition(" ")[0]: part.rpartition(" ")[2] for part in told.split(", ")[:-1]}


def read(ran, **expected):
    assert ran.status == 0, ran.err
    told = counts(ran)
    assert {name: told[name.replace("_", " ")] for name in expected} == {n: f"{c:,}" for n, c in expected.items()}


def test_a_line_of_ten_megabytes(tocsin_here, tmp_path):
    (tmp_path / "log").write_text(lines(30) + '{"time":"' + "9" * 10_000_000 + '"}\n' + lines(30, 30))
    read(tocsin_here("replay", "log"), read=60, scored=60, set_aside=1)
    (letter,) = letters(tmp_path)
    assert letter["source_line"] == 31
    assert len(letter["excerpt"]) <= 200


def test_a_truncated_gzip(tocsin_here, tmp_path):
    whole = gzip.compress(lines(5_000).encode())
    (tmp_path / "log.gz").write_bytes(whole[: len(whole) // 2])
    ran = tocsin_here("replay", "log.gz")
    told = counts(ran)
    assert "ended early: " in ran.err
    kept = int(told["read"].replace(",", ""))
    assert 1_000 < kept < 5_000
    reasons = [(letter["source_line"], letter["reason"]) for letter in letters(tmp_path)]
    assert reasons[-1][0] == 0
    assert reasons[-1][1].startswith("the file is damaged: ")
    again = tocsin_here("replay", "log.gz")
    assert f"{kept:,} read before" in again.err
    read(again, scored=0)


def test_a_csv_whose_header_lies(tocsin_here, tmp_path):
    (tmp_path / "map.toml").write_text(
        '[time]\ncolumn = "when"\nzone = "UTC"\n[fields]\nkind = "payment"\naction = "pay"\n'
        'subject = "card:{card}"\namount = "{amount}"\n'
    )
    good = ["c1,2026-01-05 09:00:00,3.5", "c4,2026-01-05 12:30:00,5"]
    bad = ["c1,2026-01-05 10:00:00,4.5,extra,cells", "c2", "2026-01-05 11:00:00,c3,9", "c3,2026-01-05 12:00:00,much"]
    (tmp_path / "log.csv").write_text("\n".join(["card,when,amount", *good, *bad]) + "\n")
    read(tocsin_here("replay", "log.csv", "--map", "map.toml"), read=2, scored=2, set_aside=4)
    assert [letter["source_line"] for letter in letters(tmp_path)] == [3, 4, 5, 6]
    (tmp_path / "other.csv").write_text("card,when,cash\nc1,2026-01-05 09:00:00,3.5\n")
    ran = tocsin_here("replay", "other.csv", "--map", "map.toml")
    assert ran.status == 2
    assert "no column `amount`" in ran.err


def test_nul_bytes_and_mixed_encodings(tocsin_here, tmp_path):
    latin = line(1, action="caf\xe9", resource="x").replace("\\u00e9", "\xe9").encode("latin-1")
    nul = line(2).encode().replace(b"ReadRows", b"Read\0Rows")
    utf8 = line(3, action="café").encode()
    (tmp_path / "log").write_bytes(
        b"\xef\xbb\xbf" + b"\n".join([line(0).encode(), latin, nul, utf8, b"\0\0\0", line(4).encode()]) + b"\n"
    )
    read(tocsin_here("replay", "log", "--scores", "s.parquet"), read=4, scored=4, set_aside=2)
    assert [letter["source_line"] for letter in letters(tmp_path)] == [3, 5]
    assert pq.read_table(tmp_path / "s.parquet")["action"].to_pylist() == ["ReadRows", "café", "café", "ReadRows"]


def test_clocks_in_the_future_and_before_all_logs(tocsin_here, tmp_path):
    ahead = {"time": "2999-01-01T00:00:00Z"}
    (tmp_path / "log").write_text(lines(10) + line(0, **ahead) + "\n" + line(0, time="1970-01-01T00:00:00Z") + "\n")
    read(tocsin_here("replay", "log"), read=10, scored=10, late=0, set_aside=2)
    assert [letter["source_line"] for letter in letters(tmp_path)] == [11, 12]


def test_names_with_escape_codes_reach_no_terminal(tocsin_here, tmp_path):
    name = "user:\x1b[31meve\x07\u202e"
    (tmp_path / "log").write_text(
        lines(40) + "".join(line(50 + m, subject=name, action="\x1b]0;x\x07") + "\n" for m in range(5))
    )
    ran = tocsin_here("replay", "log", "--alerts-per-day", "1000")
    shown = tocsin_here("entity", "show", name)
    read(ran, read=45, set_aside=0)
    assert shown.status == 0
    for text in (ran.out, ran.err, shown.out, shown.err):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_a_folder_in_which_some_cannot_be_read(tocsin_here, tmp_path):
    logs = tmp_path / "logs"
    (logs / "really-a-folder.jsonl").mkdir(parents=True)
    (logs / "good.jsonl").write_text(lines(20))
    (logs / "empty.jsonl").write_text("")
    (logs / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (logs / "itself").symlink_to(logs)
    os.mkfifo(logs / "pipe.jsonl")
    (logs / "proc.jsonl").symlink_to("/proc/self/mem")  # opens, and cannot be read even by root
    ran = tocsin_here("replay", "logs")
    read(ran, read=20, scored=20, set_aside=0)
    for name in ("gone.jsonl", "itself", "pipe.jsonl", "proc.jsonl"):
        assert f"logs/{name}: skipped: " in ran.err
    assert "empty.jsonl: skipped: empty" in ran.err


@pytest.mark.parametrize("content", ["", "\n\n\n"])
def test_nothing_but_an_empty_file(tocsin_here, tmp_path, content):
    (tmp_path / "log").write_text(content)
    ran = tocsin_here("replay", "log")
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.status in {0, 3}


def test_the_same_content_under_other_names(tocsin_here, tmp_path):
    (tmp_path / "a").write_text(lines(20))
    read(tocsin_here("replay", "a"), read=20)
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "c").write_text(lines(20))
    ran = tocsin_here("replay", "b", "c", "--scores", "s.parquet")
    assert "1 of 2 files were read before" in ran.err
    assert "c: skipped: the same content as `b`" in ran.err
    read(ran, read=0, scored=0)
    assert pq.read_table(tmp_path / "s.parquet").num_rows == 20


def test_a_pattern_that_matches_folders(tocsin_here, tmp_path):
    for day in (1, 2):
        (tmp_path / f"day-{day}").mkdir()
        (tmp_path / f"day-{day}" / "log.jsonl").write_text(lines(10, 1_000 * day))
    ran = tocsin_here("replay", "day-*")
    read(ran, files=2, read=20)
    assert all(f"day-{day}/log.jsonl: tocsin, 10 read" in ran.err for day in (1, 2))


def test_dead_letters_of_an_earlier_run_stay(tocsin_here, tmp_path):
    for number, name in enumerate("ab"):
        (tmp_path / name).write_text(lines(5, 100 * number) + f"bad {name}\n")
        read(tocsin_here("replay", name), read=5, set_aside=1)
    assert [letters(tmp_path, number)[0]["source_file"] for number in (0, 1)] == ["a", "b"]


def test_a_second_writer_is_refused_and_a_reader_is_not(tocsin_here, tmp_path):
    (tmp_path / "log").write_text(lines(20))
    tocsin_here("replay", "log")
    with Home.open(tmp_path / "tocsin-home", writer=True):
        refused = tocsin_here("replay", "log")
        assert refused.status == 4
        assert "is writing to" in refused.err
        assert tocsin_here("entity", "show", "user:ada").status == 0
        assert tocsin_here("alerts", "list").status == 0


def test_a_full_disk_is_said_and_the_same_command_goes_on(tocsin_here, tmp_path):
    """The limit on the size of a file stands for a full disk: it meets the journal, which is written first."""
    (tmp_path / "log").write_text(lines(3_000))
    command = [sys.executable, "-m", "tocsin", "replay", "log"]

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (96 << 10, 96 << 10))

    full = subprocess.run(command, cwd=tmp_path, preexec_fn=small, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, one thread
    assert full.returncode == 4, full.stderr
    assert "the disk is full" in full.stderr
    assert "Traceback" not in full.stderr
    ran = tocsin_here("replay", "log", "--scores", "s.parquet")
    read(ran, read=3_000, set_aside=0)
    assert pq.read_table(tmp_path / "s.parquet").num_rows == 3_000
