"""The one rule that turns an entity's evidence into its risk.

1. *Decay.* A piece of evidence weighs its full bits when it arises and falls in a straight line to
   nothing when it expires. Before it arises and after it expires it weighs nothing.
2. *Repetition.* Pieces of the same source and cause say the same thing: the heaviest counts.
3. *Independence.* Different causes, and different sources, add.
4. *Bands.* The sum is `low` under 8 bits, `elevated` from 8, `high` from 16, `critical` from 24.

So risk grows with bits, does not depend on the order in which evidence came, never rises by
waiting, and lapses by itself. A finding the team is rung for has usually 10 to 20 bits: alone it
makes an entity `elevated` or `high`; `critical` takes two that are independent.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tocsin.record import Band, Evidence, Risk

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["BAND_FLOORS", "MAX_BITS", "assess", "band_of", "keep", "weight"]

BAND_FLOORS: Final[tuple[tuple[Band, float], ...]] = (("critical", 24.0), ("high", 16.0), ("elevated", 8.0))
"""Bits from which an entity is in each band; under the last it is `low`."""
MAX_BITS: Final = 64.0
"""No single piece of evidence weighs more, whatever it says of itself."""

_LAPSE_STEP: Final = timedelta(seconds=1)
"""The time at which risk lapses is given to the second, rounded up."""


def weight(evidence: Evidence, now: datetime) -> float:
    """Bits that a piece of evidence is worth now."""
    if not evidence.time <= now < evidence.expires or not evidence.bits > 0:
        return 0.0
    left = (evidence.expires - now) / (evidence.expires - evidence.time)
    return min(evidence.bits, MAX_BITS) * left


def band_of(bits: float) -> Band:
    """Name the band that a sum of bits falls in."""
    return next((band for band, floor in BAND_FLOORS if bits >= floor), "low")


def assess(entity: str, evidence: Iterable[Evidence], now: datetime, *, until: bool = True) -> Risk:
    """Weigh what is held of `entity`; evidence of other entities is not looked at.

    The causes are the pieces that counted, heaviest first. `lapses` is when the entity is `low`
    again if nothing new comes; None when it is `low` already, or when `until` is not asked for, which takes a while.
    """
    held = [e for e in evidence if e.entity == entity and weight(e, now) > 0]
    causes = _heaviest(held, now)
    bits = _total(held, now)
    band = band_of(bits)
    return Risk(
        entity=entity,
        band=band,
        bits=bits,
        causes=tuple(causes),
        lapses=_lapse(held, now) if until and band != "low" else None,
    )


def keep(evidence: Iterable[Evidence], now: datetime) -> tuple[Evidence, ...]:
    """Drop what can never count again, so that what is held of an entity stays small.

    That is what has expired, and what another piece of the same source and cause outweighs now
    and outlasts: two straight lines to nothing never cross twice.
    """
    kept: list[Evidence] = []
    for piece in sorted(set(evidence), key=lambda e: _order(e, now)):
        if piece.expires > now and not any(_dominates(k, piece, now) for k in kept):
            kept.append(piece)
    return tuple(kept)


def _dominates(one: Evidence, other: Evidence, now: datetime) -> bool:
    same = (one.entity, one.source, one.cause) == (other.entity, other.source, other.cause)
    begun = one.time <= now and other.time <= now
    return same and begun and one.expires >= other.expires and weight(one, now) >= weight(other, now)


def _order(evidence: Evidence, now: datetime) -> tuple[float, float, str, str, str, float, float]:
    """Heaviest first, then longest; the rest only makes the order total."""
    return (
        -weight(evidence, now),
        -evidence.expires.timestamp(),
        evidence.entity,
        evidence.source,
        evidence.cause,
        evidence.time.timestamp(),
        evidence.bits,
    )


def _heaviest(held: list[Evidence], now: datetime) -> list[Evidence]:
    first: dict[tuple[str, str], Evidence] = {}
    for piece in sorted(held, key=lambda e: _order(e, now)):
        first.setdefault((piece.source, piece.cause), piece)
    return list(first.values())


def _total(held: list[Evidence], now: datetime) -> float:
    return math.fsum(weight(e, now) for e in _heaviest(held, now))


def _lapse(held: list[Evidence], now: datetime) -> datetime:
    """Bisect for the first second at which the sum is under the lowest floor; the sum never rises."""
    floor = BAND_FLOORS[-1][1]
    low, high = 0, math.ceil((max(e.expires for e in held) - now) / _LAPSE_STEP)
    while high - low > 1:
        middle = (low + high) // 2
        if _total(held, now + middle * _LAPSE_STEP) >= floor:
            low = middle
        else:
            high = middle
    return now + high * _LAPSE_STEP
