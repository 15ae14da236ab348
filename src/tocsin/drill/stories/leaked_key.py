"""A leaked key: somebody elsewhere finds it, learns what it opens, and takes what it can."""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.drill.columns import make_columns
from tocsin.drill.machines import MACHINE_ACTIONS, machine_agent, resources_for
from tocsin.drill.ordinary import DAY_US
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.stories.plot import ROLES, Plot, Stage, intruder_address, one_of, spread
from tocsin.drill.vocabulary import TOOL_AGENTS, VERSION_STRIDE

__all__ = ["leaked_key"]

_LOOK: Final = np.array([7, 2, 2, 6])
_TAKE: Final = np.array([0, 0, 0, 2, 5])


def leaked_key(stage: Stage, rng: np.random.Generator, day: int, strength: float) -> Plot:
    """Put one on the stage: a short look, a pause, then the taking."""
    town = stage.town
    key = int(rng.integers(town.keys))
    current = machine_agent(town, np.array([key]), day)
    looks, takes = int(rng.integers(3, 9)), int(rng.integers(15, 70) * strength)
    size = looks + takes
    pause_h = rng.choice([0.2, 2.0, 20.0]) * rng.uniform(0.5, 1.0)
    hours = rng.uniform(0, 24) + spread(rng, size, 70.0) + np.where(np.arange(size) < looks, 0.0, pause_h)
    looking = np.arange(size) < looks
    act = np.where(looking, rng.choice(_LOOK, size), rng.choice(_TAKE, size))
    action = MACHINE_ACTIONS[act]
    return Plot(
        "leaked-key",
        strength,
        make_columns(
            size,
            time=town.start_us + day * DAY_US + (hours * 3600e6).astype(np.int64),
            subject=town.people + key,
            action=action,
            resource=resources_for(act, rng.integers(0, 1 << 20, size)),
            address=intruder_address(rng, stage, None),
            agent=one_of(rng, np.array(TOOL_AGENTS)) * VERSION_STRIDE + current % VERSION_STRIDE,
            failed=rng.random(size) < np.where(looking, 0.25, 0.08),
            role=np.where(looking, ROLES.index("look"), ROLES.index("take")),
            **draw_sizes(rng, action, np.where(looking, 1.0, 1.5 * strength)),
        ),
    )
