"""What a command reads or changes of one story, together: alert, findings, restrictions, verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.errors import NotFound
from tocsin.record import Alert, Finding, Restriction, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store import Home, Records

__all__ = ["Case", "alert_with_evidence", "finding_named", "judge"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, the findings it rests on, and the restrictions it led to."""

    alert: Alert
    findings: list[Finding]
    restrictions: list[Restriction]


def alert_with_evidence(records: Records, alert_id: str) -> Case:
    """Gather a story; raises NotFound when there is no such alert."""
    alert = records.alert(alert_id.upper())
    if alert is None:
        raise NotFound(f"there is no alert `{alert_id}`", hint="`tocsin alerts list` names them all")
    return Case(
        alert=alert,
        findings=list(records.findings(alert_id=alert.id)),
        restrictions=[r for r in records.restrictions() if r.alert_id == alert.id],
    )


def finding_named(records: Records, finding_id: str) -> Finding:
    """Get a finding; raises NotFound when there is none of that id."""
    finding = records.finding(finding_id.upper())
    if finding is None:
        raise NotFound(f"there is no finding `{finding_id}`", hint="`tocsin explain A-…` lists those of an alert")
    return finding


def judge(home: Home, record_id: str, *, bad: bool, known_at: datetime, by: str) -> list[Verdict]:
    """Keep a verdict on an alert or a finding: in the journal, where scoring learns it, and on the record."""
    if record_id.upper().startswith("F-"):
        findings, alert_id = [finding_named(home.records, record_id)], None
    else:
        case = alert_with_evidence(home.records, record_id)
        findings, alert_id = case.findings, case.alert.id
    verdicts = [Verdict(seq=f.seq, bad=bad, known_at=known_at, by=by) for f in findings]
    for verdict, finding in zip(verdicts, findings, strict=True):
        body = msgspec.json.encode({"finding": finding.id, **msgspec.structs.asdict(verdict)})
        home.journal.append_control("verdict", body)
    home.journal.commit()
    if alert_id:
        home.records.set_verdict(alert_id, "true" if bad else "false")
    home.records.audit(by or "cli", "verdict", {"record": record_id.upper(), "bad": bad})
    return verdicts
