"""Readiness comes from the parts themselves, and a look is cheap."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tocsin.config import Settings
from tocsin.config.settings import ServeSettings
from tocsin.errors import StoreError
from tocsin.service import health


class Keys:
    """Counts the looks at the table; fails when told to."""

    def __init__(self):
        self.looks, self.fails = 0, False

    def refresh(self):
        self.looks += 1
        if self.fails:
            raise StoreError("the table is gone")

    def caller(self, _token, _now):
        return None


@pytest.fixture
def parts():
    """A house's parts, all well; `time` moves the clock."""
    issuer = SimpleNamespace(issuer="https://issuer.example", ready=True)
    time = SimpleNamespace(now=100.0)
    return SimpleNamespace(
        issuer=issuer,
        time=time,
        given={
            "keys": Keys(),
            "policies": SimpleNamespace(current=SimpleNamespace(version="v1")),
            "identity": SimpleNamespace(status=lambda _now: (issuer,)),
            "verifier": SimpleNamespace(failed=""),
            "monotonic": lambda: time.now,
        },
    )


def readyz(house, ask):
    app = ask.over(house, health.routes(house))
    return lambda: app("GET", "/readyz")


def test_all_is_well(make_house, ask, parts):
    answer = readyz(make_house(**parts.given), ask)()
    assert answer.status_code == 200
    checks = dict.fromkeys(("journal", "records", "policies", "issuers"), "ok")
    assert answer.json() == {"status": "ready", "checks": checks}


@pytest.mark.parametrize("check", ["journal", "records", "policies", "issuers"])
def test_each_part_can_fail_and_says_nothing_to_strangers(make_house, ask, parts, check):
    house = make_house(**parts.given)
    if check == "journal":
        house.flusher.failed = "no space left on /disk"
    elif check == "records":
        parts.given["keys"].fails = True
    elif check == "policies":
        parts.given["policies"].current.version = ""
    else:
        parts.issuer.ready = False
    answer = readyz(house, ask)()
    assert answer.status_code == 503
    assert answer.json()["checks"][check] == "failed"
    assert list(answer.json()["checks"].values()).count("failed") == 1
    assert "disk" not in answer.text
    assert "issuer.example" not in answer.text


def test_what_is_mended_is_seen_within_a_second(make_house, ask, parts):
    look = readyz(make_house(**parts.given), ask)
    parts.issuer.ready = False
    assert look().status_code == 503
    parts.issuer.ready = True
    parts.time.now += 1.0
    assert look().status_code == 200


def test_asking_often_costs_nothing(make_house, ask, parts):
    look = readyz(make_house(**parts.given), ask)
    for _ in range(50):
        look()
    assert parts.given["keys"].looks == 1


def test_a_server_that_stops_is_not_ready(make_house, ask, parts):
    house = make_house(**parts.given)
    house.draining = True
    answer = readyz(house, ask)()
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")


def test_a_disk_that_does_not_answer_is_a_failure(make_house, ask, parts):
    house = make_house(**parts.given)
    house.flusher = SimpleNamespace(failed="", writing_s=11.0)
    assert readyz(house, ask)().json()["checks"]["journal"] == "failed"


@pytest.mark.parametrize(("is_open", "status"), [(True, 200), (False, 401)])
def test_metrics_are_closed_unless_opened(make_house, ask, parts, is_open, status):
    settings = Settings(serve=ServeSettings(metrics_open=is_open))
    house = make_house(**parts.given, settings=settings)
    app = ask.over(house, health.routes(house))
    assert app("GET", "/metrics").status_code == status
