"""The folders of real and simulated logs, read whole; skipped where the data folder is absent."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.sources import Enrichment, gather

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TOCSIN_DATA", ROOT / "../shared/data"))
MAPPINGS = ROOT / "examples/mappings"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no data folder: set TOCSIN_DATA"),
]


def read(tmp_path, folder, mapping=None):
    gathering = gather(
        [DATA / folder],
        enrichment=Enrichment(),
        now=NOW,
        spill=tmp_path,
        mapping=MAPPINGS / mapping if mapping else None,
    )
    return gathering, sum(len(batch) for batch in gathering.batches())


@pytest.mark.parametrize(
    ("folder", "mapping", "events", "duplicates", "set_aside"),
    [
        ("office365-audit", None, 5_373, 4_235, 3),
        ("cloudtrail", None, 2_900, 0, 0),
        ("insider-cert-r4.2", None, 4_883, 0, 0),
        ("card-payments", "card-payments.toml", 1_169_723, 0, 0),
        ("bank-transfers", "bank-transfers.toml", 118_250, 0, 0),
        pytest.param("edge-stream-darpa", "darpa.toml", 4_554_344, 0, 0, marks=pytest.mark.heavy),
    ],
)
def test_every_record_is_an_event_or_accounted_for(  # noqa: PLR0913, PLR0917 - one row of the table above
    tmp_path, folder, mapping, events, duplicates, set_aside
):
    gathering, count = read(tmp_path, folder, mapping)
    assert count == events
    assert sum(f.duplicates for f in gathering.files) == duplicates
    assert gathering.set_aside == set_aside
    assert sum(f.read for f in gathering.files) == events + duplicates


@pytest.mark.parametrize(
    ("case", "format", "events"),
    [
        ("ssh-bf", "sshd", 6),
        ("ssh-slow-bf", "sshd", 22),
        ("nginx-bad-user-agent", "weblog", 3),
        ("apache-http-probing", "weblog", 77),
        ("aws-cloudtrail", "cloudtrail", 2),
    ],
)
def test_server_logs_are_found_by_content(tmp_path, case, format, events):  # noqa: A002 - as in the product
    gathering, count = read(tmp_path, f"server-logs/{case}")
    assert {f.format for f in gathering.files} - {None} == {format}
    assert count >= events - 1
    assert gathering.set_aside == 0
