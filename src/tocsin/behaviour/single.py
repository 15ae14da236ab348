"""One live event as the columns that `encode` makes of a batch of one, in a few microseconds.

A batch goes through Arrow; one event is too small for that. Hashes of texts met lately are remembered, since most
texts of live events are; the memory is bounded and emptied when it is full. A test keeps both ways equal, bit for bit.
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tocsin.behaviour.columns import FLAG_PRIVILEGED, FLAG_SENSITIVE, Encoded
from tocsin.behaviour.features import (
    ACTION,
    ADDRESS,
    AGENT,
    CATEGORICAL,
    COUNTERPARTY,
    COUNTRY,
    DEVICE,
    NETWORK,
    RESOURCE,
    SUBNET,
)
from tocsin.behaviour.hashing import hash_subnets, hash_text
from tocsin.event import KINDS

if TYPE_CHECKING:
    from tocsin.behaviour.hashing import HashKey
    from tocsin.event import Event

__all__ = ["SingleEncoder"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST: Final = 1 << 16
_MOST_ROWS: Final = 1 << 14
_WORD: Final = (1 << 64) - 1
_RATES: Final = 3
_NAMES_BYTES: Final = 8 * (1 + CATEGORICAL + _RATES)
"""Subject, values and keys of rates, as words."""
_WHEN: Final = struct.Struct("=di3bB")
_SIZES_BYTES: Final = 16
_NO_SIZES: Final = struct.pack("=4f", *[math.nan] * 4)
_KIND_NUMBER: Final = {kind: number for number, kind in enumerate(KINDS)}


def _joined(a: int, b: int) -> int:
    """One hash for two, as `columns` joins them; 0 where the first is not said."""
    return ((a * 0x9E3779B97F4A7C15 & _WORD) ^ (b + 0x7F4A7C15 & _WORD)) | 1 if a else 0


def _bits(value: float) -> float:
    """Size as `columns` has it, by the same function, so that both round alike."""
    return float(np.log2(1.0 + abs(value))) if value == value else math.nan  # noqa: PLR0124 - not NaN


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


class SingleEncoder:
    """Encodes one event at a time under one key; each call writes over what the one before returned."""

    def __init__(self, key: HashKey) -> None:
        self._key = key
        self._hashes: dict[str, int] = {}
        self._subnets: dict[str, int] = {}
        self._rows: dict[tuple[str | None, ...], bytes] = {}
        self._buffer = bytearray(_NAMES_BYTES + _WHEN.size + _SIZES_BYTES)
        self._names = memoryview(self._buffer)[:_NAMES_BYTES]
        self._one = self._columns()

    def _columns(self) -> Encoded:
        """Lay the columns of one event over one piece of memory, so that a few writes fill them all."""

        def column(kind: type[np.generic], at: int, count: int = 1) -> np.ndarray:
            return np.frombuffer(self._buffer, kind, count, at)

        word, when, sizes = 8, _NAMES_BYTES, _NAMES_BYTES + _WHEN.size
        return Encoded(
            subject=column(np.uint64, 0),
            values=column(np.uint64, word, CATEGORICAL).reshape(1, -1),
            rate_keys=column(np.uint64, word + CATEGORICAL * word, _RATES).reshape(1, -1),
            times_s=column(np.float64, when),
            hour=column(np.int32, when + 8),
            half=column(np.int8, when + 12),
            weekday=column(np.int8, when + 13),
            kind=column(np.int8, when + 14),
            flags=column(np.uint8, when + 15),
            sizes=column(np.float32, sizes, 3).reshape(1, -1),
            quantity=column(np.float32, sizes + 12),
        )

    def encode(self, event: Event) -> Encoded:
        """Numbers and keyed hashes of one event."""
        since = event.time - _EPOCH
        seconds = since.days * 86_400 + since.seconds
        hour = seconds // 3_600
        _WHEN.pack_into(
            self._buffer,
            _NAMES_BYTES,
            (seconds * 1_000_000 + since.microseconds) / 1_000_000,
            hour,
            seconds // 1_800 % 48,
            (hour // 24 + 3) % 7,
            _KIND_NUMBER[event.kind],
            FLAG_PRIVILEGED * bool(event.privileged) + FLAG_SENSITIVE * bool(event.sensitive),
        )
        self._encode_names(event)
        self._encode_sizes(event)
        return self._one

    def _encode_names(self, event: Event) -> None:
        """Hash what is named; most live events name together what some event before them named."""
        origin = event.origin
        names = (
            event.subject, event.action, event.outcome, event.resource, event.counterparty,
            origin.address, origin.network, origin.country, origin.device, origin.agent, origin.agent_family,
            origin.device_class,
        )  # fmt: skip
        known = self._rows.get(names)
        if known is not None:
            self._names[:] = known
            return
        self._encode_values(event)
        if len(self._rows) >= _MOST_ROWS:
            self._rows.clear()
        self._rows[names] = bytes(self._names)

    def _encode_values(self, event: Event) -> None:
        text, origin, row = self._text, event.origin, self._one.values[0]
        action = _joined(text(event.action), text(event.outcome))
        resource, counterparty = text(event.resource), text(event.counterparty)
        row[ACTION], row[RESOURCE], row[COUNTERPARTY] = action, resource, counterparty
        row[ADDRESS], row[SUBNET] = text(origin.address), self._subnet(origin.address)
        row[NETWORK], row[COUNTRY], row[DEVICE] = text(origin.network), text(origin.country), text(origin.device)
        family = text(origin.agent_family)
        row[AGENT] = _joined(family, text(origin.device_class)) if family else text(origin.agent)
        subject = text(event.subject)
        self._one.subject[0] = subject
        keys = self._one.rate_keys[0]
        keys[0] = _joined(subject, 1)
        keys[1] = _joined(subject, counterparty or action)
        keys[2] = _joined(counterparty or resource, 3)

    def _encode_sizes(self, event: Event) -> None:
        inward, outward = event.bytes_in, event.bytes_out
        if inward is outward is event.count is event.amount is None:
            self._buffer[-_SIZES_BYTES:] = _NO_SIZES
            return
        both = _number(outward) if inward is None else float(inward) + (float(outward) if outward is not None else 0.0)
        count, amount, row = _number(event.count), _number(event.amount), self._one.sizes[0]
        row[0], row[1], row[2] = _bits(both), _bits(count), _bits(amount)
        told = both if both == both else count if count == count else amount  # noqa: PLR0124 - not NaN
        self._one.quantity[0] = abs(told)

    def _text(self, text: str | None) -> int:
        if not text:
            return 0
        known = self._hashes.get(text)
        if known is None:
            if len(self._hashes) >= _MOST:
                self._hashes.clear()
            known = self._hashes[text] = hash_text(text, self._key)
        return known

    def _subnet(self, address: str | None) -> int:
        if not address:
            return 0
        known = self._subnets.get(address)
        if known is None:
            if len(self._subnets) >= _MOST:
                self._subnets.clear()
            known = self._subnets[address] = self._new_subnet(address)
        return known

    def _new_subnet(self, address: str) -> int:
        if ":" in address:
            return int(hash_subnets(pa.array([address]), self._key)[0])
        return hash_text(address.rpartition(".")[0], self._key)
