"""The office, grown once: tests take a copy of what the model knows after four weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tocsin.behaviour.model import Model
from tocsin.config import BehaviourSettings, Settings

from . import made

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def _grown():
    model = Model(Settings())
    model.observe(made.working_days(made.DAYS), 0)
    return model.arrays()


@pytest.fixture
def office(_grown) -> Callable[..., Model]:
    def fresh(**behaviour: float) -> Model:
        model = Model(Settings(behaviour=BehaviourSettings(**behaviour)))
        model.restore(_grown)
        return model

    return fresh
