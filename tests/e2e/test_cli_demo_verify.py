"""The story over HTTP, as `tocsin demo verify` tells it."""

from __future__ import annotations

import json

import pytest


@pytest.mark.heavy
def test_the_administrator_is_answered_by_day_and_stopped_at_night(tocsin_process, tmp_path):
    ran = tocsin_process("demo", "verify", "--out", "here", "--json")
    assert ran.status == 0, ran.err
    told = json.loads(ran.out)
    by_day, first, second = (asked["decision"] for asked in told["steps"])
    assert by_day["answer"] == "allow"
    assert first["tail_bits"] > 13 > by_day["tail_bits"]
    assert second["answer"] == "deny"
    assert second["restriction"] in {"limit", "suspend"}
    assert {why["source"] for why in second["why"]} >= {"restriction", "policy"}
    assert told["case"]["alert"]["absolute"]
    for decision in (first, second):
        explained = tocsin_process("explain", decision["id"], "--home", "here/home")
        assert explained.status == 0
        assert "surprise of the question itself" in explained.out
    assert not (tmp_path / "here/home/admin.sock").exists()
