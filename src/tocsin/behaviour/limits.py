"""The settings that scores depend on, as kernels want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.behaviour.layout import Limits

if TYPE_CHECKING:
    from tocsin.config import Settings

__all__ = ["limits_of"]

_DECAY_HOURS: Final = 1 << 15
_CALIBRATION_HALF_LIFE_H: Final = 14 * 24
_MOST_USES: Final = 1 << 22
"""Values of groups and of everyone that are held at most: 200 MB."""
_MOST_RATES: Final = 1 << 22
"""Subjects, pairs and targets whose rates are held at most: 270 MB."""


def limits_of(settings: Settings) -> Limits:
    """`Limits` of these settings."""
    b = settings.behaviour
    return Limits(
        decays=2.0 ** (-np.arange(_DECAY_HOURS) / (b.half_life_d * 24)),
        quarantine_bits=float(b.quarantine_bits),
        release_days=int(b.release_days),
        max_log=int(np.log2(b.max_values)),
        refresh_h=int(b.group_refresh_h),
        most_uses=_MOST_USES,
        most_rates=_MOST_RATES,
        calibration_kept=float(2.0 ** (-1 / _CALIBRATION_HALF_LIFE_H)),
    )
