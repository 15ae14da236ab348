from __future__ import annotations

import pytest

from tocsin.trust.policy.cache import Cache


def test_never_more_than_asked_for_and_what_is_used_stays():
    cache = Cache(10)
    cache.keep(b"used", 0)
    for number in range(1000):
        cache.keep(str(number).encode(), number)
        assert cache.get(b"used") == 0
        assert len(cache) <= 10
    assert cache.get(b"999") == 999
    assert cache.get(b"3") is None


@pytest.mark.parametrize("entries", [0, 1])
def test_without_room_nothing_is_kept(entries):
    cache = Cache(entries)
    cache.keep(b"a", 1)
    assert cache.get(b"a") is None
    assert len(cache) == 0
