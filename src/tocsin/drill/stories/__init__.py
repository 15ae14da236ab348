"""The crimes of the town: one file a kind, each a function that puts one instance on the stage."""

from __future__ import annotations

from tocsin.drill.stories.plot import HARMFUL_ROLES, KINDS, ROLES, Plot, Stage
from tocsin.drill.stories.programme import stage_all

__all__ = ["HARMFUL_ROLES", "KINDS", "ROLES", "Plot", "Stage", "stage_all"]
