"""A block read by column is what its lines read one by one are, for good lines, bad ones and odd ones."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.sources import sshd, weblog
from tocsin.sources.columnar import lines_at
from tocsin.sources.intake import DeadLetters, FileReport, Intake
from tocsin.sources.lines import Block, to_utf8
from tocsin.sources.syslog import GRACE, Years

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WEBLOG = (
    b'198.51.100.7 - - [01/Mar/2026:10:00:00 +0100] "GET /order/17?x=1 HTTP/1.1" 200 512 "-" "curl/8.0"',
    b'203.0.113.5 - ada [01/Mar/2026:09:30:00 +0000] "POST /login HTTP/1.1" 401 - "http://x/" "Mozilla/5.0"',
    b'203.0.113.5 - ada lovelace [01/Mar/2026:09:30:00 +0000] "GET /a b HTTP/1.1" 500 99999999999999999999 "" ""',
    b'web.example:443 2001:DB8::1 - "" [31/Feb/2026:09:30:00 +0000] "\\x16\\x03" 400 0 "-" "-"',
    b'web.example:443 2001:DB8::1 - - [01/Mar/2026:09:30:00 +0000] "-" 400 0',
    b'198.51.100.7 - - [01/Mar/2026:10:00:00 +0100] "GET /a HTTP/1.1" 304 0 "-" "say \\"hi\\""',
    b'198.51.100.7 - - [01/Mar/2026:10:00:00 +0100] "PROPFIND http://h/x/3f2504e0-4f89-11d3-9a0c-0305e82c3301" 207 1',
    b"not a record",
    b"",
)
SSHD = (
    b"Mar  1 09:00:00 web sshd[12]: Accepted publickey for ada from 198.51.100.7 port 4711 ssh2: ED25519 SHA256:x",
    b"Dec 31 23:59:59 web sshd[12]: Accepted password for root from 2001:DB8::1 port 4711 ssh2",
    b"Jan  1 00:00:01 web CRON[13]: (root) CMD (true)",
    b"<38>Feb 30 09:00:05 web sshd: Invalid user  from 192.0.2.9 port 1",
    b"Mar  1 09:01:00 web sshd[14]: Failed password for invalid user x from 192.0.2.9 from 203.0.113.5 port 2 ssh2",
    b"2026-03-01T10:00:00+01:00 web sshd-session[1]: Connection closed by invalid user bob 192.0.2.9 port 9 [preauth]",
    b"2026-03-01T10:00:00 web sshd[1]: Connection closed by 192.0.2.9 port 9 [preauth]",
    b"2026-13-01T10:00:00Z web sshd[1]: ROOT LOGIN REFUSED FROM 192.0.2.9 port 9",
    b"Mar  1 09:01:00 web sshd[14]: pam_unix(sshd:auth): authentication failure; tty=ssh rhost=192.0.2.9  user=root",
    b"Mar  1 09:01:00 web sshd[14]: pam_unix(sshd:auth): authentication failure; tty=ssh rhost=192.0.2.9",
    b"Mar  1 09:01:00 web sshd[14]: error: maximum authentication attempts exceeded for u from host.example port 1",
    b"Mar  1 09:01:00 web sshd[14]: Bad packet length 1349676916. [preauth]",
    b"Mar  1 09:01:00 web sshd[14]: Accepted publickey for  from 192.0.2.9 port 4711 ssh2",
    b"not a record",
    b"",
)


def intake():
    return Intake(FileReport(source_file="x"), 0, DeadLetters(None), now=NOW, modified=NOW, again=None)  # type: ignore[arg-type]


def drawn(samples):
    bytes_ = st.sampled_from(
        [b'"', b"\\", b" ", b"-", b"\x1c", b"\x0b", b"\xc3\xa9", b"\xc2\xa0", b"[", b"7", b"", b"\t"]
    )
    spoiled = st.tuples(st.sampled_from(samples), st.integers(0, 140), st.integers(0, 2), bytes_).map(
        lambda d: d[0][: d[1]] + d[3] + d[0][d[1] + d[2] :]
    )
    return st.lists(st.sampled_from(samples) | spoiled, min_size=1, max_size=12)


def block_of(lines):
    return Block(1, to_utf8(b"".join(line + b"\n" for line in lines)), len(lines))


@settings(max_examples=300, deadline=None)
@given(drawn(WEBLOG))
def test_access_logs(lines):
    block, quick, slow = block_of(lines), intake(), intake()
    by_column = weblog._table(block, quick)  # noqa: SLF001 - two ways of one source
    by_line = weblog._line_by_line(lines_at(block, np.arange(block.count)), slow)  # noqa: SLF001 - see above
    assert by_column.to_pylist() == by_line.to_pylist()
    assert quick.report.set_aside == slow.report.set_aside


def test_most_lines_go_by_column():
    block = block_of(WEBLOG)
    _, taken = weblog.match_lines(block, weblog._COLUMNAR)  # noqa: SLF001 - what is measured
    assert taken.tolist()[:3] == [True, True, True]


@settings(max_examples=300, deadline=None)
@given(drawn(SSHD))
def test_log_ins(lines):
    block, quick, slow = block_of(lines), intake(), intake()
    by_column = sshd._table(block, Years(2026, NOW + GRACE), quick)  # noqa: SLF001 - two ways of one source
    by_line = one_by_one(lines, slow)
    assert by_column.select(by_line.column_names).to_pylist() == by_line.to_pylist()
    assert (quick.report.set_aside, quick.report.filtered) == (slow.report.set_aside, slow.report.filtered)


def one_by_one(lines, slow):
    """Read each line by the patterns of single lines, its year from the lines before it."""
    block, years = block_of(lines), Years(2026, NOW + GRACE)
    texts = [text for _, text in lines_at(block, np.arange(block.count))]
    heads = [sshd._LINE.match(text.lstrip("\0")) for text in texts]  # noqa: SLF001 - see above
    placed = [years.place(head["old"]) if head and head["old"] else None for head in heads]
    times = np.array([None if time is None else time.replace(tzinfo=None) for time in placed], "datetime64[us]")
    return sshd._line_by_line(lines_at(block, np.arange(block.count)), times, 1, slow)  # noqa: SLF001 - see above
