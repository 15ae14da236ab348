"""The address plan of the made-up town: networks, countries, and what an address code reads as.

Nobody real is named. Offices stand in 10.0.0.0/8, homes, hosting and VPN exits in 198.18.0.0/15
(benchmarking, RFC 2544), phones behind carriers in 100.64.0.0/10 (shared space, RFC 6598), guest
networks and some homes in 2001:db8::/32 (documentation, RFC 3849). Autonomous systems are those
for documentation (64496 to 64511, 65536 to 65551) and for private use (64512 to 65534).

An address is one integer, `network << HOST_BITS | host`, until it is written.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ABROAD",
    "HOST_BITS",
    "NETWORKS",
    "SERVER_NETWORK",
    "TOWN_COUNTRIES",
    "UTC_OFFSETS_H",
    "NetworkKind",
    "PlannedNetwork",
    "address_code",
    "address_text",
    "networks",
]

NetworkKind = Literal["office", "home", "carrier", "hosting", "vpn", "guest", "servers"]
HOST_BITS: Final = 24
TOWN_COUNTRIES: Final = ("GB", "DE", "US", "IN", "BR")
UTC_OFFSETS_H: Final = (0.0, 1.0, -5.0, 5.5, -3.0)
"""One fixed offset for each of `TOWN_COUNTRIES`; the town knows no summer time."""
ABROAD: Final = ("FR", "ES", "NL", "SE", "PL", "CA", "MX", "JP", "SG", "AU", "ZA", "AE")

_HOMES_PER_COUNTRY: Final = 5
_HOMES_PER_COUNTRY_ABROAD: Final = 2
_BENCHMARK_BASE: Final = int(IPv4Address("198.18.0.0"))
_BENCHMARK_BITS: Final = 11
_CARRIER_BASE: Final = int(IPv4Address("100.64.0.0"))
_CARRIER_BITS: Final = 18
_OFFICE_BASE: Final = int(IPv4Address("10.0.0.0"))
_DOCUMENTATION_V6: Final = int(IPv6Address("2001:db8::"))


class PlannedNetwork(msgspec.Struct, frozen=True):
    """One network of the plan: what an enriched log would say of every address in it."""

    asn: str
    kind: NetworkKind
    country: str
    base: int
    """First address, as an integer of its family."""
    host_bits: int
    """Hosts are numbered below `2 ** host_bits`."""
    v6: bool


def _v6(asn: int, kind: NetworkKind, country: str, site: int) -> PlannedNetwork:
    return PlannedNetwork(f"AS{asn}", kind, country, _DOCUMENTATION_V6 | site << 80, HOST_BITS, v6=True)


def _benchmark(asn: int, kind: NetworkKind, country: str, block: int) -> PlannedNetwork:
    base = _BENCHMARK_BASE + (block << _BENCHMARK_BITS)
    return PlannedNetwork(f"AS{asn}", kind, country, base, _BENCHMARK_BITS, v6=False)


def _offices() -> list[PlannedNetwork]:
    """Two sites a country, and one more each for the day of the migration."""
    return [
        PlannedNetwork(f"AS{64512 + n}", "office", TOWN_COUNTRIES[n % 5], _OFFICE_BASE + ((n + 1) << 16), 16, v6=False)
        for n in range(15)
    ]


def _homes() -> list[PlannedNetwork]:
    """Consumer providers: in the town's countries two of five speak IPv6."""
    found: list[PlannedNetwork] = []
    v6_from = _HOMES_PER_COUNTRY - 2
    for c, country in enumerate(TOWN_COUNTRIES):
        for n in range(_HOMES_PER_COUNTRY):
            asn = 64600 + len(found)
            place = c * _HOMES_PER_COUNTRY + n
            found.append(
                _v6(asn, "home", country, 0x100 + place) if n >= v6_from else _benchmark(asn, "home", country, place)
            )
    for c, country in enumerate(ABROAD):
        for n in range(_HOMES_PER_COUNTRY_ABROAD):
            found.append(_benchmark(64600 + len(found), "home", country, 25 + c * _HOMES_PER_COUNTRY_ABROAD + n))
    return found


def _carriers() -> list[PlannedNetwork]:
    places = [country for country in TOWN_COUNTRIES for _ in range(2)] + list(ABROAD[:6])
    return [
        PlannedNetwork(f"AS{65536 + n}", "carrier", c, _CARRIER_BASE + (n << _CARRIER_BITS), _CARRIER_BITS, v6=False)
        for n, c in enumerate(places)
    ]


def _hosting() -> list[PlannedNetwork]:
    places = ("US", "DE", "NL", "SG", "GB", "IN", "US", "BR")
    hosting = [_benchmark(64496 + n, "hosting", c, 49 + n) for n, c in enumerate(places)]
    return hosting + [_benchmark(64504 + n, "vpn", c, 57 + n) for n, c in enumerate(("GB", "DE", "US", "SG"))]


def _guests() -> list[PlannedNetwork]:
    places = [country for country in (*TOWN_COUNTRIES, *ABROAD) for _ in range(2)]
    return [_v6(64800 + n, "guest", country, 0x800 + n) for n, country in enumerate(places)]


NETWORKS: Final[tuple[PlannedNetwork, ...]] = (
    *_offices(),
    *_homes(),
    *_carriers(),
    *_hosting(),
    *_guests(),
    PlannedNetwork("AS64530", "servers", "GB", _OFFICE_BASE + (200 << 16), 16, v6=False),
)
"""Every network there is; its place here is its number in an address code."""
SERVER_NETWORK: Final = len(NETWORKS) - 1


def networks(kind: NetworkKind, country: str | None = None) -> NDArray[np.int64]:
    """Numbers of all networks of a kind, in one country when it is named."""
    return np.array([n for n, w in enumerate(NETWORKS) if w.kind == kind and country in (None, w.country)], np.int64)


def address_code(network: NDArray[np.int64] | int, host: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Join network and host numbers; hosts wrap inside their network."""
    net = np.asarray(network, np.int64)
    return (net << HOST_BITS) | (np.asarray(host, np.int64) & ((1 << _HOST_BITS_OF[net]) - 1))


_HOST_BITS_OF: Final[NDArray[np.int64]] = np.array([n.host_bits for n in NETWORKS], np.int64)


def address_text(code: int) -> str:
    """Write an address code as `ipaddress` would print it.

    In IPv6 the upper sixteen bits of the host number choose the /64, the lower eight the interface.
    """
    network, host = NETWORKS[code >> HOST_BITS], code & ((1 << HOST_BITS) - 1)
    if network.v6:
        return str(IPv6Address(network.base | (host >> 8) << 64 | (host & 0xFF) + 1))
    return str(IPv4Address(network.base + host))
