"""A labelled, seeded town of people and criminals, to try any of it on. Detection never imports it."""

from __future__ import annotations

from tocsin.drill.building import DEFAULT_START, BuildReport, build

__all__ = ["DEFAULT_START", "BuildReport", "build"]
