from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest

from tocsin.drill.plan import HOST_BITS, NETWORKS, address_code, address_text

ALLOWED = [ip_network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "198.18.0.0/15", "2001:db8::/32")]


@pytest.mark.parametrize("place", range(len(NETWORKS)))
@pytest.mark.parametrize("host", [0, 1, 77_777, (1 << HOST_BITS) - 1])
def test_every_address_is_made_up_and_canonical(place, host):
    text = address_text(int(address_code(place, host)))
    address = ip_address(text)
    assert str(address) == text
    assert any(address.version == block.version and address in block for block in ALLOWED)


def test_networks_do_not_overlap_and_have_their_own_numbers():
    spans = sorted((n.v6, n.base, n.base + (0 if n.v6 else 2**n.host_bits - 1)) for n in NETWORKS)
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(spans))
    assert len({n.asn for n in NETWORKS}) == len(NETWORKS)


def test_systems_are_for_documentation_or_private_use():
    numbers = [int(n.asn[2:]) for n in NETWORKS]
    assert all(64496 <= n <= 64511 or 64512 <= n <= 65534 or 65536 <= n <= 65551 for n in numbers)
