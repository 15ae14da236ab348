"""A folder of policies as text: what files it holds, read within limits, and whether it changed since."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tocsin.errors import PolicyError

__all__ = ["DEFAULT_FOLDER", "Folder", "Stamp", "read_folder", "stamp_of"]

DEFAULT_FOLDER: Final = Path(__file__).parent / "defaults"
"""The policies in force where no folder is set; shipped with the package."""
ENTITIES: Final = "entities.json"
SCHEMA: Final = "schema.cedarschema"
MAX_FILES: Final = 256
MAX_POLICY_BYTES: Final = 4 << 20
"""Of all `*.cedar` files together."""
MAX_SCHEMA_BYTES: Final = 1 << 20
MAX_ENTITY_BYTES: Final = 64 << 20

Stamp = tuple[tuple[str, int, int, int, int], ...]


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a folder."""

    path: Path
    policies: tuple[tuple[str, str], ...]
    """Label and text of each `*.cedar`, by name."""
    entities: tuple[str, str] | None = None
    schema: tuple[str, str] | None = None

    @property
    def version(self) -> str:
        """A short hash of everything read; the same texts have the same one anywhere."""
        digest = hashlib.sha256()
        for label, text in (*self.policies, *filter(None, (self.entities, self.schema))):
            for part in (Path(label).name, text):
                raw = part.encode()
                digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()[:12]


class _File(NamedTuple):
    path: Path
    stat: os.stat_result


def stamp_of(folder: Path) -> Stamp:
    """Take names, sizes, times and inodes, which differ as soon as a file was changed; raises PolicyError."""
    return tuple(
        (file.path.name, file.stat.st_mtime_ns, file.stat.st_ctime_ns, file.stat.st_size, file.stat.st_ino)
        for file in _listed(folder)
    )


def read_folder(folder: Path) -> Folder:
    """Read everything that counts in a folder; raises PolicyError."""
    found = {file.path.name: file.path for file in _listed(folder)}
    policies, left = [], MAX_POLICY_BYTES
    for name, path in found.items():
        if name.endswith(".cedar"):
            text = _text(path, left, MAX_POLICY_BYTES)
            left -= len(text.encode())
            policies.append((_label(path), text))
    if not policies:
        raise PolicyError(f"`{folder}` holds no `*.cedar` file", hint="without a policy nothing would be let through")
    return Folder(
        path=folder,
        policies=tuple(policies),
        entities=_optional(found.get(ENTITIES), MAX_ENTITY_BYTES),
        schema=_optional(found.get(SCHEMA), MAX_SCHEMA_BYTES),
    )


def _listed(folder: Path) -> list[_File]:
    """List the files that count, by name; hidden ones, which editors leave behind, do not."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _counts(entry.name))
        if len(names) > MAX_FILES:
            raise PolicyError(f"`{folder}` holds more than {MAX_FILES} files", hint="put several policies in one file")
        return [_file(folder / name) for name in names]
    except OSError as error:
        raise PolicyError(
            f"cannot read `{error.filename or folder}`: {error.strerror or error}",
            hint="`policy.folder` names a folder with `*.cedar` files",
        ) from error


def _file(path: Path) -> _File:
    """Take a regular file (or a link to one): reading a pipe would wait for ever."""
    found = _File(path, path.stat())
    if not stat.S_ISREG(found.stat.st_mode):
        raise PolicyError(f"`{path}` is not a regular file", hint="rename it, or take it out of the folder")
    return found


def _counts(name: str) -> bool:
    return not name.startswith(".") and (name.endswith(".cedar") or name in {ENTITIES, SCHEMA})


def _optional(path: Path | None, limit: int) -> tuple[str, str] | None:
    return None if path is None else (_label(path), _text(path, limit, limit))


def _label(path: Path) -> str:
    return str(path)


def _text(path: Path, left: int, limit: int) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(max(left, 0) + 1)
    except OSError as error:
        raise PolicyError(f"cannot read `{path}`: {error.strerror or error}", hint="check its permissions") from error
    if len(raw) > left:
        raise PolicyError(f"`{path}` goes beyond the limit of {limit} bytes", hint="split it, or remove what is unused")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{path}:{line}: not UTF-8", hint="save it as UTF-8") from error
