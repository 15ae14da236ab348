"""What a question says, as Cedar's JSON: numbers it can hold, dates, addresses; nothing that means more than it says.

Cedar has no floats, no nulls and no integers beyond 64 bits, and a context that holds one gets no decision at all.
Its JSON also has escapes (`__entity`, `__extn`, `__expr`) that make an entity or an extension value out of a record:
a caller who may send them could name any entity, so they are refused at every depth.
"""

from __future__ import annotations

import ipaddress
import math
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from tocsin.errors import BadValue

__all__ = [
    "ESCAPES",
    "MAX_DEPTH",
    "MAX_VALUES",
    "check_value",
    "ip_value",
    "plain_value",
    "ten_thousandths",
    "to_cedar",
    "to_decimal",
]

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000
"""Members and elements of one field, counted at every depth."""
ESCAPES: Final = frozenset({"__entity", "__extn", "__expr"})

_HOLDING: Final = frozenset({dict, list, tuple, set, frozenset})
_LONG: Final = range(-(1 << 63), 1 << 63)
_DECIMAL_STEP: Final = Decimal("0.0001")
_DECIMAL_MAX: Final = Decimal((1 << 63) - 1) * _DECIMAL_STEP
_DECIMAL_MIN: Final = Decimal(-(1 << 63)) * _DECIMAL_STEP


def to_cedar(value: Any) -> Any:  # noqa: ANN401 - any JSON value, and aware times
    """Turn a JSON value into Cedar's JSON; None where nothing is left of it. Raises BadValue.

    >>> to_cedar({"price": 2.5, "gone": None, "tags": ["a", None]})
    {'price': {'__extn': {'fn': 'decimal', 'arg': '2.5000'}}, 'tags': ['a']}
    """
    return _Reader().cedar(value, 0) if type(value) in _HOLDING else _scalar(value)


def check_value(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Raise BadValue when policies could not be asked about this value, whether or not one reads it."""
    to_cedar(value)


class _Reader:
    """One walk through one value, counting what it meets."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def cedar(self, value: Any, depth: int) -> Any:  # noqa: ANN401 - see to_cedar
        if isinstance(value, dict):
            return self._record(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._set(value, depth)
        return _scalar(value)

    def _record(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self._enter(len(value), depth)
        record = {}
        for key, member in value.items():
            if not isinstance(key, str) or key in ESCAPES:
                raise BadValue(f"`{str(key)[:80]}` cannot be a key", hint="it has a meaning of its own in Cedar")
            made = self.cedar(member, depth + 1)
            if made is not None:
                record[_text(key)] = made
        return record

    def _set(self, value: Any, depth: int) -> list[Any]:  # noqa: ANN401 - list, tuple, set or frozenset
        self._enter(len(value), depth)
        made = (self.cedar(element, depth + 1) for element in value)
        return [element for element in made if element is not None]

    def _enter(self, size: int, depth: int) -> None:
        self._left -= size
        if depth >= MAX_DEPTH:
            raise BadValue(f"a value is nested deeper than {MAX_DEPTH} levels", hint="send it flatter")
        if self._left < 0:
            raise BadValue(f"a value holds more than {MAX_VALUES} members", hint="send less of it")


def to_decimal(value: float | Decimal) -> dict[str, Any]:
    """Round to Cedar's four decimal places, half to even; raises BadValue outside its range.

    >>> to_decimal(0.00005), to_decimal(10)["__extn"]["arg"]
    ({'__extn': {'fn': 'decimal', 'arg': '0.0000'}}, '10.0000')
    """
    rounded = _rounded(value)
    return {"__extn": {"fn": "decimal", "arg": f"{rounded or abs(rounded):f}"}}


def ten_thousandths(value: float | Decimal) -> int:
    """Give the same as a whole number of ten-thousandths; raises BadValue like `to_decimal`.

    >>> ten_thousandths(2.50005)
    25000
    """
    return int(_rounded(value).scaleb(4))


def _rounded(value: float | Decimal) -> Decimal:
    if isinstance(value, int):
        return _within(Decimal(_long(value)))
    if not math.isfinite(value):
        raise BadValue(f"`{value}` is not a number that policies can compare", hint="send a finite number")
    return _within(value if isinstance(value, Decimal) else Decimal(repr(value)))


def _within(exact: Decimal) -> Decimal:
    try:
        rounded = exact.quantize(_DECIMAL_STEP, rounding=ROUND_HALF_EVEN)
    except InvalidOperation:
        rounded = Decimal("Infinity")
    if not _DECIMAL_MIN <= rounded <= _DECIMAL_MAX:
        raise BadValue(f"`{exact}` is beyond what policies can compare", hint=f"at most {_DECIMAL_MAX}")
    return rounded


@lru_cache(maxsize=4096)
def ip_value(text: str) -> dict[str, Any] | None:
    """Turn an address into Cedar's; None for text that is none. IPv4 within IPv6 is the IPv4 address it holds."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return {"__extn": {"fn": "ip", "arg": address.exploded}}


def plain_value(value: Any) -> Any:  # noqa: ANN401 - any of Cedar's JSON
    """Read Cedar's JSON back as a plain value: an extension as its text, an entity as its type and id."""
    if isinstance(value, list):
        return [plain_value(element) for element in value]
    if not isinstance(value, dict):
        return value
    if isinstance(inner := value.get("__extn"), dict):
        return inner.get("arg")
    if isinstance(inner := value.get("__entity"), dict):
        return dict(inner)
    return {key: plain_value(member) for key, member in value.items()}


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadValue("a text holds half a character", hint="send it as valid UTF-8") from error
    return text


def _long(value: int) -> int:
    if value not in _LONG:
        raise BadValue("a whole number is beyond 64 bits", hint="send it as text")
    return value


def _scalar(value: Any) -> Any:  # noqa: ANN401 - see to_cedar
    kind = type(value)
    if kind is bool or value is None:
        return value
    if kind is str:
        return _text(value)
    if kind is int:
        return _long(value)
    return to_decimal(value) if kind is float else _other(value)


def _other(value: object) -> Any:  # noqa: ANN401 - see to_cedar
    if isinstance(value, datetime) and value.tzinfo is not None:
        stamp = value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        return {"__extn": {"fn": "datetime", "arg": f"{stamp}Z"}}
    if isinstance(value, datetime | date):
        raise BadValue("a time without a zone cannot be compared", hint="give it a zone")
    if isinstance(value, Decimal):
        return to_decimal(value)
    raise BadValue(f"a `{type(value).__name__}` has no meaning in a policy", hint="send JSON values")
