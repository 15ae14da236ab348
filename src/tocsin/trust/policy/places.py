"""Where a number lies among the numbers that policies compare it with, which is all that policies can see of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final

from tocsin.errors import BadValue
from tocsin.trust.policy.values import ten_thousandths

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.trust.policy.reading import Reads

__all__ = ["place_of"]

_SURE: Final = 1e14
"""Ten-thousandths below which a float is off by far less than one, so that only a near threshold needs care."""
_LONG: Final = range(-(1 << 63), 1 << 63)


def place_of(name: str, reads: Reads) -> Callable[[Any], Any] | None:
    """Make what stands for a field's value in the cache's key; None where the value itself must.

    INVARIANT: two values with the same place, on which Cedar's type of the field is the same, satisfy the same
    comparisons. Whatever is not a number of the type compared stands for itself.
    """
    if (whole := reads.thresholds.get(name)) is not None and name != "amount":
        return lambda value: _among(whole, value) if type(value) is int and value in _LONG else [value]
    if (weighed := reads.decimals.get(name)) is not None:
        kinds = {int, float} if name == "amount" else {float}
        return lambda value: _weighed(weighed, value) if type(value) in kinds else [value]
    return None


def _among(thresholds: tuple[int, ...], value: int) -> tuple[int, int]:
    return bisect_left(thresholds, value), bisect_right(thresholds, value)


def _weighed(thresholds: tuple[int, ...], value: float) -> Any:  # noqa: ANN401 - a place, or the value in a list
    scaled = value * 10_000.0
    if -_SURE < scaled < _SURE and (low := bisect_left(thresholds, scaled - 1)) == bisect_right(thresholds, scaled + 1):
        return low, low
    try:
        return _among(thresholds, ten_thousandths(value))
    except BadValue:
        return [value]
