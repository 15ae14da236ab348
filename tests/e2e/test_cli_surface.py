"""What the command line is without any home: help, version, settings, errors, completion."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

import tocsin.errors
from tocsin import __version__

COMMANDS = [
    (),
    ("replay",),
    ("alerts",),
    ("alerts", "list"),
    ("alerts", "show"),
    ("alerts", "verdict"),
    ("explain",),
    ("entity",),
    ("entity", "show"),
    ("entity", "erase"),
    ("restrictions",),
    ("restrictions", "list"),
    ("restrictions", "lift"),
    ("restrictions", "add"),
    ("policy",),
    ("policy", "check"),
    ("policy", "test"),
    ("policy", "explain"),
    ("policy", "diff"),
    ("audit",),
    ("audit", "list"),
    ("audit", "verify"),
    ("config",),
    ("config", "show"),
    ("config", "check"),
    ("drill",),
    ("drill", "grade"),
    ("demo",),
    ("version",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(tocsin, command):
    ran = tocsin(*command, "--help")
    assert ran.status == 0
    assert ran.out.startswith("Usage: tocsin")
    assert ran.err == ""


def test_help_names_every_exit_code(tocsin):
    out = tocsin("--help").out
    codes = {int(code) for code in re.findall(r"^    (\d+)  ", out, re.MULTILINE)}
    errors = [vars(tocsin_error) for tocsin_error in vars(tocsin_errors()).values() if isinstance(tocsin_error, type)]
    assert {0, 130} | {e["exit_status"] for e in errors if "exit_status" in e} == codes


def tocsin_errors():
    return tocsin.errors


def test_help_answers_at_once(tocsin_process):
    tocsin_process("--help")
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        tocsin_process("--help")
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.5


def test_version(tocsin):
    assert tocsin("version").out == f"tocsin {__version__}\n"
    assert json.loads(tocsin("version", "--json").out) == {"version": __version__}


def test_config_shows_where_each_value_came_from(tocsin, tmp_path):
    (tmp_path / "tocsin.toml").write_text("[alerts]\nper_day = 3\n")
    ran = tocsin("config", "show", "-o", "json", "--home", "here", TOCSIN_ALERTS__MUTE_H="5")
    rows = {row["setting"]: row for row in json.loads(ran.out)}
    assert rows["alerts.per_day"] == {
        "setting": "alerts.per_day",
        "value": 3.0,
        "origin": f"{tmp_path / 'tocsin.toml'}:2",
    }
    assert rows["alerts.mute_h"]["origin"] == "TOCSIN_ALERTS__MUTE_H"
    assert rows["home.path"]["origin"] == "flag"
    assert rows["respond.enforce"]["origin"] == "default"
    human = tocsin("config", "show").out.splitlines()
    assert re.fullmatch(r"SETTING +VALUE +FROM", human[0])
    assert len(human) == len(rows) + 1


def test_config_check_names_what_is_wrong_with_its_place(tocsin, tmp_path):
    assert tocsin("config", "check").out == "ok: 0 settings given, 0 entities described\n"
    (tmp_path / "tocsin.toml").write_text("[alerts]\nper_dya = 3\n")
    ran = tocsin("config", "check")
    assert (ran.status, ran.out) == (2, "")
    error, hint = ran.err.splitlines()
    assert error.startswith("error: ")
    assert error.endswith("tocsin.toml:2: unknown setting `alerts.per_dya`")
    assert hint == "hint: did you mean `per_day`?"


def test_config_check_reads_the_file_of_entities(tocsin, tmp_path):
    (tmp_path / "who.toml").write_text('[entity."user:ada"]\nrole = "dba"\n')
    assert "1 entities described" in tocsin("config", "check", TOCSIN_ENTITIES__FILE="who.toml").out
    (tmp_path / "who.toml").write_text("[entity.ada]\n")
    assert tocsin("config", "check", TOCSIN_ENTITIES__FILE="who.toml").status == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("frobnicate",), "no such command 'frobnicate'"),
        (("replay",), "missing argument"),
        (("replay", "x", "--label-delay", "soon"), "`soon` is not a duration"),
        (("replay", "x", "--alerts-per-day", "-1"), "`alerts.per_day` cannot be `-1.0`"),
        (("alerts", "list", "-o", "xml"), "'xml' is not one of"),
        (("entity", "show", "ada"), "not an entity: `ada`"),
        (("restrictions", "add", "user:ada", "jail"), "'jail' is not one of"),
        (("drill",), "--out DIR"),
    ],
)
def test_wrong_usage_is_told_in_a_line_with_a_hint(tocsin, arguments, message):
    ran = tocsin(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert "\nhint: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("alerts", "list"),
        ("alerts", "show", "A-1"),
        ("alerts", "verdict", "A-1", "true"),
        ("explain", "A-1"),
        ("entity", "show", "user:ada"),
        ("restrictions", "list"),
        ("restrictions", "lift", "R-1"),
        ("drill", "grade", "--truth", "t", "--home", "tocsin-home"),
    ],
    ids=" ".join,
)
def test_without_a_home_it_says_so(tocsin, tmp_path, arguments):
    ran = tocsin(*arguments)
    assert (ran.status, ran.out) == (4, "")
    assert ran.err.startswith("error: there is no home at `tocsin-home`\nhint: ")
    assert not (tmp_path / "tocsin-home").exists()


def test_escape_codes_in_what_was_typed_are_shown_not_obeyed(tocsin):
    ran = tocsin("entity", "show", "\x1b[2J")
    assert "\x1b" not in ran.err
    assert "\\x1b[2J" in ran.err


def test_the_traceback_is_there_when_asked_for(tocsin_process):
    assert "Traceback" in tocsin_process("alerts", "list", TOCSIN_DEBUG="1").err


def test_the_shell_completes_commands(tocsin_process):
    ran = tocsin_process(_TOCSIN_COMPLETE="complete_bash", COMP_WORDS="tocsin re", COMP_CWORD="1")
    assert ran.out.split() == ["replay", "restrictions"]


@pytest.mark.parametrize("output", ["human", "json", "jsonl"])
def test_a_reader_that_leaves_is_no_error(tocsin_process, output):
    reading, writing = os.pipe()
    os.close(reading)
    ran = tocsin_process("config", "show", "-o", output, stdout=writing)
    os.close(writing)
    assert (ran.status, ran.err) == (141, "")
