"""Runs: profiles of idle entities on disk, sorted by key, never changed once written.

A run is a folder of flat NumPy files, written beside, flushed and renamed into place. The newest run that holds a key
is right. When there are too many, the newest ones of like size become one.

INVARIANT: no run is removed while a snapshot that may be restored counts on it. `listed` goes into each snapshot;
the runs of the last few snapshots are kept, and all others go when the next run is written, which only the writer of a
home does.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from tocsin.errors import StoreError
from tocsin.store.disk import disk, open_private, private_folder, sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Frozen", "Runs"]

Frozen = dict[str, "NDArray[Any]"]
"""Profiles by column, one row an entity: `keys` first; `cells` lie end to end, parted by `offsets`."""

_MOST_RUNS: Final = 8
_SNAPSHOTS: Final = 3
"""One more than are kept on disk, since the newest may not have been written."""
_NAME: Final = re.compile(r"run-(\d{8})")
_AT_ONCE: Final = 1 << 16
_LIKE: Final = 2
"""A run joins newer ones when it is no more than so many times their sum."""


class _Run:
    """One run, mapped."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        names = [path.stem for path in folder.glob("*.npy")]
        if "keys" not in names:
            raise StoreError(f"idle profiles `{folder.name}` are missing", hint="restore the home's `cold` folder")
        with disk(f"read `{folder.name}`"):
            self.columns: Frozen = {name: _mapped(folder / f"{name}.npy") for name in names}
        self.keys = self.columns["keys"]

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Place of each key, or -1."""
        at = np.searchsorted(self.keys, keys)
        held = self.keys[np.minimum(at, len(self.keys) - 1)] == keys
        return np.where(held, at, -1)

    def take(self, places: NDArray[np.int64]) -> Frozen:
        """Rows at `places`, in that order."""
        offsets = self.columns["offsets"]
        starts, counts = offsets[places], offsets[places + 1] - offsets[places]
        ends = np.cumsum(counts)
        which = np.repeat(starts - (ends - counts), counts) + np.arange(int(ends[-1]) if len(ends) else 0)
        taken = {name: np.asarray(c[places]) for name, c in self.columns.items() if name not in {"offsets", "cells"}}
        return taken | {"offsets": np.concatenate([[0], ends]), "cells": np.asarray(self.columns["cells"][which])}


def _mapped(path: Path) -> NDArray[Any]:
    try:
        return cast("NDArray[Any]", np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:  # an empty array cannot be mapped
        return cast("NDArray[Any]", np.load(path, allow_pickle=False))


def _flush(path: Path) -> None:
    descriptor = open_private(path, os.O_RDWR)
    try:
        with disk("write idle profiles"):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _joined(parts: list[Frozen]) -> Frozen:
    """Several lots of profiles end to end."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "offsets"}
    counts = np.concatenate([np.diff(part["offsets"]) for part in parts])
    return whole | {"offsets": np.concatenate([[0], np.cumsum(counts)])}


