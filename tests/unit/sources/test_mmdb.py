"""Addresses looked up in real MMDB files, made here, from the file to the columns of an event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from tocsin.sources import Enrichment, gather

LINE = (
    '{{"time":"2026-03-01T09:00:00Z","kind":"api","subject":"user:ada","action":"GET","origin":{{"address":"{}"{}}}}}\n'
)


def write(path, records, version):
    writer = MMDBWriter(ip_version=version, ipv4_compatible=version == 6)
    for prefix, record in records.items():
        writer.insert_network(IPSet([prefix]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def seen(tmp_path):
    def run(addresses, more="", **databases):
        (tmp_path / "log").write_text("".join(LINE.format(a, more) for a in addresses))
        gathering = gather(
            [tmp_path / "log"],
            enrichment=Enrichment(**databases),
            now=datetime(2026, 6, 1, tzinfo=UTC),
            spill=tmp_path / "spill",
        )
        rows = [row for batch in gathering.batches() for row in batch.to_pylist()]
        return [(row["origin.network"], row["origin.country"]) for row in rows]

    return run


SYSTEMS = {
    "8.8.0.0/16": {"autonomous_system_number": 64500, "autonomous_system_organization": "made up"},
    "2a00:1450::/32": {"autonomous_system_number": 64501},
    "10.0.0.0/8": {"autonomous_system_number": 64502},
}
COUNTRIES = {"8.8.0.0/16": {"country": {"iso_code": "NL"}}, "2a00:1450::/32": {"country": {"iso_code": "be"}}}
ADDRESSES = ["8.8.4.4", "2a00:1450::1", "9.9.9.9", "10.1.2.3", "8.8.1.1"]


def test_systems_and_countries_from_two_databases(seen, tmp_path):
    systems = write(tmp_path / "asn.mmdb", SYSTEMS, 6)
    countries = write(tmp_path / "country.mmdb", COUNTRIES, 6)
    assert seen(ADDRESSES, asn_mmdb=systems, country_mmdb=countries) == [
        ("AS64500", "NL"),
        ("AS64501", "BE"),
        ("9.9.0.0/16", None),
        ("private 10.1.0.0/16", None),
        ("AS64500", "NL"),
    ]


def test_countries_alone_leave_prefixes_in_place(seen, tmp_path):
    countries = write(tmp_path / "country.mmdb", COUNTRIES, 6)
    assert seen(["8.8.4.4", "9.9.9.9"], country_mmdb=countries) == [("8.8.0.0/16", "NL"), ("9.9.0.0/16", None)]


def test_one_database_may_hold_both_in_the_flat_form(seen, tmp_path):
    both = write(tmp_path / "both.mmdb", {"8.8.0.0/16": {"asn": "AS64500", "country_code": "nl"}}, 4)
    assert seen(["8.8.4.4", "2a00:1450::1"], asn_mmdb=both) == [("AS64500", "NL"), ("2a00:1450::/48", None)]


def test_what_the_log_says_is_never_overwritten(seen, tmp_path):
    systems = write(tmp_path / "asn.mmdb", SYSTEMS, 6)
    countries = write(tmp_path / "country.mmdb", COUNTRIES, 6)
    said = ',"network":"AS65000"'
    assert seen(["8.8.4.4"], said, asn_mmdb=systems, country_mmdb=countries) == [("AS65000", "NL")]
