"""Policies kept in a home: every set that was ever installed, and a link to the one in force.

The link is replaced in one step, so a server that follows it meets the old set or the new one, never half of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tocsin.store.disk import disk, private_folder, replace_file, sync_folder
from tocsin.trust.policy.files import read_folder
from tocsin.trust.policy.policyset import PolicySet

if TYPE_CHECKING:
    from tocsin.trust.policy.files import Folder

__all__ = ["KEPT", "folder_in_force", "install"]

KEPT: Final = "policies"
"""Link in a home to the set in force."""
_SETS: Final = "policy-sets"


def folder_in_force(chosen: str, home: Path) -> Path | None:
    """Name the folder that counts: the one set, else the one kept in the home; None for the default policies."""
    if chosen:
        return Path(chosen)
    kept = home / KEPT
    return kept if kept.is_dir() else None


def install(folder: Path, home: Path) -> str:
    """Keep a folder's policies in a home and put them in force; returns their version.

    Raises PolicyError for a folder that does not load, before anything is changed.
    """
    PolicySet.load(folder, cache_entries=0)
    found = read_folder(folder)
    place = private_folder(home / _SETS / found.version)
    for label, text in _texts(found):
        replace_file(place / Path(label).name, text.encode())
    link = home / f"{KEPT}.new"
    with disk("put the policies in force"):
        link.unlink(missing_ok=True)
        link.symlink_to(Path(_SETS) / found.version, target_is_directory=True)
        link.replace(home / KEPT)
    sync_folder(home)
    return found.version


def _texts(found: Folder) -> list[tuple[str, str]]:
    return [*found.policies, *(part for part in (found.entities, found.schema) if part is not None)]
