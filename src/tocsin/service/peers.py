"""Where a request came from: the socket's other end, or what a proxy that the operator trusts says of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from tocsin.errors import ConfigError

__all__ = ["Peers"]

_MOST_HOPS: Final = 32


class Peers:
    """Reads client addresses; `X-Forwarded-For` counts only as far as trusted proxies wrote it."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        try:
            self._trusted: list[IPv4Network | IPv6Network] = [ip_network(text) for text in trusted]
        except ValueError as error:
            raise ConfigError(f"`serve.trusted_proxies`: {error}", hint="write `10.0.0.5` or `10.0.0.0/24`") from error

    def of(self, client: tuple[str, int] | None, forwarded: list[bytes]) -> tuple[str, bool]:
        """Address of the client as text, and whether a trusted proxy is between; empty on a Unix socket."""
        if client is None:
            return "", False
        if not self._trusted:
            return client[0], False
        address = _address(client[0])
        if address is None or not self._is_trusted(address):
            return client[0], False
        return self._behind(client[0], forwarded), True

    def _behind(self, peer: str, forwarded: list[bytes]) -> str:
        """Go back through the hops while trusted proxies vouch for them; the first other address is the client."""
        hops = [hop for value in forwarded for hop in value.decode("latin-1").split(",")][-_MOST_HOPS:]
        for hop in reversed(hops):
            address = _address(hop.strip())
            if address is None:
                return peer
            peer = str(address)
            if not self._is_trusted(address):
                return peer
        return peer

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted if network.version == address.version)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, `1.2.3.4:567` and `[::1]:567` included, as some proxies write them."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
