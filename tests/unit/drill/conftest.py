from __future__ import annotations

import gzip

import msgspec
import pytest

from tocsin.drill import build


@pytest.fixture(scope="session")
def small_town(tmp_path_factory):
    out = tmp_path_factory.mktemp("town")
    report = build(out, seed=3, days=20, people=50)
    return out, report


@pytest.fixture(scope="session")
def wide_town(tmp_path_factory):
    out = tmp_path_factory.mktemp("wide")
    report = build(out, seed=11, days=40, people=400, migration_day=25)
    return out, report


@pytest.fixture(scope="session")
def read_lines():
    def read(out, source_file):
        return [msgspec.json.decode(line) for line in gzip.decompress((out / source_file).read_bytes()).splitlines()]

    return read
