"""`python -m tocsin`, the same as the `tocsin` command."""

from __future__ import annotations

from tocsin.cli import main

__all__: list[str] = []

main()
