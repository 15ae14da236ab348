"""What an address says: the network it belongs to and, with a database, its country.

A network is the autonomous system when an MMDB is given, else the /16 (IPv4) or /48 (IPv6) around it.
Addresses that are not global carry a label and that same prefix (`private 10.1.0.0/16`), because inside
a company the subnet is what tells one office from another.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import maxminddb
import msgspec
import numpy as np
import pyarrow as pa

from tocsin.addresses import Address, canonical, octets_of
from tocsin.errors import ConfigError
from tocsin.sources.dotted import plain_numbers

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AddressBook", "Place"]

_CACHED: Final = 1 << 17
_LABELS: Final = tuple(
    (ipaddress.ip_network(prefix), label)
    for prefix, label in (
        ("127.0.0.0/8", "loopback"),
        ("::1/128", "loopback"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("fc00::/7", "private"),
        ("169.254.0.0/16", "link-local"),
        ("fe80::/10", "link-local"),
        ("100.64.0.0/10", "carrier-nat"),
        ("192.0.2.0/24", "documentation"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("2001:db8::/32", "documentation"),
        ("198.18.0.0/15", "benchmark"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
        ("0.0.0.0/8", "unspecified"),
        ("::/128", "unspecified"),
        ("240.0.0.0/4", "reserved"),
    )
)
"""IANA special-purpose registries, RFC 6890 and its successors."""


def _ranges(version: int) -> tuple[list[int], list[tuple[int, int, str]]]:
    ranges = sorted((int(n[0]), int(n[-1]), label) for n, label in _LABELS if n.version == version)
    return [start for start, _, _ in ranges], ranges


_RANGES: Final = {version: _ranges(version) for version in (4, 6)}
_V4_STARTS: Final = np.array(_RANGES[4][0], np.int64)
_V4_ENDS: Final = np.array([end for _, end, _ in _RANGES[4][1]], np.int64)


class Place(msgspec.Struct, frozen=True):
    """What is known of one address."""

    address: str
    network: str | None = None
    country: str | None = None


def prefix_of(address: Address) -> str:
    """Return the /16 or /48 around an address."""
    bits = 16 if address.version == 4 else 48  # noqa: PLR2004 - the version of the protocol
    rest = address.max_prefixlen - bits
    return f"{type(address)(int(address) >> rest << rest)}/{bits}"


def label_of(address: Address) -> str | None:
    """Name the special range an address lies in; None for a global one."""
    starts, ranges = _RANGES[address.version]
    at = bisect_right(starts, int(address)) - 1
    return ranges[at][2] if at >= 0 and int(address) <= ranges[at][1] else None


@lru_cache(_CACHED)
def _network_of(prefix: int, label: int) -> str:
    """Name the /16 of an IPv4 address without a database; `label` is the special range, 0 for none."""
    around = f"{prefix >> 8}.{prefix & 255}.0.0/16"
    return f"{_RANGES[4][1][label - 1][2]} {around}" if label else around


class AddressBook:
    """Looks addresses up, in databases when given; remembers a bounded number of answers."""

    def __init__(self, asn_mmdb: Path | None = None, country_mmdb: Path | None = None) -> None:
        self._asn = _open(asn_mmdb)
        self._country = _open(country_mmdb)
        self.place = lru_cache(_CACHED)(self._look_up)

    def _look_up(self, text: str) -> Place:
        """Return what is known of an address; text that is none comes back as it is."""
        if (octets := octets_of(text)) is not None:
            return self._of_v4(text, octets)
        address = canonical(text)
        if address is None:
            return Place(text.strip().lower())
        label = label_of(address)
        if label is not None:
            return Place(str(address), f"{label} {prefix_of(address)}")
        system, country = _system(self._asn, address), _country(self._country or self._asn, address)
        return Place(str(address), system or prefix_of(address), country)

    def _of_v4(self, text: str, octets: tuple[int, int, int, int]) -> Place:
        """Do for plain IPv4, which is most of every log, what `_look_up` does for all, ten times faster."""
        number = octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3]
        (label,) = _labels(np.array([number])).tolist()
        network = _network_of(number >> 16, label)
        if label or (self._asn is None and self._country is None):
            return Place(text, network)
        address = ipaddress.IPv4Address(number)
        return Place(text, _system(self._asn, address) or network, _country(self._country or self._asn, address))

    @property
    def knows_countries(self) -> bool:
        """Whether any database was given."""
        return self._country is not None or self._asn is not None

    def networks(self, texts: pa.StringArray, wanted: np.ndarray) -> pa.StringArray:
        """Return the networks of many canonical addresses at once; null where none is wanted or known."""
        index = np.full(len(texts), -1, np.int64)
        names: list[str | None] = []
        if self._asn is None:
            numbers = plain_numbers(texts)
            rows = np.flatnonzero(wanted & (numbers >= 0))
            found, index[rows] = np.unique((numbers[rows] >> 16) << 8 | _labels(numbers[rows]), return_inverse=True)
            names = [_network_of(key >> 8, key & 255) for key in found.tolist()]
        rest = np.flatnonzero(wanted & (index < 0))
        index[rest] = np.arange(len(names), len(names) + len(rest))
        names += [self.place(text).network for text in texts.take(pa.array(rest)).to_pylist()]
        return pa.array(names, pa.string()).take(pa.array(index, mask=index < 0))

    def countries(self, texts: pa.StringArray, wanted: np.ndarray) -> pa.StringArray:
        """Return the countries of many canonical addresses at once; null where none is wanted or known."""
        pairs = zip(texts.to_pylist(), wanted.tolist(), strict=True)
        return pa.array([self.place(text).country if want else None for text, want in pairs], pa.string())


def _labels(numbers: np.ndarray) -> np.ndarray:
    """Return the special range of each IPv4 number, counted from 1; 0 for a global one."""
    at = np.searchsorted(_V4_STARTS, numbers, "right")
    return np.where((at > 0) & (numbers <= _V4_ENDS[at - 1]), at, 0)


def _open(path: Path | None) -> maxminddb.Reader | None:
    if path is None:
        return None
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigError(
            f"`{path}` is not a readable MMDB file: {error}", hint="check `enrich` in the settings"
        ) from None


def _record(reader: maxminddb.Reader | None, address: Address) -> dict[str, Any]:
    try:
        record = reader.get(address) if reader is not None else None
    except ValueError:  # an IPv6 address asked of an IPv4 database
        record = None
    return record if isinstance(record, dict) else {}


def _system(reader: maxminddb.Reader | None, address: Address) -> str | None:
    record = _record(reader, address)
    number = record.get("autonomous_system_number") or record.get("asn")
    if not number:
        return None
    return f"AS{str(number).upper().removeprefix('AS')}"


def _country(reader: maxminddb.Reader | None, address: Address) -> str | None:
    record = _record(reader, address)
    country = record.get("country", record.get("country_code"))
    code = country.get("iso_code") if isinstance(country, dict) else country
    return str(code).upper() if code else None
