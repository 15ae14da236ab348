from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tocsin.errors import MappingError
from tocsin.sources import Enrichment, gather, load_mapping

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LEAST = '[time]\ncolumn = "t"\n{time}\n[fields]\nkind = "api"\naction = "a"\nsubject = "user:{{u}}"\n{fields}\n{more}'


def text(time="", fields="", more=""):
    return LEAST.format(time=time, fields=fields, more=more)


@pytest.fixture
def read(tmp_path):
    def run(mapping, table):
        (tmp_path / "m.toml").write_text(mapping)
        (tmp_path / "t.csv").write_text(table)
        gathering = gather(
            [tmp_path / "t.csv"], enrichment=Enrichment(), now=NOW, spill=tmp_path, mapping=tmp_path / "m.toml"
        )
        rows = [row for batch in gathering.batches() for row in batch.to_pylist()]
        return gathering, rows

    return run


@pytest.mark.parametrize(
    ("time", "written", "meant"),
    [
        ("", "2026-03-01T09:00:00+02:00", "2026-03-01T07:00:00"),
        ('zone = "Europe/Amsterdam"', "2026-03-01 09:00:00", "2026-03-01T08:00:00"),
        ('format = "epoch"', "1772355600", "2026-03-01T09:00:00"),
        ('format = "epoch"\nunit = "ms"', "1772355600500", "2026-03-01T09:00:00.500000"),
        ('format = "step"\norigin = 2026-01-01T00:00:00Z\nstep = "6h"', "5", "2026-01-02T06:00:00"),
        ('format = "%d.%m.%Y %H:%M"', "01.03.2026 09:00", "2026-03-01T09:00:00"),
        ('format = "%Y-%m-%dT%H:%M:%S.%f%z"', "2026-03-01T09:00:00.25+0100", "2026-03-01T08:00:00.250000"),
        ('format = "%m/%d/%Y-%H:%M"\noverflow_days = true', "07/32/2025-10:30", "2025-08-01T10:30:00"),
    ],
)
def test_times(read, time, written, meant):
    _, rows = read(text(time), f"t,u\n{written},ada\n")
    assert rows[0]["time"].replace(tzinfo=None).isoformat() == meant


@pytest.mark.parametrize(
    "time", ["", 'format = "epoch"', 'format = "%d.%m.%Y"', 'format = "%m/%d/%Y"\noverflow_days = true']
)
def test_a_time_that_is_none_sets_its_row_aside(read, time):
    gathering, rows = read(text(time), "t,u\nsoon,ada\n")
    assert rows == []
    assert gathering.set_aside_examples[0].reason == "`t` is no time as described"
    assert gathering.set_aside_examples[0].source_line == 1


def test_units_values_and_constants(read):
    mapping = text(
        fields='amount = "{cents}"\ncurrency = "EUR"\noutcome = "{ok}"\nprivileged = "{root}"\nbytes_out = "{kb}"',
        more='[units]\namount = 0.01\nbytes_out = 1000\n[values.outcome]\n"1" = "success"\n"0" = "failure"',
    )
    _, rows = read(mapping, "t,u,cents,ok,root,kb,unused\n2026-03-01T09:00:00Z,ada,250,0,yes,1.5,x\n")
    row = rows[0]
    assert (row["amount"], row["currency"], row["outcome"]) == (2.5, "EUR", "failure")
    assert (row["privileged"], row["bytes_out"]) == (True, 1500)


def test_filters_leave_rows_out_and_count_them_apart(read):
    mapping = text(more='[[filter]]\ncolumn = "n"\nat_least = 2\n[[filter]]\ncolumn = "u"\nnone_of = ["bob"]')
    rows = "\n".join(f"2026-03-01T09:00:00Z,{u},{n}" for u, n in [("ada", 1), ("ada", 2), ("bob", 3)])
    gathering, events = read(mapping, f"t,u,n\n{rows}\n")
    assert [e["source_line"] for e in events] == [2]
    assert (gathering.files[0].filtered, gathering.set_aside) == (2, 0)


def test_padded_addresses(read):
    mapping = text(fields='counterparty = "ip:{host}"', more='[columns.host]\naddress = "zero-padded"')
    _, rows = read(mapping, "t,u,host\n2026-03-01T09:00:00Z,ada,172.016.112.020\n")
    assert rows[0]["counterparty"] == "ip:172.16.112.20"


def test_a_header_that_lies_costs_only_the_rows_that_break_it(read):
    table = 't,u\n2026-03-01T09:00:00Z,ada\n2026-03-01T09:00:00Z,bob,extra\nlonely\n\n2026-03-01T09:00:00Z,"c\nd"\n'
    gathering, rows = read(text(), table)
    assert [(r["subject"], r["source_line"]) for r in rows] == [("user:ada", 1), ("user:c\nd", 5)]
    assert [e.source_line for e in gathering.set_aside_examples] == [2, 3]


def test_a_quote_that_never_closes_does_not_swallow_the_file(read):
    many = "2026-03-01T09:00:00Z,ada\n" * 60_000
    gathering, rows = read(text(), f't,u\n2026-03-01T09:00:00Z,"bob\n{many}')
    assert len(rows) == 60_000
    assert [e.source_line for e in gathering.set_aside_examples] == [1]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("", "time"),
        (text(fields='colour = "red"'), "no field `colour`"),
        (text(more="[odd]\nx = 1"), "odd"),
        (text('zone = "Mars/Base"'), "no time zone"),
        (text('format = "step"'), "origin"),
        (text('step = "1 fortnight"'), "step"),
        (text('format = "whenever"'), "time.format"),
        (text('format = "%b %d"\noverflow_days = true'), "numeric"),
        (text().replace('"api"', '"apj"'), "no kind"),
        (text(more="[input]\nheader = false"), "input.columns"),
    ],
)
def test_a_wrong_mapping_is_named(tmp_path, mapping, message):
    (tmp_path / "m.toml").write_text(mapping)
    with pytest.raises(MappingError, match=message):
        load_mapping(tmp_path / "m.toml")


def test_a_mapping_that_fits_nothing_says_which_column_is_missing(read):
    with pytest.raises(MappingError, match="no column `t`"):
        read(text(), "a,b\n1,2\n")
