"""Every source passes the same list, over small made-up samples."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from tocsin.event import EVENT_SCHEMA
from tocsin.sources import FORMATS, Enrichment, gather

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MAPPING = """
[time]
column = "when"
[fields]
kind = "payment"
action = "pay"
subject = "card:{card}"
counterparty = "shop:{shop}"
amount = "{sum}"
outcome = "success"
origin.address = "{ip}"
"""


class Case(msgspec.Struct, frozen=True):
    format: str
    good: bytes
    events: list[tuple[int, str, str, str, str | None, str]]
    """line, time, subject, action, address, outcome; in order of time"""
    bad: bytes = b""
    """Text that is no record of this format, appended."""
    mapped: bool = False


def _cloudtrail() -> bytes:
    def record(name: str, second: int, **more: object) -> dict[str, object]:
        return {
            "eventTime": f"2026-03-01T09:00:{second:02d}Z",
            "eventName": name,
            "eventSource": "s3.amazonaws.com",
            "userIdentity": {"type": "IAMUser", "userName": "ada", "accessKeyId": "AKIAMADEUP"},
            "sourceIPAddress": "198.51.100.7",
            "eventID": f"id-{second}",
            **more,
        }

    role = {"type": "AssumedRole", "arn": "arn:aws:sts::000000000000:assumed-role/reporter/i-0abc"}
    return json.dumps(
        {
            "Records": [
                record("PutObject", 30, readOnly=False),
                record(
                    "ListBuckets", 10, userIdentity=role, errorCode="AccessDenied", sourceIPAddress="ec2.amazonaws.com"
                ),
            ]
        }
    ).encode()


def _office365() -> bytes:
    def record(operation: str, clock: str, **more: object) -> str:
        base = {"CreationTime": f"2026-03-01T{clock}", "Operation": operation, "Workload": "Exchange", "Id": clock}
        return json.dumps(
            {**base, "UserId": "Ada@Corp.example", "UserType": 0, "ClientIP": "198.51.100.7:4711", **more}
        )

    rows = [record("New-InboxRule", "10:00:00", UserType=2), record("UserLoginFailed", "09:00:00")]
    out = io.StringIO("")
    out.write("Identity,AuditData\n")
    for row in rows:
        out.write('x,"' + row.replace('"', '""') + '"\n')
    return out.getvalue().encode()


def _tocsin() -> bytes:
    def line(clock: str, action: str, outcome: str) -> str:
        origin = '{"address":"198.51.100.7"}'
        return (
            f'{{"time":"2026-03-01T{clock}+01:00","kind":"api","subject":"user:ada","action":"{action}",'
            f'"origin":{origin},"outcome":"{outcome}"}}'
        )

    return (line("10:00:00", "read", "success") + "\n" + line("09:00:00.5", "delete", "failure") + "\n").encode()


CERT = (
    b"{A1B2-C3D4E5F6-1234ABCD},03/01/2025 08:00:00,ADA0001,PC-0001,Logon\n"
    b"{A1B2-C3D4E5F6-1234ABCE},03/01/2025 17:00:00,ADA0001,PC-0001,Logoff\n"
)
SSHD = (
    b"Mar  1 09:00:00 web sshd[12]: Accepted publickey for ada from 198.51.100.7 port 4711 ssh2: ED25519 SHA256:x\n"
    b"Mar  1 09:00:05 web CRON[13]: (root) CMD (true)\n"
    b"Mar  1 09:01:00 web sshd[14]: Failed password for invalid user x from 192.0.2.9 port 1"
    b" from 203.0.113.5 port 22 ssh2\n"
)
WEBLOG = (
    b'198.51.100.7 - - [01/Mar/2026:10:00:00 +0100] "GET /order/17?x=1 HTTP/1.1" 200 512 "-" "curl/8.0"\n'
    b'203.0.113.5 - ada [01/Mar/2026:09:30:00 +0000] "POST /login HTTP/1.1" 401 - "-" "Mozilla/5.0"\n'
)
CSV = b"when,card,shop,sum,ip\n2026-03-01T09:00:00,1,7,12.5,198.51.100.7\n2026-03-01 08:00:00,2,7,3,\n"
JSONL = (
    b'{"when":"2026-03-01T09:00:00Z","card":1,"shop":"7","sum":12.5,"ip":"198.51.100.7"}\n'
    b'{"when":"2026-03-01T08:00:00Z","card":2,"shop":"7","sum":3,"ip":null}\n'
)
CARDS = [
    (2, "2026-03-01T08:00:00", "card:2", "pay", None, "success"),
    (1, "2026-03-01T09:00:00", "card:1", "pay", "198.51.100.7", "success"),
]


def _parquet() -> bytes:
    table = pa.table(
        {
            "when": pa.array([datetime(2026, 3, 1, 9), datetime(2026, 3, 1, 8)], pa.timestamp("us")),  # noqa: DTZ001 - naive on purpose
            "card": [1, 2],
            "shop": [7, 7],
            "sum": [12.5, 3.0],
            "ip": ["198.51.100.7", None],
        }
    )
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


CASES = [
    Case(
        "cloudtrail",
        _cloudtrail(),
        [
            (2, "2026-03-01T09:00:10", "workload:reporter", "ListBuckets", None, "failure"),
            (1, "2026-03-01T09:00:30", "user:ada", "PutObject", "198.51.100.7", "success"),
        ],
    ),
    Case(
        "office365",
        _office365(),
        [
            (2, "2026-03-01T09:00:00", "user:ada@corp.example", "UserLoginFailed", "198.51.100.7", "failure"),
            (1, "2026-03-01T10:00:00", "user:ada@corp.example", "New-InboxRule", "198.51.100.7", "success"),
        ],
        bad=b'x,"{""Operation"":1}"\n',
    ),
    Case(
        "tocsin",
        _tocsin(),
        [
            (2, "2026-03-01T08:00:00.500000", "user:ada", "delete", "198.51.100.7", "failure"),
            (1, "2026-03-01T09:00:00", "user:ada", "read", "198.51.100.7", "success"),
        ],
        bad=b'{"time":"2026-03-01T10:00:00Z","kind":"api","subject":"ada","action":"x"}\n',
    ),
    Case(
        "cert",
        CERT,
        [
            (1, "2025-03-01T08:00:00", "user:ADA0001", "Logon", None, "success"),
            (2, "2025-03-01T17:00:00", "user:ADA0001", "Logoff", None, "success"),
        ],
        bad=b"{A1B2-C3D4E5F6-1234ABCF},99/99/2025 17:00:00,ADA0001,PC-0001,Logoff\n",
    ),
    Case(
        "sshd",
        SSHD,
        [
            (1, "2026-03-01T09:00:00", "user:ada", "Accepted publickey", "198.51.100.7", "success"),
            (3, "2026-03-01T09:01:00", "ip:203.0.113.5", "Failed password", "203.0.113.5", "failure"),
        ],
        bad=b"this is no syslog line\n",
    ),
    Case(
        "weblog",
        WEBLOG,
        [
            (1, "2026-03-01T09:00:00", "ip:198.51.100.7", "GET", "198.51.100.7", "success"),
            (2, "2026-03-01T09:30:00", "user:ada", "POST", "203.0.113.5", "failure"),
        ],
        bad=b"198.51.100.7 is no access log line\n",
    ),
    Case("csv", CSV, CARDS, bad=b"2026-03-01,3,7\n", mapped=True),
    Case("jsonl", JSONL, CARDS, bad=b'{"when":"yesterday","card":3}\n', mapped=True),
    Case("parquet", _parquet(), CARDS, mapped=True),
]
ALL = pytest.mark.parametrize("case", CASES, ids=lambda c: c.format)
STREAMED = pytest.mark.parametrize("case", [c for c in CASES if c.format != "parquet"], ids=lambda c: c.format)
WITH_BAD = pytest.mark.parametrize("case", [c for c in CASES if c.bad], ids=lambda c: c.format)


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.toml").write_text(MAPPING)

    def run(case, data=None, name="input", **options):
        (tmp_path / name).write_bytes(case.good if data is None else data)
        rows = options.pop("rows", 65_536)
        gathering = gather(
            [name],
            enrichment=Enrichment(),
            now=NOW,
            spill=tmp_path / "spill",
            mapping=tmp_path / "map.toml" if case.mapped else None,
            dead_letter=tmp_path / "dead.jsonl",
            **options,
        )
        batches = list(gathering.batches(rows))
        return gathering, pa.Table.from_batches(batches, EVENT_SCHEMA)

    return run


def seen(table):
    return [
        (
            row["source_line"],
            row["time"].replace(tzinfo=None).isoformat(),
            row["subject"],
            row["action"],
            row["origin.address"],
            row["outcome"],
        )
        for row in table.to_pylist()
    ]


def test_no_format_goes_without_a_case():
    assert {c.format for c in CASES} | {"nginx", "apache"} == FORMATS


@ALL
def test_events_come_out_whole_and_in_order(read, case):
    gathering, table = read(case)
    (report,) = gathering.files
    assert seen(table) == case.events
    assert set(table["source_file"].to_pylist()) == {"input"}
    assert report.format == case.format
    assert report.read == len(case.events)
    assert report.complete
    assert len(report.digest) == 32
    assert gathering.set_aside == 0


@ALL
def test_the_same_bytes_give_the_same_events(read, case):
    assert read(case)[1].equals(read(case)[1])


@ALL
def test_batch_size_changes_nothing(read, case):
    assert read(case, rows=1)[1].combine_chunks().equals(read(case)[1].combine_chunks())


@ALL
def test_a_forced_format_reads_the_same(read, case):
    assert read(case, format=case.format)[1].equals(read(case)[1])


@STREAMED
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstandard.compress], ids=["gzip", "xz", "zstd"])
def test_compression_changes_nothing(read, case, pack):
    assert seen(read(case, pack(case.good))[1]) == case.events


@STREAMED
def test_a_zip_member_is_named_by_its_archive(read, case):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("log/part", case.good)
    _, table = read(case, packed.getvalue(), name="logs.zip")
    assert seen(table) == case.events
    assert set(table["source_file"].to_pylist()) == {"logs.zip/log/part"}


@WITH_BAD
def test_a_bad_record_is_set_aside_and_the_rest_goes_on(read, case, tmp_path):
    gathering, table = read(case, case.good + case.bad)
    assert seen(table) == case.events
    assert gathering.set_aside == gathering.files[0].set_aside == 1
    (letter,) = (json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines())
    assert letter["source_file"] == "input"
    assert letter["source_line"] == len((case.good + case.bad).splitlines()) - (case.format in {"csv", "office365"})
    assert letter["reason"]


@ALL
def test_an_empty_file_is_named_and_harmless(read, case):
    gathering, table = read(case, b"")
    assert len(table) == 0
    assert gathering.files[0].skipped == "empty"


@STREAMED
def test_what_stands_before_a_truncation_is_kept(read, case):
    long = case.good if case.format == "cloudtrail" else case.good + case.good.splitlines(keepends=True)[-1] * 2000
    whole = gzip.compress(long, 1)
    gathering, table = read(case, whole[:-12])
    (report,) = gathering.files
    assert len(table) >= 1
    assert report.damage
    assert not report.complete
    assert gathering.set_aside >= 1


@STREAMED
def test_no_line_break_at_the_end_loses_nothing(read, case):
    assert seen(read(case, case.good.rstrip(b"\n"))[1]) == case.events


@STREAMED
def test_windows_line_ends_change_nothing(read, case):
    assert seen(read(case, case.good.replace(b"\n", b"\r\n"))[1]) == case.events


@ALL
def test_lines_in_the_journal_are_left_out(read, case):
    first = case.events[0]
    gathering, table = read(case, skip=lambda _: pa.array([first[0]]).to_numpy())
    assert seen(table) == case.events[1:]
    assert gathering.files[0].journaled == 1


@ALL
def test_a_file_in_the_journal_is_not_read(read, case):
    gathering, table = read(case, skip=lambda _: "all")
    assert len(table) == 0
    assert gathering.files[0].skipped == "already journaled"
