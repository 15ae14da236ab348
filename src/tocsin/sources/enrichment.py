"""Columns made richer: address to network and country, agent string to family and device class.

Work is done once per distinct value of a batch; what a log already says is never overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.sources.address import AddressBook
from tocsin.sources.agent import Agent, recognise_agent
from tocsin.sources.dotted import plain_numbers

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.event import Event

__all__ = ["Enrichment"]

_FAMILY: Final = "origin.agent_family"
_SHAPE: Final = "origin.device_class"
_NO_AGENT: Final = Agent(None, None)
_TEXT: Final = pa.string()


class Enrichment:
    """What is added to every event. Without databases, prefixes stand in for networks."""

    def __init__(self, *, asn_mmdb: Path | None = None, country_mmdb: Path | None = None) -> None:
        self._book = AddressBook(asn_mmdb, country_mmdb)

    def enrich(self, columns: dict[str, pa.Array]) -> None:
        """Add to the columns of one batch, in place."""
        if (address := columns.get("origin.address")) is not None:
            self._place(columns, address)
        if (agent := columns.get("origin.agent")) is not None:
            _recognise(columns, agent)

    def _place(self, columns: dict[str, pa.Array], address: pa.Array) -> None:
        encoded = address.dictionary_encode()
        texts = _canonical(encoded.dictionary, self._book)
        if texts is not encoded.dictionary:
            columns["origin.address"] = texts.take(encoded.indices)
        for name, look_up in (("origin.network", self._book.networks), ("origin.country", self._book.countries)):
            wanted = _wanted(columns.get(name), encoded)
            if wanted.any() and (name == "origin.network" or self._book.knows_countries):
                _fill(columns, name, look_up(texts, wanted), encoded.indices)

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


def _recognise(columns: dict[str, pa.Array], agent: pa.Array) -> None:
    encoded = agent.dictionary_encode()
    families, shapes = _wanted(columns.get(_FAMILY), encoded), _wanted(columns.get(_SHAPE), encoded)
    texts = zip(encoded.dictionary.to_pylist(), (families | shapes).tolist(), strict=True)
    agents = [recognise_agent(text) if want else _NO_AGENT for text, want in texts]
    _fill(columns, _FAMILY, pa.array([a.family for a in agents], _TEXT), encoded.indices)
    _fill(columns, _SHAPE, pa.array([a.device_class for a in agents], _TEXT), encoded.indices)


def _canonical(texts: pa.StringArray, book: AddressBook) -> pa.StringArray:
    """Return the addresses as `ipaddress` prints them; the same array when they already are."""
    odd = np.flatnonzero(plain_numbers(texts) < 0)
    written = texts.take(pa.array(odd)).to_pylist()
    meant = [book.place(text).address for text in written]
    if meant == written:
        return texts
    whole = texts.to_pylist()
    for row, text in zip(odd.tolist(), meant, strict=True):
        whole[row] = text
    return pa.array(whole, _TEXT)


def _wanted(said: pa.Array | None, encoded: pa.DictionaryArray) -> np.ndarray:
    """Tell which distinct values stand in a row of which the log does not say the rest."""
    wanted = np.zeros(len(encoded.dictionary), bool)
    codes = encoded.indices if said is None else encoded.indices.filter(said.is_null())
    wanted[codes.drop_null().to_numpy()] = True
    return wanted


def _fill(columns: dict[str, pa.Array], name: str, values: pa.StringArray, index: pa.Array) -> None:
    """Put values where the log said nothing."""
    if values.null_count == len(values):
        return
    said, found = columns.get(name), values.take(index)
    columns[name] = found if said is None else pc.coalesce(said, found)
