"""Why an event surprised, in the words and numbers a colleague would use.

Everything said here was captured by the kernel when it scored the event, so the words never depend on what the
profile learned afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tocsin.behaviour import features as f
from tocsin.behaviour.calibrate import BEND_BITS
from tocsin.record import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTCOMES", "reasons"]

OUTCOMES: Final = "outcomes"
"""Name of the share that past bad outcomes have."""
_MOST: Final = 6
_LEAST_SHARE: Final = 0.02
_VALUE_CHARS: Final = 120
_FEW: Final = 10
_SIZE_WORDS: Final = {f.BYTES: "bytes", f.COUNT: "rows", f.AMOUNT: "amount", f.KIND_AMOUNT: "amount"}
_RATE_WORDS: Final = {
    f.RATE_SUBJECT: "events of this entity",
    f.RATE_PAIR: "events of this kind by this entity",
    f.RATE_TARGET: "events against this target",
}
_VALUE_WORDS: Final = {
    f.ACTION: ("did", "action"),
    f.RESOURCE: ("touched", "resource"),
    f.COUNTERPARTY: ("dealt with", "resource"),
    f.ADDRESS: ("from address", "origin.address"),
    f.SUBNET: ("from the subnet of", "origin.address"),
    f.NETWORK: ("from network", "origin.network"),
    f.COUNTRY: ("from country", "origin.country"),
    f.AGENT: ("by agent", "origin.agent_family"),
    f.DEVICE: ("on device", "origin.device"),
}
_COLUMN: Final = {f.COUNTERPARTY: "counterparty"}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _FEW else f"{value:.2g}"


def _value_text(feature: int, facts: np.ndarray, row: Mapping[str, Any]) -> str:
    words, column = _VALUE_WORDS[feature]
    value = row.get(_COLUMN.get(feature, column))
    if value is None and feature == f.AGENT:
        value = row.get("origin.agent")
    shown = str(value)[:_VALUE_CHARS]
    if feature == f.ACTION and row.get("outcome") not in {None, "unknown"}:
        shown = f"{shown} ({row['outcome']})"
    own, users = float(facts[feature, 0]), float(facts[feature, 1])
    if own <= 0:
        peers = f"{users:,.0f} of its peers do" if users >= 1 else "none of its peers does"
        return (
            f"first time it {words} {shown}; {peers}" if _is_verb(feature) else f"first time {words} {shown}; {peers}"
        )
    rare = f"seen in about {_number(own)} hours before"
    return f"{words} {shown}, {rare}"


def _is_verb(feature: int) -> bool:
    return feature in {f.ACTION, f.RESOURCE, f.COUNTERPARTY}


def _clock(half: float) -> str:
    minutes = int(half) % 48 * 30
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _hour_text(facts: np.ndarray, row: Mapping[str, Any]) -> str:
    start, length = facts[f.HOUR]
    inside, total = facts[f.WEEKDAY]
    at = row["time"].strftime("%H:%M")
    if total < 1:
        return f"{at} UTC, at a time when few of its peers act"
    return (
        f"{at} UTC; {inside:.1%} of its {total:,.0f} active hours fell between"
        f" {_clock(start)} and {_clock(start + length)}"
    )


def _size_text(feature: int, facts: np.ndarray, row: Mapping[str, Any]) -> str:
    word = _SIZE_WORDS[feature]
    if feature == f.BYTES:
        value = float((row.get("bytes_in") or 0) + (row.get("bytes_out") or 0))
    else:
        value = abs(float(row.get("count" if feature == f.COUNT else "amount") or 0))
    usual = 2.0 ** float(facts[feature, 0]) - 1.0
    whose = "for everyone" if feature == f.KIND_AMOUNT else "for it"
    if usual < 1.0:
        return f"{word} {_number(value)}, where next to none is usual {whose}"
    return f"{word} {_number(value)}: {_number(value / usual)} times the usual {whose} ({_number(usual)})"


def _text(feature: int, facts: np.ndarray, row: Mapping[str, Any]) -> str:
    if feature < f.CATEGORICAL:
        return _value_text(feature, facts, row)
    if feature == f.HOUR:
        return _hour_text(facts, row)
    if feature == f.WEEKDAY:
        return f"{row['time'].strftime('%A')}, a day on which it seldom acts"
    if feature == f.VOLUME:
        moved, usual = 2.0 ** float(facts[feature, 1]) - 1.0, 2.0 ** float(facts[feature, 0]) - 1.0
        return f"{_number(moved)} moved within the hour, where {_number(max(usual, 0.0))} is usual"
    if feature in _RATE_WORDS:
        fast, usual = facts[feature]
        many, few = _number(float(fast)), _number(float(usual))
        return f"about {many} {_RATE_WORDS[feature]} within minutes, where {few} is usual"
    return _size_text(feature, facts, row)


def reasons(
    x: np.ndarray, facts: np.ndarray, weights: np.ndarray, extra: float, row: Mapping[str, Any]
) -> tuple[Reason, ...]:
    """Features in the order of their share in the surprise of one event.

    `x` float[F] calibrated bits, `facts` float[F, 2] as the kernel captured them, `weights` float[F, 2] of the event's
    kind, `extra` what past outcomes added, `row` the event by column name.
    """
    bits = np.asarray(x, np.float64)
    parts = weights[:, 0] * bits**1.5 + weights[:, 1] * np.maximum(bits - BEND_BITS, 0.0)
    whole = float(parts.sum()) + max(extra, 0.0)
    if whole <= 0:
        return ()
    told = [
        Reason(feature=f.FEATURES[i], bits=float(x[i]), share=float(parts[i] / whole), text=_text(int(i), facts, row))
        for i in np.argsort(-parts, kind="stable")[:_MOST]
        if parts[i] / whole >= _LEAST_SHARE
    ]
    if extra > 0:
        text = "its counterparty, device or origin was named in bad outcomes before"
        told.append(Reason(feature=OUTCOMES, bits=float(extra ** (2 / 3)), share=extra / whole, text=text))
        told.sort(key=lambda reason: -reason.share)
    return tuple(told)
