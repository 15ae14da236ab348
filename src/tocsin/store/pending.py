"""What was appended and not yet written: small batches grow together, large ones are cut."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["PendingControl", "PendingEvents", "PendingWrites"]

ENTRY_ROWS: Final = 1 << 14
ENTRY_BYTES: Final = 16 << 20
_HELD_BYTES: Final = 48 << 20
_HELD_ITEMS: Final = 1 << 16
_SMALL_BYTES: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class PendingEvents:
    """Events to be written as one entry, with the hashes of their subjects."""

    batch: pa.RecordBatch
    hashes: NDArray[np.uint64]
    bytes: int


@dataclass(frozen=True, slots=True)
class PendingControl:
    """A control to be written as one entry."""

    kind: str
    body: bytes


def _pieces(batch: pa.RecordBatch, hashes: NDArray[np.uint64]) -> Iterator[PendingEvents]:
    """Cut a batch until each piece fits an entry; one row always does."""
    size = batch.get_total_buffer_size()
    if size > _SMALL_BYTES:  # what a slice holds itself takes longer to find out
        size = batch.nbytes
    if batch.num_rows > 1 and (batch.num_rows > ENTRY_ROWS or size > ENTRY_BYTES):
        half = batch.num_rows // 2
        yield from _pieces(batch.slice(0, half), hashes[:half])
        yield from _pieces(batch.slice(half), hashes[half:])
    elif batch.num_rows:
        yield PendingEvents(batch, hashes, size)


class PendingWrites:
    """The queue between append and commit; an item leaves only once it is written."""

    def __init__(self) -> None:
        self._items: deque[PendingEvents | PendingControl] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether enough waits that it should be written before more is taken."""
        return self._bytes >= _HELD_BYTES or len(self._items) >= _HELD_ITEMS

    def add_events(self, batch: pa.RecordBatch, hashes: NDArray[np.uint64]) -> None:
        """Queue a batch behind what waits."""
        for piece in _pieces(batch, hashes):
            self._items.append(piece)
            self._bytes += piece.bytes

    def add_control(self, kind: str, body: bytes) -> None:
        """Queue a control behind what waits."""
        self._items.append(PendingControl(kind, body))
        self._bytes += len(body)

    def hashes(self) -> NDArray[np.uint64]:
        """Subject hashes of all events that wait."""
        waiting = [i.hashes for i in self._items if isinstance(i, PendingEvents)]
        return np.concatenate(waiting) if waiting else np.empty(0, np.uint64)

    def peek(self) -> tuple[PendingEvents | PendingControl, int]:
        """Give the next entry to write and how many items it is made of."""
        first = self._items[0]
        if isinstance(first, PendingControl):
            return first, 1
        run, rows, size = [first], first.batch.num_rows, first.bytes
        for item in islice(self._items, 1, None):
            if isinstance(item, PendingControl):
                break
            rows, size = rows + item.batch.num_rows, size + item.bytes
            if rows > ENTRY_ROWS or size > ENTRY_BYTES:
                break
            run.append(item)
        if len(run) == 1:
            return first, 1
        table = pa.Table.from_batches([i.batch for i in run]).combine_chunks()
        hashes = np.concatenate([i.hashes for i in run])
        return PendingEvents(table.to_batches()[0], hashes, sum(i.bytes for i in run)), len(run)

    def drop(self, count: int) -> None:
        """Forget the first `count` items: they are written."""
        for _ in range(count):
            item = self._items.popleft()
            self._bytes -= item.bytes if isinstance(item, PendingEvents) else len(item.body)
