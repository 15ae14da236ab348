from __future__ import annotations

from types import SimpleNamespace

from tocsin.cli.progress import Watch
from tocsin.cli.summary import READ_BEFORE, summarise
from tocsin.record import SetAside
from tocsin.sources import ALREADY_JOURNALED, FileReport

COUNTS = (
    "files 3, read 1,234,567, scored 1,234,000, late 500, duplicate 60, set aside 7, filtered 0, "
    "alerts 0, restrictions 0, 2.2 s"
)


def report(**changes):
    counts = {
        "files": [],
        "read": 1_234_567,
        "scored": 1_234_000,
        "late": 500,
        "duplicates": 60,
        "set_aside": 7,
        "filtered": 0,
        "alerts": [],
        "restrictions": [],
        "seconds": 2.25,
        "dead_letter": "home/dead-letter.jsonl",
        "set_aside_examples": [],
    }
    return SimpleNamespace(**(counts | changes))


def test_every_record_is_accounted_for_and_the_dead_letters_named(capsys):
    files = [
        FileReport(source_file="a.csv\x1b[2J", format="office365", read=10, set_aside=7, damage="truncated gzip"),
        FileReport(source_file="b.bin", skipped="no source recognises it"),
        FileReport(source_file="c.json", format="cloudtrail", read=3, journaled=3),
    ]
    letters = [SetAside(source_file="a.csv", source_line=n, reason="`t` is no\x1b time") for n in range(2, 9)]
    summarise(report(files=files, set_aside_examples=letters), shown=0, home="home")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "  a.csv\\x1b[2J: office365, 10 read, 7 set aside, ended early: truncated gzip",
        "  b.bin: skipped: no source recognises it",
        "  c.json: cloudtrail, 3 read, 3 read before",
        COUNTS,
        "  a.csv:2: `t` is no\\x1b time",
        "  a.csv:3: `t` is no\\x1b time",
        "  a.csv:4: `t` is no\\x1b time",
        "set-aside records, with reasons: home/dead-letter.jsonl",
    ]


def test_many_files_are_counted_and_more_alerts_pointed_at(capsys):
    files = [FileReport(source_file=f"{n}.log", format="sshd", read=1) for n in range(200)]
    summarise(report(files=files, alerts=list(range(12)), set_aside=0), shown=10, home="a home")
    err = capsys.readouterr().err
    assert "more files" not in err
    assert "files 200, read" in err
    assert "2 more alerts: tocsin alerts list --home 'a home'" in err
    assert "dead-letter" not in err


def test_among_many_files_those_with_trouble_are_named(capsys):
    files = [FileReport(source_file=f"{n}.log", format="sshd", read=1, set_aside=n % 50 == 0) for n in range(200)]
    summarise(report(files=files), shown=0, home="home")
    err = capsys.readouterr().err
    assert [line.split()[0] for line in err.splitlines()[:4]] == ["0.log:", "50.log:", "100.log:", "150.log:"]
    assert "  and 196 more files" in err


def test_files_read_before_are_said_in_one_line(capsys):
    assert READ_BEFORE == ALREADY_JOURNALED
    files = [FileReport(source_file=f"{n}.log", skipped=READ_BEFORE) for n in range(30)]
    summarise(report(files=[*files, FileReport(source_file="new.log", format="sshd", read=1)]), shown=0, home="home")
    err = capsys.readouterr().err.splitlines()
    assert err[:2] == [
        "  new.log: sshd, 1 read",
        "  30 of 31 files were read before: nothing of them is counted twice",
    ]


def test_nothing_moves_where_nobody_watches_a_terminal(capsys):
    with Watch() as watch:
        watch("reading", 1, 10)
        watch("reading", 10, 10)
    assert capsys.readouterr() == ("", "")
