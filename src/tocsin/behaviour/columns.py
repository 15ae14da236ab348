"""From a batch of events to the columns that kernels read."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from tocsin.behaviour.hashing import HashKey, hash_column, hash_subnets
from tocsin.event import KINDS

__all__ = ["FLAG_LATE", "FLAG_PRIVILEGED", "FLAG_SENSITIVE", "Encoded", "encode"]

FLAG_PRIVILEGED: Final = 1
FLAG_SENSITIVE: Final = 2
FLAG_LATE: Final = 4
_US: Final = 1_000_000
_HOUR_S: Final = 3_600
_PLAIN: Final = {
    RESOURCE: "resource",
    COUNTERPARTY: "counterparty",
    ADDRESS: "origin.address",
    NETWORK: "origin.network",
    COUNTRY: "origin.country",
    DEVICE: "origin.device",
}


class Encoded(NamedTuple):
    """One batch, numbers only; `subject` still as a hash, since slots belong to the model."""

    subject: np.ndarray
    times_s: np.ndarray
    hour: np.ndarray
    half: np.ndarray
    weekday: np.ndarray
    kind: np.ndarray
    flags: np.ndarray
    values: np.ndarray
    sizes: np.ndarray
    quantity: np.ndarray
    rate_keys: np.ndarray


def _numbers(column: pa.Array) -> np.ndarray:
    """float64 with NaN for null."""
    if column.null_count == len(column):
        return np.full(len(column), np.nan)
    rounded = pc.cast(column, pa.float64(), safe=False)  # counts beyond 2^53
    return np.asarray(rounded.to_numpy(zero_copy_only=False))


def _joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One hash for two; 0 where the first is not said."""
    both = (a * np.uint64(0x9E3779B97F4A7C15)) ^ (b + np.uint64(0x7F4A7C15))
    return np.where(a == 0, np.uint64(0), both | np.uint64(1))


def _values(batch: pa.RecordBatch, key: HashKey) -> np.ndarray:
    values = np.zeros((batch.num_rows, CATEGORICAL), np.uint64)
    for feature, name in _PLAIN.items():
        values[:, feature] = hash_column(batch.column(name), key)
    values[:, ACTION] = _joined(hash_column(batch.column("action"), key), hash_column(batch.column("outcome"), key))
    values[:, SUBNET] = hash_subnets(batch.column("origin.address"), key)
    family = hash_column(batch.column("origin.agent_family"), key)
    whole = hash_column(batch.column("origin.agent"), key)
    shape = hash_column(batch.column("origin.device_class"), key)
    values[:, AGENT] = np.where(family == 0, whole, _joined(family, shape))
    return values


def _moved(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Sizes as log2(1 + bytes, count, amount), and the quantity that adds up over an hour."""
    inward, outward = _numbers(batch.column("bytes_in")), _numbers(batch.column("bytes_out"))
    both = np.where(np.isnan(inward), outward, inward + np.nan_to_num(outward))
    count, amount = _numbers(batch.column("count")), _numbers(batch.column("amount"))
    raw = np.abs(np.stack([both, count, amount], axis=1))
    quantity = np.where(np.isnan(both), np.where(np.isnan(count), amount, count), both)
    return np.log2(1.0 + raw).astype(np.float32), np.abs(quantity).astype(np.float32)


def _flags(batch: pa.RecordBatch) -> np.ndarray:
    flags = np.zeros(batch.num_rows, np.uint8)
    for name, bit in (("privileged", FLAG_PRIVILEGED), ("sensitive", FLAG_SENSITIVE)):
        column = batch.column(name)
        if column.null_count < len(column):
            flags |= np.where(column.fill_null(False).to_numpy(zero_copy_only=False), np.uint8(bit), np.uint8(0))
    return flags


def encode(batch: pa.RecordBatch, key: HashKey) -> Encoded:
    """Numbers and keyed hashes of a batch in `EVENT_SCHEMA`, in its order."""
    micros = batch.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
    seconds = micros // _US
    hour = seconds // _HOUR_S
    subject = hash_column(batch.column("subject"), key)
    values = _values(batch, key)
    sizes, quantity = _moved(batch)
    kind = pc.index_in(batch.column("kind"), pa.array(KINDS)).to_numpy(zero_copy_only=False)
    other = np.where(values[:, COUNTERPARTY] == 0, values[:, RESOURCE], values[:, COUNTERPARTY])
    partner = np.where(values[:, COUNTERPARTY] == 0, values[:, ACTION], values[:, COUNTERPARTY])
    return Encoded(
        subject=subject,
        times_s=micros / _US,
        hour=hour.astype(np.int32),
        half=(seconds // 1_800 % 48).astype(np.int8),
        weekday=((hour // 24 + 3) % 7).astype(np.int8),
        kind=kind.astype(np.int8),
        flags=_flags(batch),
        values=values,
        sizes=sizes,
        quantity=quantity,
        rate_keys=np.stack(
            [
                _joined(subject, np.uint64(1) + 0 * subject),
                _joined(subject, partner),
                _joined(other, np.uint64(3) + 0 * other),
            ],
            axis=1,
        ),
    )
