"""Columns made richer: address to network and country, agent string to family and device class.

Work is done once per distinct value of a batch; what a log already says is never overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.sources.address import AddressBook
from tocsin.sources.agent import recognise_agent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tocsin.event import Event

__all__ = ["Enrichment"]

_FROM_ADDRESS: Final = ("origin.network", "origin.country")
_FROM_AGENT: Final = ("origin.agent_family", "origin.device_class")
_TEXT: Final = pa.string()


class Enrichment:
    """What is added to every event. Without databases, prefixes stand in for networks."""

    def __init__(self, *, asn_mmdb: Path | None = None, country_mmdb: Path | None = None) -> None:
        self._book = AddressBook(asn_mmdb, country_mmdb)

    def enrich(self, columns: dict[str, pa.Array]) -> None:
        """Add to the columns of one batch, in place."""
        if (address := columns.get("origin.address")) is not None:
            index, values = _distinct(address)
            places = [self._book.place(v) for v in values]
            columns["origin.address"] = _spread([p.address for p in places], index)
            for name, found in zip(
                _FROM_ADDRESS, ([p.network for p in places], [p.country for p in places]), strict=True
            ):
                _fill(columns, name, found, index)
        if (agent := columns.get("origin.agent")) is not None:
            index, values = _distinct(agent)
            agents = [recognise_agent(v) for v in values]
            for name, found in zip(
                _FROM_AGENT, ([a.family for a in agents], [a.device_class for a in agents]), strict=True
            ):
                _fill(columns, name, found, index)

    def enrich_one(self, event: Event) -> Event:
        """Add to one live event what `enrich` adds to a batch."""
        origin = event.origin
        changes: dict[str, str | None] = {}
        if origin.address is not None:
            place = self._book.place(origin.address)
            changes = {
                "address": place.address,
                "network": origin.network or place.network,
                "country": origin.country or place.country,
            }
        if origin.agent is not None:
            agent = recognise_agent(origin.agent)
            changes["agent_family"] = origin.agent_family or agent.family
            changes["device_class"] = origin.device_class or agent.device_class
        return msgspec.structs.replace(event, origin=msgspec.structs.replace(origin, **changes)) if changes else event


def _distinct(column: pa.Array) -> tuple[pa.Array, Sequence[str]]:
    encoded = column.dictionary_encode()
    return encoded.indices, encoded.dictionary.to_pylist()


def _spread(values: list[str | None], index: pa.Array) -> pa.Array:
    return pa.array(values, _TEXT).take(index)


def _fill(columns: dict[str, pa.Array], name: str, values: list[str | None], index: pa.Array) -> None:
    """Put values where the log said nothing."""
    said = columns.get(name)
    if said is not None and not said.null_count:
        return
    found = _spread(values, index)
    if found.null_count == len(found):
        return
    columns[name] = found if said is None else pc.coalesce(said, found)