class Runs:
    """The runs of one home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._live: list[_Run] = []
        self._kept: list[list[int]] = []

    def __len__(self) -> int:
        """How many runs are live."""
        return len(self._live)

    def listed(self) -> NDArray[np.int64]:
        """int64[n, 2]: for the snapshot being taken, its own runs (0 first) and those earlier snapshots count on."""
        self._kept = [[run.number for run in self._live], *self._kept][:_SNAPSHOTS]
        rows = [(age, number) for age, numbers in enumerate(self._kept) for number in numbers]
        return np.array(rows, np.int64).reshape(-1, 2)

    def restore(self, listed: NDArray[np.int64]) -> None:
        """Go back to the runs of a snapshot; nothing is removed yet."""
        self._kept = [[int(n) for age, n in listed if age == a] for a in range(_SNAPSHOTS)]
        self._live = [_Run(self._path(number), number) for number in self._kept[0]]

    def take(self, keys: NDArray[np.uint64]) -> Frozen | None:
        """Profiles of those of `keys` (all different) that any run holds."""
        parts = []
        for run in reversed(self._live):
            places = run.find(keys)
            if (places >= 0).any():
                parts.append(run.take(places[places >= 0]))
                keys = keys[places < 0]
        return _joined(parts) if parts else None

    def write(self, frozen: Frozen) -> None:
        """Add a run, then merge what has become too many."""
        self._sweep()
        order = np.argsort(frozen["keys"])
        counts = np.diff(frozen["offsets"])[order]
        starts = frozen["offsets"][:-1][order]
        ends = np.cumsum(counts)
        which = np.repeat(starts - (ends - counts), counts) + np.arange(int(ends[-1]))
        columns = {name: c[order] for name, c in frozen.items() if name not in {"offsets", "cells"}}
        columns |= {"offsets": np.concatenate([[0], ends]), "cells": frozen["cells"][which]}
        self._live.append(self._put(columns))
        if len(self._live) > _MOST_RUNS:
            self._merge()

    def forget(self, keys: NDArray[np.uint64]) -> None:
        """Write what is live anew without `keys`; `purge` removes the rest once no snapshot counts on it."""
        held = [run for run in self._live if (run.find(keys) >= 0).any()]
        if not held:
            return
        newest_first = self._live[::-1]
        every = np.concatenate([run.keys for run in newest_first])
        which = np.repeat(np.arange(len(newest_first)), [len(run.keys) for run in newest_first])
        place = np.concatenate([np.arange(len(run.keys)) for run in newest_first])
        kept, right = np.unique(every, return_index=True)
        right = right[~np.isin(kept, keys)]
        self._live = [self._gather(newest_first, which[right], place[right])] if len(right) else []

    def purge(self) -> None:
        """Remove all runs that the newest snapshot does not count on."""
        self._kept = self._kept[:1]
        self._sweep()

    def _path(self, number: int) -> Path:
        return self._folder / f"run-{number:08d}"

    def _numbers(self) -> list[int]:
        found = (_NAME.fullmatch(path.name) for path in self._folder.glob("run-*"))
        return sorted(int(name[1]) for name in found if name)

    def _beside(self) -> tuple[int, Path]:
        private_folder(self._folder)
        number = max(self._numbers(), default=0) + 1
        beside = self._folder / f"run-{number:08d}.new"
        shutil.rmtree(beside, ignore_errors=True)
        return number, private_folder(beside)

    def _settle(self, number: int, beside: Path) -> _Run:
        sync_folder(beside)
        with disk("put idle profiles in place"):
            beside.rename(self._path(number))
        sync_folder(self._folder)
        return _Run(self._path(number), number)

    def _put(self, columns: Frozen) -> _Run:
        number, beside = self._beside()
        try:
            for name, column in columns.items():
                descriptor = open_private(beside / f"{name}.npy", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                with disk("write idle profiles"), os.fdopen(descriptor, "wb") as file:
                    np.save(file, column, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
            return self._settle(number, beside)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise

    def _merge(self) -> None:
        """Make one run of the newest ones, as far back as their sizes are alike."""
        first, size = len(self._live) - 1, len(self._live[-1].keys)
        while first > 0 and (len(self._live) - first < _LIKE or len(self._live[first - 1].keys) <= _LIKE * size):
            first -= 1
            size += len(self._live[first].keys)
        newest_first = self._live[first:][::-1]
        keys = np.concatenate([run.keys for run in newest_first])
        which = np.repeat(np.arange(len(newest_first)), [len(run.keys) for run in newest_first])
        place = np.concatenate([np.arange(len(run.keys)) for run in newest_first])
        _, right = np.unique(keys, return_index=True)
        self._live[first:] = [self._gather(newest_first, which[right], place[right])]

    def _gather(self, runs: list[_Run], which: NDArray[np.int64], place: NDArray[np.int64]) -> _Run:
        counts = np.empty(len(which), np.int64)
        for j, run in enumerate(runs):
            counts[which == j] = np.diff(run.columns["offsets"])[place[which == j]]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        number, beside = self._beside()
        try:
            files = {}
            for name, column in runs[0].columns.items():
                length = {"offsets": len(offsets), "cells": int(offsets[-1])}.get(name, len(which))
                shape = (length, *column.shape[1:])
                with disk("write idle profiles"):
                    path = beside / f"{name}.npy"
                    files[name] = np.lib.format.open_memmap(path, "w+", dtype=column.dtype, shape=shape)
            files["offsets"][:] = offsets
            for start in range(0, len(which), _AT_ONCE):
                self._copy(runs, which[start : start + _AT_ONCE], place[start : start + _AT_ONCE], start, files)
            for name, file in files.items():
                cast("Any", file).flush()
                _flush(beside / f"{name}.npy")
            return self._settle(number, beside)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise

    @staticmethod
    def _copy(
        runs: list[_Run],
        which: NDArray[np.int64],
        place: NDArray[np.int64],
        start: int,
        files: Mapping[str, NDArray[Any]],
    ) -> None:
        offsets = files["offsets"]
        for j, run in enumerate(runs):
            mine = np.flatnonzero(which == j)
            if not len(mine):
                continue
            part = run.take(place[mine])
            for name, file in files.items():
                if name not in {"offsets", "cells"}:
                    file[start + mine] = part[name]
            counts = np.diff(part["offsets"])
            to = np.repeat(offsets[start + mine] - part["offsets"][:-1], counts) + np.arange(len(part["cells"]))
            files["cells"][to] = part["cells"]

    def _sweep(self) -> None:
        """Remove runs that neither the present nor a snapshot counts on; only ever from `write`."""
        needed = {run.number for run in self._live}.union(*self._kept)
        for number in self._numbers():
            if number not in needed:
                shutil.rmtree(self._path(number), ignore_errors=True)
