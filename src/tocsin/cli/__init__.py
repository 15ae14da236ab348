"""How people at a terminal reach Tocsin: one file per noun.

Data goes to standard output, messages and progress to standard error. Nothing heavy is imported
until the command that needs it runs, so that help and completion answer at once; `opening.py` is
where that happens.
"""

from __future__ import annotations

from tocsin.cli.app import main

__all__ = ["main"]
