"""Columns of times as tables write them, turned into UTC microseconds, once per distinct value.

A value that cannot be read becomes null; the caller tells which rows those are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.sources.numbers import to_float

if TYPE_CHECKING:
    from tocsin.sources.mapping import TimeRule

__all__ = ["to_time"]

_UTC_US: Final = pa.timestamp("us", tz="UTC")
_PER_SECOND: Final = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
_GROUPS: Final = {"Y": r"\d{4}", "m": r"\d{1,2}", "d": r"\d{1,2}", "H": r"\d{1,2}", "M": r"\d{1,2}", "S": r"\d{1,2}"}
_LIMITS: Final = {"m": (1, 12), "d": (1, 99), "H": (0, 23), "M": (0, 59), "S": (0, 60)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_US: Final = float(1 << 62)


def to_time(column: pa.Array, rule: TimeRule) -> pa.Array:
    """Return the column as UTC microseconds; unreadable values become null."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _placed(column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False), rule.zone)
    if rule.format in {"epoch", "step"}:
        return _counted(column, rule)
    encoded = pc.utf8_trim_whitespace(column.cast(pa.string())).dictionary_encode()
    return _written(encoded.dictionary, rule).take(encoded.indices)


def _placed(times: pa.Array, zone: str) -> pa.Array:
    if times.type.tz is None:
        times = pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="earliest")
    return times.cast(_UTC_US)


def _counted(column: pa.Array, rule: TimeRule) -> pa.Array:
    values = to_float(column)
    if rule.format == "epoch":
        start, each = 0.0, _PER_SECOND[rule.unit]
    else:
        origin = rule.origin or _EPOCH
        start, each = origin.timestamp() * 1e6, float(rule.step_us)
    numbers = start + np.asarray(values.to_numpy(zero_copy_only=False), np.float64) * each
    usable = np.isfinite(numbers) & (np.abs(numbers) < _LARGEST_US)
    whole = np.where(usable, numbers, 0).round().astype(np.int64)
    return pa.array(whole, pa.int64(), mask=~usable).cast(_UTC_US)


def _written(texts: pa.Array, rule: TimeRule) -> pa.Array:
    if rule.overflow_days:
        return _placed(_overflowing(texts, rule.format), rule.zone)
    if rule.format == "iso":
        return _iso(texts, rule.zone)
    if "%z" in rule.format or "%f" in rule.format:
        return _one_by_one(texts, lambda text: datetime.strptime(text, rule.format), rule.zone)  # noqa: DTZ007 - placed below
    return _placed(pc.strptime(texts, format=rule.format, unit="us", error_is_null=True), rule.zone)


def _iso(texts: pa.Array, zone: str) -> pa.Array:
    for target in (_UTC_US, pa.timestamp("us")):
        try:
            return _placed(texts.cast(target), zone)
        except pa.ArrowInvalid:
            continue
    return _one_by_one(texts, datetime.fromisoformat, zone)


def _one_by_one(texts: pa.Array, read: object, zone: str) -> pa.Array:
    place = ZoneInfo(zone)

    def one(text: str | None) -> datetime | None:
        try:
            time: datetime = read(text)  # type: ignore[operator]
        except (TypeError, ValueError):
            return None
        return (time if time.tzinfo else time.replace(tzinfo=place)).astimezone(UTC)

    return pa.array([one(text) for text in texts.to_pylist()], _UTC_US)


def _overflowing(texts: pa.Array, pattern: str) -> pa.Array:
    """Read numeric dates by arithmetic: the 32nd of July is the first of August."""
    literal = re.escape(pattern).replace(r"\%", "%").replace("%%", "%")
    shape = re.sub(r"%(.)", lambda m: f"(?P<{m[1]}>{_GROUPS[m[1]]})", literal)
    parts = pc.extract_regex(texts, f"^{shape}$")
    found = {f.name: parts.field(i) for i, f in enumerate(parts.type)}
    usable = ~pc.is_null(parts).to_numpy(zero_copy_only=False)
    values = {}
    for name, column in found.items():
        number = pc.if_else(pc.equal(column, ""), "0", column).cast(pa.int64()).to_numpy()
        low, high = _LIMITS.get(name, (1, 9999))
        usable &= (number >= low) & (number <= high)
        values[name] = number
    months = (values["Y"] - 1970) * 12 + values["m"] - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + values["d"] - 1
    zero = np.zeros(len(days), np.int64)
    seconds = days * 86_400 + values.get("H", zero) * 3600 + values.get("M", zero) * 60 + values.get("S", zero)
    return pa.array(np.where(usable, seconds * 1_000_000, 0), pa.int64(), mask=~usable).cast(pa.timestamp("us"))
