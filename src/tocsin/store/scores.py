"""What the model said of every event: one flat file of fixed-size records, addressed by seq.

Scores can always be computed again from the journal, so they are flushed only on `durable` and
carry no checksum; after a crash the engine truncates to its snapshot and writes them anew.
"""

from __future__ import annotations

import os
import struct
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

import numpy as np

from tocsin.errors import StoreError
from tocsin.store.disk import disk, open_private, write_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["REBUILD_SCORES", "ScoreColumns", "Scores"]

_MAGIC: Final = b"TOCSINS1"
_HEAD: Final = struct.Struct("<8sQ48x")
_BUFFER_BYTES: Final = 1 << 20
REBUILD_SCORES: Final = (
    "restore `scores.dat` from a backup, or remove it with `snapshots` and `cold`: the next replay rebuilds all three"
)
"""What helps when scores are missing: alone they are not rebuilt, since a snapshot says that they are there."""


class ScoreColumns(NamedTuple):
    """Scores of a run of events, one array a column; `trace` is `(n, features)`."""

    surprise: NDArray[np.float32]
    tail: NDArray[np.float32]
    accumulated: NDArray[np.float32]
    alert: NDArray[np.bool_]
    late: NDArray[np.bool_]
    trace: NDArray[np.uint8]


def _record_type(features: int) -> np.dtype[Any]:
    return np.dtype(
        [
            ("surprise", "<f4"),
            ("tail", "<f4"),
            ("accumulated", "<f4"),
            ("alert", "?"),
            ("late", "?"),
            ("trace", "u1", (features,)),
        ]
    )


P = ParamSpec("P")
T = TypeVar("T")


def _alone(method: Callable[Concatenate[Scores, P], T]) -> Callable[Concatenate[Scores, P], T]:
    """Let no other thread in meanwhile."""

    @wraps(method)
    def alone(scores: Scores, /, *args: P.args, **named: P.kwargs) -> T:
        with scores.lock:
            return method(scores, *args, **named)

    return alone


class Scores:
    """The scores of one home. The first append settles how many features a trace has.

    One thread may append while another reads.
    """

    def __init__(self, path: Path, *, writer: bool) -> None:
        self._writer = writer
        self.lock = RLock()
        self._type: np.dtype[Any] | None = None
        self._descriptor = -1
        self._path = path
        self._held: list[NDArray[Any]] = []
        self._held_bytes = 0
        if writer or path.exists():
            self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT if writer else os.O_RDONLY)
        self._read_head()

    def _read_head(self) -> None:
        if self._descriptor < 0 and self._path.exists():
            self._descriptor = open_private(self._path, os.O_RDONLY)
        raw = os.pread(self._descriptor, _HEAD.size, 0) if self._descriptor >= 0 else b""
        if len(raw) < _HEAD.size:
            return
        magic, features = _HEAD.unpack(raw)
        if magic != _MAGIC:
            raise StoreError("the file of scores is not one", hint=REBUILD_SCORES)
        self._type = _record_type(features)

    @property
    def next_seq(self) -> int:
        """One past the last event that has scores."""
        return self._on_disk() + sum(map(len, self._held))

    def _on_disk(self) -> int:
        if self._type is None:
            return 0
        return max(0, os.fstat(self._descriptor).st_size - _HEAD.size) // self._type.itemsize

    @_alone
    def append(  # noqa: PLR0913, PLR0917 - the columns of a score
        self,
        first_seq: int,
        surprise: NDArray[np.float32],
        tail: NDArray[np.float32],
        accumulated: NDArray[np.float32],
        alert: NDArray[np.bool_],
        late: NDArray[np.bool_],
        trace: NDArray[np.uint8],
    ) -> None:
        """Add the scores of events `first_seq`…, which must follow those already there."""
        if not self._writer:
            raise StoreError("this home was opened for reading", hint="open it with `writer=True`")
        kind = self._settle(trace.shape[1])
        if first_seq != self.next_seq:
            message = f"scores of event {first_seq} do not follow the {self.next_seq} in `scores.dat`"
            raise StoreError(message, hint=REBUILD_SCORES)
        rows = np.empty(len(surprise), kind)
        columns = ScoreColumns(surprise, tail, accumulated, alert, late, trace)
        for name, column in columns._asdict().items():
            rows[name] = column
        self._held.append(rows)
        self._held_bytes += rows.nbytes
        if self._held_bytes >= _BUFFER_BYTES:
            self._write()

    def _settle(self, features: int) -> np.dtype[Any]:
        if self._type is not None and self._on_disk() == 0 and not self._held:
            self._type = None  # an empty file may still change its shape
        if self._type is None:
            with disk("write the scores"):
                os.ftruncate(self._descriptor, 0)
                write_all(self._descriptor, [_HEAD.pack(_MAGIC, features)], 0)
            self._type = _record_type(features)
        if self._type["trace"].shape != (features,):
            message = f"a trace of {features} features does not fit the scores already kept"
            raise StoreError(message, hint=REBUILD_SCORES)
        return self._type

    def _write(self) -> None:
        if not self._held or self._type is None:
            return
        end = _HEAD.size + self._on_disk() * self._type.itemsize
        rows = np.concatenate(self._held)
        try:
            with disk("write the scores"):
                write_all(self._descriptor, [rows.tobytes()], end)
        except BaseException:
            os.ftruncate(self._descriptor, end)
            raise
        self._held, self._held_bytes = [], 0

    @_alone
    def blank(self, seqs: NDArray[np.int64]) -> None:
        """Wipe the scores of events whose subject was erased: they read as late ones do, without bits."""
        self._write()
        kind = self._type
        if kind is None:
            return
        row = np.zeros(1, kind)
        for name in ("surprise", "tail", "accumulated"):
            row[name] = np.nan
        row["late"] = True
        with disk("write the scores"):
            for seq in seqs[seqs < self._on_disk()].tolist():
                write_all(self._descriptor, [row.tobytes()], _HEAD.size + seq * kind.itemsize)
            os.fsync(self._descriptor)

    @_alone
    def truncate(self, seq: int) -> None:
        """Forget the scores of events `seq` and later."""
        self._write()
        if self._type is not None and seq < self._on_disk():
            with disk("truncate the scores"):
                os.ftruncate(self._descriptor, _HEAD.size + seq * self._type.itemsize)

    @_alone
    def read(self, start: int, stop: int) -> ScoreColumns:
        """Scores of events `start` to `stop`, as far as there are any."""
        self._write()
        if self._type is None:
            self._read_head()
        kind = self._type or _record_type(0)
        stop = min(stop, self._on_disk())
        size = max(0, stop - start) * kind.itemsize
        raw = b""
        if size:
            with disk("read the scores"):
                raw = os.pread(self._descriptor, size, _HEAD.size + start * kind.itemsize)
        rows = np.frombuffer(raw, kind, count=len(raw) // kind.itemsize)
        return ScoreColumns(*(np.ascontiguousarray(rows[name]) for name in ScoreColumns._fields))

    @_alone
    def durable(self) -> None:
        """Flush everything appended so far."""
        self._write()
        if self._descriptor >= 0:
            with disk("flush the scores"):
                os.fsync(self._descriptor)

    @_alone
    def close(self) -> None:
        """Write what is held (without a flush) and let go of the file."""
        if self._descriptor < 0:
            return
        try:
            if self._writer:
                self._write()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1
