"""Alerts: how bad a story is, what it is called, and how it grows as findings join.

Text that came from logs stays as it is here; whoever shows it makes it safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.record import SEVERITIES, Alert, Finding, Severity, record_id

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["join_alert", "open_alert", "ranked", "severity_of"]

MAX_TITLE_CHARS: Final = 240
MAX_PART_CHARS: Final = 60
MAX_ENTITIES: Final = 16
"""Entities named on an alert; its findings hold the rest."""

MEDIUM_BITS: Final = 10.0
HIGH_BITS: Final = 16.0
CRITICAL_ABSOLUTE_BITS: Final = 18.0
ACCUMULATED_WORTH: Final = 0.5
"""What a bit accumulated over hours weighs against a bit of one event."""


def severity_of(finding: Finding, *, absolute: bool) -> Severity:
    """Grade one finding by its tail bits, or half its accumulated bits where these are more.

    `low` under 10 bits, `medium` from 10, `high` from 16. What the absolute rule rings (privileged
    or sensitive, several independent features) is at least `high`, and `critical` from 18.
    """
    bits = max(finding.tail_bits, ACCUMULATED_WORTH * finding.accumulated_bits)
    if absolute:
        return "critical" if bits >= CRITICAL_ABSOLUTE_BITS else "high"
    if bits >= HIGH_BITS:
        return "high"
    return "medium" if bits >= MEDIUM_BITS else "low"


def open_alert(finding: Finding, *, absolute: bool) -> Alert:
    """Begin a story with its first finding; the alert's id follows from the finding's place in the journal."""
    return Alert(
        id=record_id("A", finding.seq),
        severity=severity_of(finding, absolute=absolute),
        title=_title(finding),
        entities=_merged((), finding),
        first_time=finding.time,
        last_time=finding.time,
        findings=1,
        tail_bits=finding.tail_bits,
        reasons=finding.reasons,
        absolute=absolute,
    )


def join_alert(alert: Alert, finding: Finding, *, absolute: bool) -> Alert:
    """Add a finding to its story: the most surprising one names it, the worst one grades it."""
    worse = max(alert.severity, severity_of(finding, absolute=absolute), key=SEVERITIES.index)
    grown = msgspec.structs.replace(
        alert,
        severity=worse,
        entities=_merged(alert.entities, finding),
        first_time=min(alert.first_time, finding.time),
        last_time=max(alert.last_time, finding.time),
        findings=alert.findings + 1,
        absolute=alert.absolute or absolute,
    )
    if finding.tail_bits <= alert.tail_bits:
        return grown
    return msgspec.structs.replace(grown, title=_title(finding), tail_bits=finding.tail_bits, reasons=finding.reasons)


def ranked(alerts: Iterable[Alert]) -> list[Alert]:
    """Order alerts as they should be looked at: the most severe first, then the most surprising."""
    return sorted(alerts, key=lambda a: (-SEVERITIES.index(a.severity), -a.tail_bits, a.id))


def _merged(entities: tuple[str, ...], finding: Finding) -> tuple[str, ...]:
    named = [finding.entity]
    if finding.address:
        named.append(f"ip:{finding.address}")
    if finding.resource:
        named.append(f"resource:{finding.resource}")
    return tuple(dict.fromkeys((*entities, *named)))[:MAX_ENTITIES]


def _title(finding: Finding) -> str:
    """Who did what to what, and the heaviest reason; the others stand beside it."""
    what = f"{_short(finding.entity.partition(':')[2] or finding.entity)}: {_short(finding.action)}"
    if finding.resource:
        what += f" on {_short(finding.resource)}"
    heaviest = max(finding.reasons, key=lambda r: (r.share, r.feature), default=None)
    return _short(f"{what} ({heaviest.text})" if heaviest and heaviest.text else what, MAX_TITLE_CHARS)


def _short(text: str, limit: int = MAX_PART_CHARS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
