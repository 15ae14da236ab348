"""A person's verdict on a story: kept in the journal, where scoring learns it, and on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.record import Verdict
from tocsin.response.cases import alert_with_evidence

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store import Home

__all__ = ["judge"]


def judge(home: Home, record_id: str, *, bad: bool, known_at: datetime, by: str) -> list[Verdict]:
    """Keep a verdict on an alert or a finding: in the journal, where scoring learns it, and on the record."""
    wanted = record_id.upper()
    one = wanted.startswith("F-")
    findings = [home.records.finding(wanted)] if one else alert_with_evidence(home.records, wanted).findings
    verdicts = [Verdict(seq=f.seq, bad=bad, known_at=known_at, by=by) for f in findings]
    for verdict, finding in zip(verdicts, findings, strict=True):
        body = msgspec.json.encode({"finding": finding.id, **msgspec.structs.asdict(verdict)})
        home.journal.append_control("verdict", body)
    home.journal.commit()
    if one:
        home.records.audit(by, "verdict", {"finding": wanted, "bad": bad})
    else:
        home.records.set_verdict(wanted, "true" if bad else "false", by)
    return verdicts
