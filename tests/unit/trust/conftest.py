from __future__ import annotations

import sys
from pathlib import Path

import pytest

# pytest's importlib mode puts no folder on the path; the parties of these tests stand in a module of their own.
sys.path.insert(0, str(Path(__file__).parent))

from identity_parties import Clock, Door, Issuer, Prover, running


@pytest.fixture
def issuer():
    with running(Issuer) as served:
        yield served


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def door(clock):
    return lambda settings: Door(settings, clock)


@pytest.fixture
def prover():
    return Prover()
