"""Snapshots of profile state: arrays and a journal position, written whole or not at all.

A snapshot is a folder: one `.npy` file an array, and `manifest.json` with every file's keyed
checksum. It is written beside, flushed, and renamed into place; the last two are kept, so a
damaged newest falls back to the one before, and `warnings` says so.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shutil
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import numpy as np

from tocsin.errors import StoreError
from tocsin.store.disk import disk, open_private, private_folder, replace_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Snapshot", "SnapshotWarning", "Snapshots"]

_KEPT: Final = 2
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}")
_FOLDER: Final = re.compile(r"\d{8}")
_MANIFEST: Final = "manifest.json"
_READ_BYTES: Final = 1 << 20


class Snapshot(msgspec.Struct, frozen=True):
    """Profile state as of event `seq`; `arrays` are mapped copy-on-write, so changing them changes no file."""

    seq: int
    arrays: dict[str, Any]
    meta: dict[str, Any]


class SnapshotWarning(msgspec.Struct, frozen=True):
    """A snapshot that could not be used, and why."""

    folder: str
    reason: str


class _Manifest(msgspec.Struct, frozen=True):
    seq: int
    meta: dict[str, Any]
    sums: dict[str, str]


class _Summed:
    """A file that is summed while it is written."""

    def __init__(self, descriptor: int, key: bytes) -> None:
        self._descriptor = descriptor
        self.sum = hashlib.blake2b(key=key, digest_size=32)

    def write(self, data: bytes | memoryview) -> int:
        self.sum.update(data)
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            left = left[os.write(self._descriptor, left) :]
        return size


class Snapshots:
    """The snapshots of one home."""

    def __init__(self, folder: Path, key: bytes, *, writer: bool) -> None:
        self._folder, self._key, self._writer = folder, key, writer
        self.warnings: list[SnapshotWarning] = []
        if writer:
            private_folder(folder)
            for left in folder.glob("*.new"):
                shutil.rmtree(left, ignore_errors=True)

    def _numbers(self) -> list[int]:
        return sorted(int(p.name) for p in self._folder.glob("*") if _FOLDER.fullmatch(p.name))

    def write(self, seq: int, arrays: dict[str, NDArray[Any]], meta: dict[str, Any], *, alone: bool = False) -> None:
        """Write the state as of event `seq`; on any failure the snapshots already there stay as they are.

        `alone` removes all earlier ones, which hold what was to be forgotten.
        """
        if not self._writer:
            raise StoreError("this home was opened for reading", hint="open it with `writer=True`")
        number = max(self._numbers(), default=0) + 1
        beside = self._folder / f"{number:08d}.new"
        shutil.rmtree(beside, ignore_errors=True)
        private_folder(beside)
        try:
            sums = {name: self._write_array(beside, name, array) for name, array in arrays.items()}
            body = msgspec.json.encode(_Manifest(seq, meta, sums))
            replace_file(beside / _MANIFEST, hmac.digest(self._key, body, "sha256").hex().encode() + b"\n" + body)
            with disk("put a snapshot in place"):
                beside.rename(self._folder / f"{number:08d}")
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        sync_folder(self._folder)
        for old in self._numbers()[: -1 if alone else -_KEPT]:
            shutil.rmtree(self._folder / f"{old:08d}", ignore_errors=True)

    def _write_array(self, folder: Path, name: str, array: NDArray[Any]) -> str:
        if not _NAME.fullmatch(name) or array.dtype.hasobject:
            raise StoreError(f"`{name[:80]}` cannot go into a snapshot", hint="give plain arrays and plain names")
        descriptor = open_private(folder / f"{name}.npy", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with disk("write a snapshot"):
                file = _Summed(descriptor, self._key)
                np.lib.format.write_array(cast("Any", file), np.ascontiguousarray(array), allow_pickle=False)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return file.sum.hexdigest()

    def latest(self) -> Snapshot | None:
        """Read the newest snapshot that is whole; those passed over are told in `warnings`."""
        for number in reversed(self._numbers()):
            folder = self._folder / f"{number:08d}"
            try:
                return self._read(folder)
            except (OSError, ValueError, msgspec.DecodeError) as error:
                self.warnings.append(SnapshotWarning(folder.name, str(error)))
        return None

    def _read(self, folder: Path) -> Snapshot:
        told, _, body = (folder / _MANIFEST).read_bytes().partition(b"\n")
        if not hmac.compare_digest(told, hmac.digest(self._key, body, "sha256").hex().encode()):
            raise ValueError("its manifest does not match its checksum")
        manifest = msgspec.json.decode(body, type=_Manifest)
        arrays = {}
        for name, expected in manifest.sums.items():
            path = folder / f"{name}.npy"
            if self._sum(path) != expected:
                raise ValueError(f"array `{name}` does not match its checksum")
            arrays[name] = self._map(path)
        return Snapshot(manifest.seq, arrays, manifest.meta)

    def _sum(self, path: Path) -> str:
        total = hashlib.blake2b(key=self._key, digest_size=32)
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                total.update(block)
        return total.hexdigest()

    @staticmethod
    def _map(path: Path) -> NDArray[Any]:
        try:
            return cast("NDArray[Any]", np.load(path, mmap_mode="c", allow_pickle=False))
        except ValueError:  # an empty array cannot be mapped
            return cast("NDArray[Any]", np.load(path, allow_pickle=False))
