"""How records look to a person: alerts, findings and restrictions in words, with their numbers."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from tocsin.cli.safe import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.cli.output import Printer
    from tocsin.record import Alert, Finding, Reason, Restriction

__all__ = [
    "alert_full",
    "alerts_ranked",
    "alerts_table",
    "finding_full",
    "home_flag",
    "reasons_lines",
    "restrictions_table",
    "when",
]

STYLES: Final = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
HOME: Final = "tocsin-home"
"""The home when none is named."""
RANKED_REASONS: Final = 3
MAX_FINDINGS: Final = 20
"""Evidence rows shown to a person; `-o json` gives all."""
_SEEN_BITS: Final = 20.0
"""Beyond about a million events the tail is extrapolated, so no number is claimed."""


def when(time: datetime) -> str:
    """Write a time to the second, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def alerts_ranked(printer: Printer, alerts: Sequence[Alert], *, home: str = "") -> None:
    """Draw a short ranked list, each alert with its heaviest reasons and the way to the rest."""
    for alert in alerts:
        printer.line(_heading(alert), STYLES[alert.severity])
        printer.line(f"  {shorten(alert.title, 240)}")
        for reason in _heaviest(alert.reasons)[:RANKED_REASONS]:
            printer.line(f"    {_reason(reason)}")
        printer.line(f"  more: tocsin explain {alert.id}{home_flag(home)}", "dim")
        printer.line()


def alerts_table(printer: Printer, alerts: Sequence[Alert]) -> None:
    """Draw one line an alert."""
    rows = [
        (a.id, a.severity, when(a.last_time), str(a.findings), f"{a.tail_bits:.1f}", a.verdict, shorten(a.title, 100))
        for a in alerts
    ]
    printer.table(("ALERT", "SEVERITY", "LAST", "FINDINGS", "BITS", "VERDICT", "TITLE"), rows)


def alert_full(
    printer: Printer, alert: Alert, findings: Sequence[Finding], restrictions: Sequence[Restriction]
) -> None:
    """Draw everything that is known of a story."""
    printer.line(_heading(alert), STYLES[alert.severity])
    printer.line(f"  {alert.title}")
    printer.line()
    printer.line(f"  first     {when(alert.first_time)}")
    printer.line(f"  last      {when(alert.last_time)}")
    printer.line(f"  entities  {', '.join(shorten(e) for e in alert.entities)}")
    rule = "the absolute rule (privileged or sensitive), outside the budget" if alert.absolute else "the alert budget"
    printer.line(f"  rung by   {rule}")
    printer.line(f"  verdict   {alert.verdict}")
    printer.line()
    printer.line(f"why: {_odds(alert.tail_bits)}")
    for line in reasons_lines(alert.reasons):
        printer.line(f"  {line}")
    most = max((finding.accumulated_bits for finding in findings), default=0.0)
    if most > alert.tail_bits:
        printer.line(f"  and {most:.1f} bits piled up over its last hours")
    _evidence(printer, findings)
    _consequences(printer, restrictions)


def finding_full(printer: Printer, finding: Finding) -> None:
    """Draw one finding with every reason and number."""
    printer.line(f"{finding.id}  {when(finding.time)}  {shorten(finding.entity)}  of {finding.alert_id}", "bold")
    printer.line(f"  {_deed(finding)}")
    printer.line(f"  in        {_place(finding)}")
    printer.line()
    printer.line(f"why: {_odds(finding.tail_bits)}")
    for line in reasons_lines(finding.reasons):
        printer.line(f"  {line}")
    printer.line()
    printer.line(f"  surprise     {finding.surprise_bits:.2f}, all features together, before calibration")
    printer.line(f"  tail         {finding.tail_bits:.2f} bits, calibrated")
    printer.line(f"  accumulated  {finding.accumulated_bits:.2f} bits over the entity's last hours")


def restrictions_table(printer: Printer, restrictions: Sequence[Restriction]) -> None:
    """Draw one line a restriction."""
    rows = [
        (r.id, shorten(r.entity, 60), r.rung, _standing(r), when(r.expires), r.alert_id or "-", _because(r))
        for r in restrictions
    ]
    printer.table(("RESTRICTION", "ENTITY", "RUNG", "STATE", "UNTIL", "ALERT", "WHY"), rows)


def home_flag(home: str) -> str:
    """Write the flag that names a home, where it is not the one looked for anyway."""
    return f" --home {shlex.quote(home)}" if home not in {"", HOME} else ""


def _heading(alert: Alert) -> str:
    count = "1 finding" if alert.findings == 1 else f"{alert.findings} findings"
    who = shorten(alert.entities[0], 60) if alert.entities else "-"
    return f"{alert.id}  {alert.severity}  {when(alert.first_time)}  {who}  {alert.tail_bits:.1f} bits  {count}"


def reasons_lines(reasons: Sequence[Reason]) -> list[str]:
    """Write reasons one a line, the heaviest first."""
    return [_reason(reason) for reason in _heaviest(reasons)]


def _heaviest(reasons: Sequence[Reason]) -> list[Reason]:
    return sorted(reasons, key=lambda r: (-r.share, r.feature))


def _reason(reason: Reason) -> str:
    return f"{reason.share:4.0%}  {shorten(reason.text, 160)}  ({reason.feature}, {reason.bits:.1f} bits)"


def _odds(bits: float) -> str:
    if bits > _SEEN_BITS:
        return f"{bits:.1f} bits: fewer than one event in a million is so surprising"
    return f"{bits:.1f} bits: about one event in {2**bits:,.0f} is so surprising"


def _deed(finding: Finding) -> str:
    parts = [f"{finding.kind} {shorten(finding.action, 60)}"]
    if finding.resource:
        parts.append(f"on {shorten(finding.resource, 80)}")
    if finding.address:
        parts.append(f"from {finding.address}")
    return " ".join(parts)


def _place(finding: Finding) -> str:
    if finding.source_file is None:
        return f"journal record {finding.seq}"
    return f"{shorten(finding.source_file)}:{finding.source_line} (journal record {finding.seq})"


def _evidence(printer: Printer, findings: Sequence[Finding]) -> None:
    printer.line()
    printer.line("evidence:")
    for finding in findings[:MAX_FINDINGS]:
        printer.line(f"  {finding.id}  {when(finding.time)}  {finding.tail_bits:5.1f} bits  {_deed(finding)}")
        printer.line(f"            {_place(finding)}", "dim")
    if len(findings) > MAX_FINDINGS:
        printer.line(f"  and {len(findings) - MAX_FINDINGS} more (`-o json` gives all)")


def _consequences(printer: Printer, restrictions: Sequence[Restriction]) -> None:
    if not restrictions:
        return
    printer.line()
    printer.line("restrictions:")
    for r in restrictions:
        printer.line(
            f"  {r.id}  {r.rung} {shorten(r.entity, 60)} until {when(r.expires)}, {_standing(r)}: {_because(r)}"
        )


def _standing(restriction: Restriction) -> str:
    if restriction.state == "active":
        return "enforced" if restriction.enforced else "shadow"
    return restriction.state


def _because(restriction: Restriction) -> str:
    return shorten("; ".join(part for part in (restriction.cause, restriction.note) if part), 160)
