"""Every command shown on a page is one that exists, with options that it has; the marked ones are run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pages
import pytest
import typer.main

from tocsin.cli.app import app
from tocsin.errors import TocsinError

SHOWN = [
    (pages.label(block), line[2:])
    for block in pages.blocks("console")
    for line in block.body.split("\n")
    if line.startswith("$ tocsin ")
]
RUN = "<!-- run -->"


def leaf(arguments):
    """The command that arguments name, and what is left for it."""
    command = typer.main.get_command(app)
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command, arguments


def leaves(command, path=()):
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield path
    for name, inner in below.items():
        yield from leaves(inner, (*path, name))


@pytest.mark.parametrize("shown", [pytest.param(shown, id=f"{place}-{shown}") for place, shown in SHOWN])
def test_a_command_on_a_page_can_be_given(shown):
    command, arguments = leaf(shlex.split(shown, comments=True)[1:])
    if "--help" in arguments:
        assert arguments == ["--help"]
        return
    assert command.invoke_without_command if hasattr(command, "commands") else True, f"`{shown}` names no command"
    assert command.make_context("tocsin", list(arguments)).args == []


@pytest.mark.parametrize("path", [" ".join(path) for path in leaves(typer.main.get_command(app)) if path])
def test_every_command_is_shown_on_a_page(path):
    told = "\n".join(page.read_text(encoding="utf-8") for page in pages.PAGES)
    assert f"tocsin {path}" in told


def test_every_exit_code_is_documented():
    found, statuses = [TocsinError], set()
    while found:
        kind = found.pop()
        statuses.add(kind.exit_status)
        found += kind.__subclasses__()
    documented = {row[0] for row in pages.rows("docs/operating.md")}
    assert {str(status) for status in statuses | {0, 130, 141}} <= documented


def marked(page):
    """Commands of the blocks of a page that stand behind the mark, in order."""
    parts = page.read_text(encoding="utf-8").split(RUN + "\n```console\n")[1:]
    return [line[2:] for part in parts for line in part.partition("```")[0].split("\n") if line.startswith("$ ")]


@pytest.mark.heavy
@pytest.mark.parametrize("page", [p for p in pages.PAGES if RUN in p.read_text(encoding="utf-8")], ids=lambda p: p.name)
def test_the_marked_commands_of_a_page_work(page, tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    for command in marked(page):
        done = subprocess.run(  # noqa: S603 - the command that the page shows
            [sys.executable, "-m", *shlex.split(command, comments=True)],
            cwd=tmp_path,
            env=clean,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("block", pages.blocks("python"), ids=pages.label)
def test_a_program_on_a_page_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = {}
    exec(compile(block.body, pages.label(block), "exec"), told)  # noqa: S102 - the program that the page shows
    assert told.keys() - {"__builtins__"}, "a program on a page makes something"
