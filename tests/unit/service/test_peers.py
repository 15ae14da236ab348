"""Where a request came from: the socket, unless a trusted proxy says more."""

from __future__ import annotations

import pytest

from tocsin.errors import ConfigError
from tocsin.service.peers import Peers

PROXY = ("10.0.0.5", 4711)


@pytest.mark.parametrize(
    ("client", "forwarded", "peer", "via"),
    [
        (("203.0.113.9", 1), [b"192.0.2.1"], "203.0.113.9", False),
        (PROXY, [], "10.0.0.5", True),
        (PROXY, [b"192.0.2.1"], "192.0.2.1", True),
        (PROXY, [b"198.51.100.7, 192.0.2.1"], "192.0.2.1", True),
        (PROXY, [b"192.0.2.1, 10.0.0.9"], "192.0.2.1", True),
        (PROXY, [b"192.0.2.1", b"10.0.0.9"], "192.0.2.1", True),
        (PROXY, [b"10.0.0.8, 10.0.0.9"], "10.0.0.8", True),
        (PROXY, [b"192.0.2.1:4711"], "192.0.2.1", True),
        (PROXY, [b"[2001:db8::1]:4711"], "2001:db8::1", True),
        (PROXY, [b"2001:db8::1"], "2001:db8::1", True),
        (PROXY, [b"::ffff:192.0.2.1"], "192.0.2.1", True),
        (PROXY, [b"unknown"], "10.0.0.5", True),
        (PROXY, [b"192.0.2.1, <script>"], "10.0.0.5", True),
        (PROXY, [b"192.0.2.1, unknown, 10.0.0.9"], "10.0.0.9", True),
        (PROXY, [b""], "10.0.0.5", True),
        (PROXY, [b"192.0.2.1," + b"10.0.0.9," * 5_000 + b"10.0.0.9"], "10.0.0.9", True),
        (None, [b"192.0.2.1"], "", False),
    ],
)
def test_the_client_is_the_first_that_no_trusted_proxy_vouches_for(client, forwarded, peer, via):
    assert Peers(("10.0.0.0/24",)).of(client, forwarded) == (peer, via)


def test_nobody_is_trusted_unless_named():
    assert Peers(()).of(("127.0.0.1", 1), [b"192.0.2.1"]) == ("127.0.0.1", False)


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.5/24", "10.0.0.0/33", ""])
def test_what_is_no_network_is_a_clear_error(text):
    with pytest.raises(ConfigError, match="trusted_proxies"):
        Peers((text,))
