"""The help shown in README.md is the help the command prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"```console\n\$ tocsin (?P<arguments>[^\n]*--help)\n(?P<shown>.*?)```", re.DOTALL)


@pytest.mark.parametrize("arguments", ["--help", "replay --help"])
def test_help_in_the_readme_is_what_the_command_prints(arguments):
    blocks = {m["arguments"]: m["shown"] for m in BLOCK.finditer(README.read_text(encoding="utf-8"))}
    printed = subprocess.run(  # noqa: S603 - the command that the page shows
        [sys.executable, "-m", "tocsin", *arguments.split()],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert blocks[arguments].strip() == printed.strip()
