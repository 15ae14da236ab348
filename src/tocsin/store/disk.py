"""Files and folders that only their owner may open, and disk errors said in Tocsin's words.

What the operating system reports as a full disk (`ENOSPC`, `EDQUOT`, `EFBIG`) becomes `DiskFull`
everywhere in this room; anything else that a disk can say becomes `StoreError`.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tocsin.errors import DiskFull, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["disk", "full_disk", "open_private", "private_folder", "replace_file", "sync_folder", "write_all"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_HINT: Final = "free some space, then run the same command again: it goes on from the last acknowledged event"


def full_disk(doing: str) -> DiskFull:
    """Make the error for a disk that takes no more, said of what was being done."""
    return DiskFull(f"the disk is full: could not {doing}", hint=_FULL_HINT)


@contextmanager
def disk(doing: str) -> Iterator[None]:
    """Turn an `OSError` raised inside into `DiskFull` or `StoreError`; `doing` reads after `could not`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full_disk(doing) from error
        hint = "check the disk and who owns the home" if error.errno != errno.EACCES else "check who owns the home"
        raise StoreError(f"could not {doing}: {error.strerror or error}", hint=hint) from error


def private_folder(path: Path) -> Path:
    """Make a folder, and what stands above it, with mode 0700; an existing one is left as it is."""
    with disk(f"create `{path}`"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def open_private(path: Path, flags: int) -> int:
    """Open a file descriptor; a file that has to be made gets mode 0600."""
    with disk(f"open `{path.name}`"):
        return os.open(path, flags | os.O_CLOEXEC, 0o600)


def write_all(descriptor: int, parts: Sequence[bytes | memoryview], offset: int) -> int:
    """Write every byte of `parts` at `offset`; returns the offset after them. Raises `OSError`."""
    for part in parts:
        left = memoryview(part).cast("B")
        while left:
            done = os.pwrite(descriptor, left, offset)
            offset += done
            left = left[done:]
    return offset


def sync_folder(path: Path) -> None:
    """Make names created, replaced or removed in a folder survive a power cut."""
    with disk(f"flush `{path.name}`"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a whole small file so that a crash leaves either the old content or the new."""
    beside = path.with_name(path.name + ".new")
    descriptor = open_private(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with disk(f"write `{path.name}`"):
            write_all(descriptor, [content], 0)
            os.fsync(descriptor)
            beside.replace(path)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
