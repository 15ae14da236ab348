"""What is known of an entity, drawn for a person: standing, restrictions, alerts, habits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.cli.render import alerts_table, restrictions_table, when
from tocsin.cli.safe import shorten
from tocsin.record import Alert, Restriction, Risk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.cli.output import Printer

__all__ = ["Portrait", "draw"]

MAX_VALUES: Final = 5
BARS: Final = " ▁▂▃▄▅▆▇█"
ENDS: Final = {24: ("00", "23  (UTC)"), 7: ("Mon", "Sun")}
"""What stands at both ends of a histogram of so many bars."""


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """One entity: its standing now, what it may not do, what rang, and what is normal for it."""

    entity: str
    risk: Risk
    restrictions: list[Restriction]
    alerts: list[Alert]
    profile: dict[str, Any] | None


def draw(printer: Printer, portrait: Portrait) -> None:
    """Draw an entity for a person."""
    printer.line(shorten(portrait.entity), "bold")
    risk = portrait.risk
    lapses = f", lapses {when(risk.lapses)}" if risk.lapses else ""
    printer.line(f"  risk  {risk.band} ({risk.bits:.1f} bits{lapses})")
    for cause in risk.causes:
        printer.line(f"        {cause.bits:.1f} bits from {cause.source}: {shorten(cause.cause)}")
    if portrait.restrictions:
        printer.line()
        restrictions_table(printer, portrait.restrictions)
    if portrait.alerts:
        printer.line()
        alerts_table(printer, portrait.alerts)
    if portrait.profile:
        printer.line()
        printer.line("normal for it:")
        for name, value in _flat(portrait.profile):
            printer.line(f"  {name:<16}  {_habit(value)}")


def _flat(profile: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give a profile part by part; a part made of parts (values by feature) gives each of them."""
    for name, value in profile.items():
        if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            yield from _flat(value)
        elif not isinstance(value, dict) or any(value.values()):
            yield name.replace("_", " "), value


def _habit(value: object) -> str:
    """Write one part of a profile: counts by value, an hour histogram, or a plain fact."""
    if isinstance(value, dict):
        most = sorted(value.items(), key=lambda item: (-_number(item[1]), str(item[0])))
        shown = ", ".join(f"{shorten(str(name), 48)} {_number(count):,.4g}" for name, count in most[:MAX_VALUES])
        return shown + (f", and {len(most) - MAX_VALUES} more" if len(most) > MAX_VALUES else "")
    if isinstance(value, (list, tuple)) and len(value) in ENDS:
        first, last = ENDS[len(value)]
        return f"{first} {_bars([_number(v) for v in value])} {last}"
    return shorten(str(value))


def _bars(values: list[float]) -> str:
    top = max(values) or 1.0
    return "".join(BARS[min(len(BARS) - 1, round(v / top * (len(BARS) - 1)))] for v in values)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
