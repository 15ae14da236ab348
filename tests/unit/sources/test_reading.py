"""Finding, opening and cutting: what stands between a path and a record."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zipfile
from datetime import UTC, datetime

import pytest
import zstandard

from tocsin.errors import RecordError, SourceError, UnknownFormat, UsageError
from tocsin.sources import Enrichment, gather, opening, parse_event
from tocsin.sources.finding import Found, find
from tocsin.sources.opening import digest, open_stream

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def line(action="GET", clock="09:00:00", more=""):
    return f'{{"time":"2026-03-01T{clock}Z","kind":"api","subject":"user:ada","action":"{action}"{more}}}\n'.encode()


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*paths, **options):
        options = {"now": NOW, "enrichment": Enrichment(), "spill": tmp_path / "spill", **options}
        gathering = gather(paths, **options)
        return gathering, [row for batch in gathering.batches() for row in batch.to_pylist()]

    return run


def test_folders_are_walked_by_name_and_names_stay_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs/b").mkdir(parents=True)
    for name in ("logs/z", "logs/a", "logs/b/c"):
        (tmp_path / name).write_bytes(line())
    assert [f.source_file for f in find(["./logs"])] == ["./logs/a", "./logs/b/c", "./logs/z"]
    assert [f.source_file for f in find(["logs/*"])] == ["logs/a", "logs/b/c", "logs/z"]
    assert [f.source_file for f in find(["logs/**"])] == ["logs/a", "logs/b/c", "logs/z"]
    assert [f.source_file for f in find(["lo*"])] == ["logs/a", "logs/b/c", "logs/z"]
    assert [f.source_file for f in find(["./l*/b"])] == ["./logs/b/c"]
    assert len(find(["logs", "logs/a"])) == 3


def test_a_symbolic_link_cannot_loop(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/up").symlink_to(tmp_path)
    found = find([tmp_path])
    assert [f.trouble for f in found] == ["a symbolic link back to a folder above it"]


def test_a_missing_path_is_an_error_with_advice(tmp_path):
    with pytest.raises(SourceError, match="no such file") as caught:
        find([tmp_path / "nothing"])
    assert caught.value.hint
    with pytest.raises(SourceError, match="no file matches"):
        find([str(tmp_path / "*.log")])


def test_one_unreadable_file_is_named_and_the_rest_is_read(read, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/good").write_bytes(line())
    (tmp_path / "logs/gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "logs/pipe")
    (tmp_path / "logs/junk").write_bytes(bytes(range(256)) * 100)
    gathering, rows = read("logs")
    assert len(rows) == 1
    assert {f.source_file: f.skipped for f in gathering.files} == {
        "logs/gone": "no such file or directory",
        "logs/good": None,
        "logs/junk": "binary, not text",
        "logs/pipe": "not a regular file",
    }


def test_nothing_readable_is_an_error(read, tmp_path):
    (tmp_path / "notes").write_text("dear diary\n")
    with pytest.raises(UnknownFormat, match="no source recognises"):
        read("notes")
    with pytest.raises(UsageError, match="unknown format"):
        read("notes", format="cobol")
    with pytest.raises(UsageError, match="needs a mapping"):
        read("notes", format="csv")


def test_the_same_content_under_two_names_is_read_once(read, tmp_path):
    (tmp_path / "a").write_bytes(line())
    (tmp_path / "b").write_bytes(line())
    gathering, rows = read("a", "b")
    assert len(rows) == 1
    assert gathering.files[1].skipped == "the same content as `a`"


def test_several_gzip_members_are_one_stream(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 512)
    stream = open_stream(Found("x", str(tmp_path / "x.gz")))
    assert stream.read() + stream.read() == b"one\ntwo\n"
    assert stream.read() == b""
    assert stream.damage is None
    stream.close()


def zipped(data):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log", data)
    return packed.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstandard.compress, zipped])
def test_a_decompression_bomb_is_stopped_named_and_what_stood_before_is_kept(read, tmp_path, monkeypatch, pack):
    monkeypatch.setattr(opening, "_SUSPICION_BYTES", 8 << 20)
    (tmp_path / "bomb").write_bytes(pack(line() + b"\n" * (64 << 20)))
    gathering, rows = read("bomb")
    assert len(rows) == 1
    (report,) = gathering.files
    assert report.damage == "expands more than 500 times: taken for a decompression bomb"
    assert not report.complete


def test_a_log_that_packs_well_is_no_bomb(read, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_SUSPICION_BYTES", 1 << 10)
    data = b"".join(line(more=f',"session":"{n * 2654435761 % 2**32:08x}"') for n in range(2000))
    (tmp_path / "log").write_bytes(gzip.compress(data))
    gathering, rows = read("log")
    assert len(rows) == 2000
    assert gathering.files[0].complete


def test_no_compressed_file_is_read_without_end(read, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_MAX_BYTES", 1 << 10)
    (tmp_path / "log").write_bytes(gzip.compress(line() * 1000))
    gathering, _ = read("log")
    assert "expands to more than 1,024 bytes" in gathering.files[0].damage


def test_a_digest_names_raw_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert digest(Found("x", str(tmp_path / "x"))) == "ba7816bf8f01cfea414140de5dae2223"


def test_a_ten_megabyte_line_is_set_aside_unread(read, tmp_path):
    huge = b'{"time":"' + b"9" * 10_000_000 + b'"}\n'
    (tmp_path / "log").write_bytes(line("first") + huge + line("last") + huge.rstrip())
    gathering, rows = read("log")
    assert [(r["action"], r["source_line"]) for r in rows] == [("first", 1), ("last", 3)]
    assert [(e.source_line, "longer than" in e.reason) for e in gathering.set_aside_examples] == [(2, True), (4, True)]


def test_utf16_and_windows_1252_are_understood(read, tmp_path):
    (tmp_path / "wide").write_bytes(line("Größe").decode().encode("utf-16"))
    (tmp_path / "old").write_bytes(line("plain") + line("Größe").decode().encode("cp1252"))
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbf" + line("marked"))
    _, rows = read("wide", "old", "marked")
    assert [r["action"] for r in rows] == ["Größe", "plain", "Größe", "marked"]


def test_nul_bytes_spoil_only_their_own_line(read, tmp_path):
    (tmp_path / "log").write_bytes(line("first") + b"\0" * 50 + b"\n" + line("l\0st") + line("last"))
    gathering, rows = read("log")
    assert [(r["action"], r["source_line"]) for r in rows] == [("first", 1), ("last", 4)]
    assert gathering.set_aside == 2


def test_clocks_that_cannot_be_are_set_aside(read, tmp_path):
    old, new = line().replace(b"2026-03", b"1980-03"), line().replace(b"2026-03", b"2031-03")
    (tmp_path / "log").write_bytes(line() + old + new)
    gathering, rows = read("log")
    assert len(rows) == 1
    assert [e.source_line for e in gathering.set_aside_examples] == [3, 2]


def test_escape_codes_are_kept_in_data_and_never_raw_in_dead_letters(read, tmp_path):
    (tmp_path / "log").write_bytes(line("\\u001b[31mred") + b'{"password":"hunter2","\x1b[2J":1}\n')
    _, rows = read("log", dead_letter=tmp_path / "dead")
    assert rows[0]["action"] == "\x1b[31mred"
    kept = (tmp_path / "dead").read_text()
    assert "\x1b" not in kept
    assert "hunter2" not in kept


def test_a_record_met_twice_is_a_duplicate(read, tmp_path):
    twice = line(more=',"uid":"u1"')
    (tmp_path / "a").write_bytes(twice + line("other", more=',"uid":"u1"') + twice)
    (tmp_path / "b").write_bytes(twice + line(clock="10:00:00", more=',"uid":"u1"'))
    gathering, rows = read("a", "b")
    assert [(r["source_file"], r["source_line"]) for r in rows] == [("a", 1), ("a", 2), ("b", 2)]
    assert [f.duplicates for f in gathering.files] == [1, 1]


def test_a_continued_run_hands_out_what_an_uninterrupted_one_would(read, tmp_path):
    twice = line(more=',"uid":"u1"')
    (tmp_path / "a").write_bytes(twice + twice + line(clock="11:00:00"))
    import numpy as np  # noqa: PLC0415 - only here

    _, rows = read("a", skip=lambda _: np.array([1]))
    assert [r["source_line"] for r in rows] == [3]


def test_order_is_by_time_then_file_then_line(read, tmp_path):
    (tmp_path / "b").write_bytes(line("b1") + line("b2", "08:00:00"))
    (tmp_path / "a").write_bytes(line("a1") + line("a2", "07:00:00"))
    _, rows = read("b", "a")
    assert [r["action"] for r in rows] == ["a2", "b2", "b1", "a1"]


def test_progress_is_told(read, tmp_path):
    (tmp_path / "a").write_bytes(line())
    told = []
    read("a", progress=told.append)
    assert [p.phase for p in told] == ["reading", "ordering"]
    assert told[-1].bytes_done == told[-1].bytes_total == len(line())


@pytest.mark.parametrize("name", ["bytes_in", "bytes_out", "count"])
def test_a_number_beyond_64_bits_is_one_bad_record(name):
    line = b'{"time":"2026-03-01T09:00:00Z","kind":"api","subject":"user:a","action":"x","%s":%d}'
    with pytest.raises(RecordError, match="64 bits"):
        parse_event(line % (name.encode(), 1 << 63))
    assert getattr(parse_event(line % (name.encode(), (1 << 63) - 1)), name) == (1 << 63) - 1


def test_what_only_tocsin_fills_is_not_believed():
    line = b'{"time":"2026-03-01T09:00:00Z","kind":"api","subject":"u:a","action":"x","source_line":%d,"decision":"1"}'
    event = parse_event(line % (1 << 70))
    assert (event.decision, event.source_line) == (None, None)
