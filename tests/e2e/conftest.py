from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).parent / "tocsin"


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, done):
        self.out, self.err, self.status = done.stdout, done.stderr, done.returncode


@pytest.fixture
def tocsin(tmp_path):
    """Run the real command line in an empty folder, with no settings from outside."""

    def run(*arguments, cwd=tmp_path, stdin=None, timeout=300, **environ):
        command = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "tocsin"]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
        return Ran(
            subprocess.run(  # noqa: S603 - the command under test
                [*command, *map(str, arguments)],
                cwd=cwd,
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                timeout=timeout,
                check=False,
                env=clean | {"COLUMNS": "100"} | environ,
            )
        )

    return run
