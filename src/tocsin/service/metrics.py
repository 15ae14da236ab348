"""What is counted, and how it is shown to Prometheus.

Counting is a dictionary and a bisection on the event loop; the exposition format is made only when it is asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LABELS", "Metrics"]

LABELS: Final = ("route", "status", "caller", "answer")
"""Labels that may be switched on; each multiplies the number of series."""
_BOUNDS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_MOST_CALLERS: Final = 200
_OTHER: Final = "other"


class Metrics:
    """Counts of one server, labelled as the settings say.

    INVARIANT: no label takes its value from what a client sent: routes and answers are named in the code, callers are
    keys that exist, and beyond two hundred of those the rest count as `other`.
    """

    def __init__(self, labels: tuple[str, ...] = ("route", "status", "answer")) -> None:
        self._labels = frozenset(labels)
        self._requests: dict[tuple[str, int, str], int] = {}
        self._decisions: dict[tuple[str, str], int] = {}
        self._durations: dict[str, list[float]] = {}
        self._callers: set[str] = set()
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []
        self._counters: list[tuple[str, str, Callable[[], float]]] = []

    def request(self, route: str, status: int, caller: str, seconds: float) -> None:
        """Count a request that was answered."""
        key = (
            route if "route" in self._labels else "",
            status if "status" in self._labels else 0,
            self._caller(caller) if "caller" in self._labels else "",
        )
        self._requests[key] = self._requests.get(key, 0) + 1
        times = self._durations.get(key[0])
        if times is None:
            times = self._durations[key[0]] = [0.0] * (len(_BOUNDS_S) + 2)
        times[bisect_left(_BOUNDS_S, seconds)] += 1
        times[-1] += seconds

    def decided(self, answer: str, caller: str) -> None:
        """Count a decision given to a caller."""
        key = (
            answer if "answer" in self._labels else "",
            self._caller(caller) if "caller" in self._labels else "",
        )
        self._decisions[key] = self._decisions.get(key, 0) + 1

    def gauge(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Show a number that is read when somebody asks."""
        self._gauges.append((name, what, read))

    def counter(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Show a number that only grows, read when somebody asks."""
        self._counters.append((name, what, read))

    def exposition(self) -> bytes:
        """Write everything in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        return generate_latest(registry)

    def _caller(self, caller: str) -> str:
        if caller not in self._callers:
            if len(self._callers) >= _MOST_CALLERS:
                return _OTHER
            self._callers.add(caller)
        return caller

    def collect(self) -> Iterator[Any]:
        """Yield the families; called by the registry."""
        yield self._counted("tocsin_requests", "Requests answered.", ("route", "status", "caller"), self._requests)
        yield self._counted("tocsin_decisions", "Decisions given.", ("answer", "caller"), self._decisions)
        yield self._timed()
        for name, what, read in self._gauges:
            yield GaugeMetricFamily(name, what, value=read())
        for name, what, read in self._counters:
            yield CounterMetricFamily(name, what, value=read())

    def _counted(self, name: str, what: str, labels: tuple[str, ...], counts: dict[Any, int]) -> CounterMetricFamily:
        kept = [place for place, label in enumerate(labels) if label in self._labels]
        family = CounterMetricFamily(name, what, labels=[labels[place] for place in kept])
        for key, count in counts.items():
            family.add_metric([str(key[place]) for place in kept], count)
        return family

    def _timed(self) -> HistogramMetricFamily:
        labels = ["route"] if "route" in self._labels else []
        family = HistogramMetricFamily("tocsin_request_seconds", "Time from headers to answer.", labels=labels)
        for route, times in self._durations.items():
            buckets, total = [], 0.0
            for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), times[:-1], strict=True):
                total += count
                buckets.append((bound, total))
            family.add_metric([route] if labels else [], buckets, sum_value=times[-1])
        return family
