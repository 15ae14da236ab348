from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from tocsin.cli import main
from tocsin.cli import replay as command
from tocsin.record import Alert
from tocsin.sources import FileReport

NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
WORST = Alert(
    id="A-000001",
    severity="critical",
    title="ada: ReadRows",
    entities=("user:ada",),
    first_time=NOW,
    last_time=NOW,
    findings=1,
    tail_bits=18.0,
    reasons=(),
    absolute=True,
)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Stand in for the engine at its border, and keep what it was asked."""
    calls = []

    def engine(settings, request):
        calls.append((settings, request))
        return SimpleNamespace(
            files=[FileReport(source_file="a.json", format="cloudtrail", read=3)],
            read=3,
            scored=3,
            late=0,
            duplicates=0,
            set_aside=0,
            filtered=0,
            alerts=[WORST, msgspec.structs.replace(WORST, id="A-000002", severity="low")],
            restrictions=[],
            seconds=0.5,
            dead_letter=None,
            set_aside_examples=[],
        )

    monkeypatch.setattr(command, "run_replay", engine)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.chdir(tmp_path)
    return calls


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["tocsin", "replay", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_every_flag_reaches_the_engine(asked, monkeypatch):
    flags = ["--format", "cloudtrail", "--map", "m.toml", "--home", "h", "--alerts-per-day", "3", "--enforce"]
    more = ["--scores", "s.parquet", "--labels", "l.csv", "--label-delay", "7d"]
    assert run(monkeypatch, "a", "-", *flags, *more) == 0
    ((settings, request),) = asked
    assert (settings.home.path, settings.alerts.per_day, settings.respond.enforce) == ("h", 3.0, True)
    assert msgspec.structs.asdict(request) == {
        "paths": ["a", "-"],
        "format": "cloudtrail",
        "mapping": Path("m.toml"),
        "scores": Path("s.parquet"),
        "labels": Path("l.csv"),
        "label_delay_s": 604_800.0,
    }


def test_what_is_not_said_is_left_to_the_settings(asked, monkeypatch):
    assert run(monkeypatch, "a") == 0
    ((settings, request),) = asked
    assert (settings.home.path, settings.alerts.per_day, settings.respond.enforce) == ("tocsin-home", 10.0, False)
    assert request.paths == ["a"]
    assert request.label_delay_s is None


@pytest.mark.usefixtures("asked")
def test_a_person_gets_the_top_and_a_program_gets_all(monkeypatch, capsys):
    run(monkeypatch, "a", "--top", "1")
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines() if line.startswith("A-")] == ["A-000001"]
    assert "1 more alerts: tocsin alerts list" in err
    run(monkeypatch, "a", "--top", "1", "--json")
    out, err = capsys.readouterr()
    assert [a["id"] for a in json.loads(out)] == ["A-000001", "A-000002"]
    assert "read 3, scored 3" in err
