"""Which files a person meant: paths, folders, globs and standard input become a flat, ordered list.

Names stay as the person gave them (folder plus the part below it); nothing is resolved to an absolute
path, because `source_file` is kept for ever and must mean the same on another machine. The order is the
order given, folders walked by name, so that a second run reads the same files in the same order.
"""

from __future__ import annotations

import glob
import os
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["STANDARD_INPUT", "Found", "find"]

STANDARD_INPUT: Final = "-"
MAX_DEPTH: Final = 32
MAX_FILES: Final = 200_000
MAX_MEMBERS: Final = 10_000
_ZIP_MAGIC: Final = b"PK\x03\x04"


class Found(msgspec.Struct, frozen=True):
    """One input: how it is called, where it lies, which zip member it is, or why it cannot be read."""

    source_file: str
    path: str
    member: str | None = None
    trouble: str | None = None
    streamed: bool = False
    """A pipe: readable once, so it is copied to the spill folder before anything looks at it."""


def find(paths: Iterable[str | os.PathLike[str]]) -> list[Found]:
    """List every input below the paths given, each once, in a stable order.

    Raises `SourceError` for a path that does not exist; what lies inside a folder and cannot be read
    comes back with its `trouble` named instead.
    """
    found: dict[str, Found] = {}
    for path in paths:
        for one in _expand(os.fspath(path)):
            if len(found) >= MAX_FILES:
                raise SourceError(f"more than {MAX_FILES:,} files", hint="give a narrower folder or a glob")
            found.setdefault(one.source_file, one)
    return list(found.values())


def _expand(path: str) -> Iterator[Found]:
    if path == STANDARD_INPUT:
        yield Found(STANDARD_INPUT, STANDARD_INPUT, streamed=True)
    elif os.path.lexists(path):
        yield from _below(path, set(), 0)
    elif glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - keeps `./x` as typed
        if not matches:
            raise SourceError(f"no file matches `{path}`", hint="quote the pattern or check the folder")
        for match in matches:
            yield from _below(match, set(), 0)
    else:
        raise SourceError(f"no such file or folder: `{path}`", hint="check the spelling; `-` reads standard input")


def _below(path: str, seen: set[tuple[int, int]], depth: int) -> Iterator[Found]:
    """Walk one path; `seen` holds the folders above it, so that a symbolic link cannot loop."""
    try:
        status = Path(path).stat()
    except OSError as error:
        yield Found(path, path, trouble=_words(error))
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(path, status, seen, depth)
    elif stat.S_ISREG(status.st_mode):
        yield from _file(path)
    elif depth == 0 and (stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode)):
        yield Found(path, path, streamed=True)
    else:
        yield Found(path, path, trouble="not a regular file")


def _folder(path: str, status: os.stat_result, seen: set[tuple[int, int]], depth: int) -> Iterator[Found]:
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        yield Found(path, path, trouble="a symbolic link back to a folder above it")
        return
    if depth >= MAX_DEPTH:
        yield Found(path, path, trouble=f"more than {MAX_DEPTH} folders deep")
        return
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208 - names as given, never Path-normalised
    except OSError as error:
        yield Found(path, path, trouble=_words(error))
        return
    for name in names:
        yield from _below(os.path.join(path, name), seen | {identity}, depth + 1)  # noqa: PTH118 - keeps `./x` as typed


def _file(path: str) -> Iterator[Found]:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - path kept as typed
            if stream.read(len(_ZIP_MAGIC)) != _ZIP_MAGIC:
                yield Found(path, path)
                return
            members = _members(zipfile.ZipFile(stream))
    except OSError as error:
        yield Found(path, path, trouble=_words(error))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        yield Found(path, path, trouble=f"not a readable zip archive: {error}")
    else:
        for name, trouble in members:
            yield Found(f"{path}/{name}", path, member=name, trouble=trouble)


def _members(archive: zipfile.ZipFile) -> list[tuple[str, str | None]]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_MEMBERS:
        raise ValueError(f"more than {MAX_MEMBERS:,} members")
    encrypted = 0x1
    return [(i.filename, "encrypted zip member" if i.flag_bits & encrypted else None) for i in infos]


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
