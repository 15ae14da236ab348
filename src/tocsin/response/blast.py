"""The blast-radius guard: automation may not restrict more than a share of a population in a window.

Two lanes are counted apart, restrictions by the absolute rule and all others. Otherwise an
intruder could use up the allowance with throw-away accounts and then act as the administrator.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from tocsin.config import RespondSettings

__all__ = ["BlastGuard", "Lane"]

Lane = Literal["absolute", "graded"]


class BlastGuard(msgspec.Struct):
    """Which entities automation restricted lately, by lane, and when it last did."""

    restricted: dict[str, dict[str, datetime]] = msgspec.field(default_factory=dict)

    def admits(self, entity: str, lane: Lane, population: int, now: datetime, settings: RespondSettings) -> bool:
        """Say whether one more entity may be restricted, and remember it if so.

        An entity restricted within the window already adds nothing to the radius.
        """
        since = now - timedelta(hours=settings.blast_window_h)
        recent = {e: t for e, t in self.restricted.get(lane, {}).items() if t > since}
        allowed = max(settings.blast_floor, int(settings.blast_share * population))
        if entity not in recent and len(recent) >= allowed:
            self.restricted[lane] = recent
            return False
        recent[entity] = now
        self.restricted[lane] = recent
        return True

    def count(self, lane: Lane) -> int:
        """How many entities the lane counted when last asked."""
        return len(self.restricted.get(lane, {}))
