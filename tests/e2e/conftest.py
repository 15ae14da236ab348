from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.cli import main

SCRIPT = Path(sys.executable).parent / "tocsin"


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, out, err, status):
        self.out, self.err, self.status = out, err, status


def clean_environment(environ):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "_TOCSIN"))}
    return kept | {"COLUMNS": "100"} | environ


@pytest.fixture
def tocsin_process(tmp_path):
    """Run the real command in a process of its own, in an empty folder, with no settings from outside."""

    def run(*arguments, stdout=subprocess.PIPE, timeout=300, **environ):
        command = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "tocsin"]
        done = subprocess.run(  # noqa: S603 - the command under test
            [*command, *map(str, arguments)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            env=clean_environment(environ),
        )
        return Ran(done.stdout, done.stderr, done.returncode)

    return run


@pytest.fixture
def tocsin_here(tmp_path, monkeypatch, capsys):
    """Run the same entry point in this process: the same streams and codes without a second of start-up."""

    def run(*arguments, **environ):
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["tocsin", *map(str, arguments)])
            patch.setattr(os, "environ", clean_environment(environ))
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capsys.readouterr()
        return Ran(out, err, ended.value.code)

    return run


@pytest.fixture(params=["here", pytest.param("process", marks=pytest.mark.heavy)])
def tocsin(request):
    """Every test that uses this runs twice: in this process, and (heavy) in processes of their own."""
    return request.getfixturevalue(f"tocsin_{request.param}")
