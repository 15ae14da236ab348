"""What the operator knows of entities that no log says: roles, peer groups, aliases, and what is sensitive."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from tocsin.config.toml import Document, nearest, read_toml
from tocsin.errors import ConfigError
from tocsin.event import Entity

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Entities", "EntityFacts", "Sensitive", "load_entities"]

MAX_FILE_BYTES: Final = 32 << 20

Name = Annotated[str, Meta(min_length=1, max_length=256)]
T = TypeVar("T")


class EntityFacts(Struct, frozen=True, kw_only=True):
    """What is known of one entity; None where the operator did not say."""

    role: Name | None = None
    department: Name | None = None
    sector: Name | None = None
    group: Name | None = None
    """Peer group, when role, department and sector are not to decide it."""
    privileged: bool | None = None
    aliases: tuple[Name, ...] = ()
    """Other names of the same entity, as other logs write them."""


class Sensitive(Struct, frozen=True, kw_only=True):
    """Patterns (`*`, `?`, `[…]`, case matters) of what is sensitive."""

    resources: tuple[Name, ...] = ()
    actions: tuple[Name, ...] = ()

    def covers(self, action: str, resource: str | None) -> bool:
        """Say whether an action or the resource it touches is sensitive."""
        return any(fnmatchcase(action, p) for p in self.actions) or (
            resource is not None and any(fnmatchcase(resource, p) for p in self.resources)
        )


class Entities(Struct, frozen=True, kw_only=True):
    """The operator's file, checked: `canonical` maps every alias to the entity it belongs to."""

    entity: dict[str, EntityFacts] = {}
    sensitive: Sensitive = Sensitive()
    canonical: dict[str, str] = {}


_SHAPES: Final[dict[str, list[str]]] = {
    "entity": [f.name for f in msgspec.structs.fields(EntityFacts)],
    "sensitive": [f.name for f in msgspec.structs.fields(Sensitive)],
}


def load_entities(path: Path) -> Entities:
    """Read the operator's TOML file; raises ConfigError with the line of what is wrong."""
    document = read_toml(path, max_bytes=MAX_FILE_BYTES)
    _check_known(document, (), list(_SHAPES))
    facts: dict[str, EntityFacts] = {}
    for name in _table(document, "entity"):
        _check_entity(name, document, "entity", name)
        facts[name] = _read(document, EntityFacts, "entity", name)
    sensitive = _read(document, Sensitive, "sensitive") if "sensitive" in document.data else Sensitive()
    return Entities(entity=facts, sensitive=sensitive, canonical=_aliases(document, facts))


def _table(document: Document, *key: str) -> dict[str, Any]:
    node: Any = document.data
    for part in key:
        node = node.get(part, {})
        if not isinstance(node, dict):
            raise ConfigError(
                f"{document.at(*key)}: `{part}` is a table, not a value", hint=f"write `[{part}]` and its keys below"
            )
    return dict(node)


def _check_known(document: Document, key: tuple[str, ...], known: list[str]) -> None:
    for name in _table(document, *key):
        if name not in known:
            raise ConfigError(f"{document.at(*key, name)}: unknown key `{name[:80]}`", hint=nearest(name, known))


def _read(document: Document, kind: type[T], *key: str) -> T:
    _check_known(document, key, _SHAPES[key[0]])
    try:
        return msgspec.convert(_table(document, *key), kind)
    except msgspec.ValidationError as error:
        field = str(error).partition("`$.")[2].partition("`")[0].partition("[")[0]
        raise ConfigError(f"{document.at(*key, field)}: {error}", hint=f"about `{key[-1]}`") from error


def _check_entity(name: str, document: Document, *key: str) -> None:
    try:
        Entity.parse(name)
    except ValueError as error:
        raise ConfigError(f"{document.at(*key)}: {error}", hint='write it as `[entity."user:ada"]`') from error


def _aliases(document: Document, facts: dict[str, EntityFacts]) -> dict[str, str]:
    canonical: dict[str, str] = {}
    for name, fact in facts.items():
        for alias in fact.aliases:
            _check_entity(alias, document, "entity", name, "aliases")
            taken = "has a table of its own" if alias in facts else ""
            if canonical.setdefault(alias, name) != name:
                taken = f"already belongs to `{canonical[alias]}`"
            if taken:
                place = document.at("entity", name, "aliases")
                raise ConfigError(f"{place}: alias `{alias}` {taken}", hint="keep one of the two")
    return canonical
