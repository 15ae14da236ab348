"""What the operator's file adds to a batch before it is journaled: one name a person, privilege, sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.config import Entities
    from tocsin.event import Event

__all__ = ["apply_facts", "apply_facts_to_one", "peer_groups"]

_ENTITY_COLUMNS: Final = ("subject", "counterparty")


def _mapped(column: pa.Array, change: Callable[[str | None], object], kind: pa.DataType) -> pa.Array:
    """Apply `change` once to every distinct value."""
    encoded = column.dictionary_encode()
    fresh = pa.array([change(value) for value in encoded.dictionary.to_pylist()], kind)
    return fresh.take(encoded.indices)


def _replace(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)


def _or(batch: pa.RecordBatch, name: str, said: pa.Array) -> pa.RecordBatch:
    """Put what the operator says before what the log says."""
    return _replace(batch, name, pc.coalesce(said, batch.column(name)))


def apply_facts(batch: pa.RecordBatch, entities: Entities) -> pa.RecordBatch:
    """Replace aliases by the entity they belong to, and mark what is privileged or sensitive."""
    if entities.canonical:
        for name in _ENTITY_COLUMNS:
            canonical = _mapped(batch.column(name), lambda v: entities.canonical.get(v, v) if v else v, pa.string())
            batch = _replace(batch, name, canonical)
    if any(facts.privileged is not None for facts in entities.entity.values()):
        known = {name: facts.privileged for name, facts in entities.entity.items()}
        batch = _or(batch, "privileged", _mapped(batch.column("subject"), lambda v: known.get(v or ""), pa.bool_()))
    sensitive = entities.sensitive
    if sensitive.actions:
        said = _mapped(batch.column("action"), lambda v: sensitive.covers(v or "", None) or None, pa.bool_())
        batch = _or(batch, "sensitive", said)
    if sensitive.resources:
        said = _mapped(batch.column("resource"), lambda v: sensitive.covers("", v) or None, pa.bool_())
        batch = _or(batch, "sensitive", said)
    return batch


def apply_facts_to_one(event: Event, entities: Entities) -> Event:
    """Do to one event what `apply_facts` does to a batch."""
    sensitive = entities.sensitive
    if not (entities.canonical or entities.entity or sensitive.actions or sensitive.resources):
        return event
    changes: dict[str, object] = {}
    for name in _ENTITY_COLUMNS:
        said = getattr(event, name)
        if said is not None and said in entities.canonical:
            changes[name] = entities.canonical[said]
    facts = entities.entity.get(str(changes.get("subject", event.subject)))
    if facts is not None and facts.privileged is not None:
        changes["privileged"] = facts.privileged
    if sensitive.covers(event.action, None) or (event.resource and sensitive.covers("", event.resource)):
        changes["sensitive"] = True
    return msgspec.structs.replace(event, **changes) if changes else event


def peer_groups(entities: Entities) -> dict[str, str]:
    """Name the group each entity belongs to: as given, else what role, department and sector make."""
    groups = {}
    for name, facts in entities.entity.items():
        parts = [part for part in (facts.role, facts.department, facts.sector) if part]
        group = facts.group or "/".join(parts)
        if group:
            groups[name] = group
    return groups
