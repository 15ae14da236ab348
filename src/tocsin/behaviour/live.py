"""One event at a time: the same kernels in the same order as for a batch, in one call.

What a batch of one would cost is mostly paid for handing arrays over, in and out. Here the state stays parked between
calls, and the places for what is said of events are made a thousand at a time.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import typeof

from tocsin.behaviour import layout
from tocsin.behaviour.budget import Desk, Terms, new_desk, ring
from tocsin.behaviour.features import FEATURE_COUNT
from tocsin.behaviour.layout import Bench, Calibration, Columns, Entities, Limits, Out, Parents, Rates
from tocsin.behaviour.numeric import kernel
from tocsin.behaviour.parking import parking
from tocsin.behaviour.passing import mark_absolute, mark_late, story_keys
from tocsin.behaviour.rates import measure_rates
from tocsin.behaviour.registry import find_slots
from tocsin.behaviour.score import score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.behaviour.columns import Encoded

__all__ = ["DONE", "NO_CELLS", "NO_RATES", "NO_SLOT", "NO_STORY", "Lane", "Observed", "Rules", "State", "new_observed"]

NO_SLOT, NO_RATES, NO_CELLS, NO_STORY, DONE = range(5)
"""Where the pass of one event stopped for want of room, and goes on when there is some."""
_AT_ONCE: Final = 1024
_ROOM: Final = 8192
_LATE: Final = 4


class Observed(NamedTuple):
    """What became of a batch, one place an event."""

    out: Out
    late: np.ndarray
    slots: np.ndarray
    accumulated: np.ndarray
    """float32, NaN for late events."""
    alert_seq: np.ndarray
    """int64: -1, or the seq of the alert that the event rings or joins."""
    absolute: np.ndarray
    """bool: met the absolute rule."""
    extra: np.ndarray
    """float32: what past bad outcomes added, in witness units."""


class Rules(NamedTuple):
    """Settings of the pass besides those that `score` and `ring` are given."""

    late_s: float
    absolute_bits: float
    witness_bits: float


class State(NamedTuple):
    """All that a pass reads and writes; each part is replaced, never changed in place, when it grows."""

    ents: Entities
    parents: Parents
    calib: Calibration
    rates: Rates
    desk: Desk
    clock: np.ndarray
    limits: Limits
    terms: Terms
    rules: Rules


class _Views(NamedTuple):
    """The tables of cells and rates in their other types, and room for one event."""

    words: np.ndarray
    hours: np.ndarray
    speeds: np.ndarray
    lasts: np.ndarray
    bench: Bench
    times_s: np.ndarray
    flags: np.ndarray
    rates: np.ndarray
    stories: np.ndarray


def new_observed(m: int) -> Observed:
    """Room for what is said of `m` events; nothing is added by past outcomes."""
    out = Out(
        x=np.zeros((m, FEATURE_COUNT), np.float32),
        surprise=np.empty(m),
        tail=np.empty(m),
        fresh=np.empty(m),
        facts=np.zeros((m, FEATURE_COUNT, 2), np.float32),
        known=np.zeros(m, np.float32),
    )
    return Observed(
        out,
        np.empty(m, np.bool_),
        np.empty(m, np.int32),
        np.empty(m, np.float32),
        np.empty(m, np.int64),
        np.empty(m, np.bool_),
        np.zeros(m, np.float32),
    )


def _singly(pool: Observed) -> Iterator[Observed]:
    """Each place of `pool` as a batch of one."""

    def ones(columns: Any) -> list[np.ndarray]:
        return [column.reshape(-1, 1, *column.shape[1:]) for column in columns]

    return map(Observed, map(Out, *ones(pool.out)), *ones(pool[1:]))


def _views(state: State) -> _Views:
    cells, table = state.ents.cells, state.rates.table
    return _Views(
        cells.view(np.float32),
        cells.view(np.int32),
        table.view(np.float32),
        table.view(np.uint32),
        layout.new_bench(),
        np.zeros(1),
        np.zeros(1, np.uint8),
        np.zeros((1, 3, 3), np.float32),
        np.zeros(1, np.uint64),
    )


def _example() -> tuple[State, _Views, Observed]:
    limits = Limits(np.zeros(1), 0.0, 0, 0, 0, 0, 0, 0.0)
    state = State(
        layout.new_entities(1, 1), layout.new_parents(1), layout.new_calibration(), layout.new_rates(1),
        new_desk(1, 1), np.zeros(1), limits, Terms(0.0, 0.0, 0.0), Rules(0.0, 0.0, 0.0),
    )  # fmt: skip
    return state, _views(state), new_observed(1)


_park, _unpark = parking(typeof(_example()), _ROOM)  # type: ignore[no-untyped-call] # numba ships no annotations


@kernel
def _hold(address: int, state: State, views: _Views, pool: Observed) -> None:
    _park(address, (state, views, pool))


@kernel
def _pass(
    address: int,
    step: int,
    at: int,
    seq: int,
    subject: np.ndarray,
    times_s: np.ndarray,
    hour: np.ndarray,
    half: np.ndarray,
    weekday: np.ndarray,
    kind: np.ndarray,
    flags: np.ndarray,
    values: np.ndarray,
    sizes: np.ndarray,
    quantity: np.ndarray,
    rate_keys: np.ndarray,
) -> int:
    """Take one event from `step` on as far as there is room, `DONE` at the end; what is said of it stands `at`."""
    state, views, pool = _unpark(address)
    end = at + 1
    slots, late, absolute = pool.slots[at:end], pool.late[at:end], pool.absolute[at:end]
    if step <= NO_SLOT:
        if find_slots(state.ents, subject, slots) > 0:
            return NO_SLOT
        mark_late(times_s, state.clock, state.rules.late_s, late)
        views.times_s[0] = -1.0 if late[0] else times_s[0]
        views.flags[0] = flags[0] | np.uint8(_LATE) if late[0] else flags[0]
    most = state.limits.most_rates
    if step <= NO_RATES and (
        measure_rates(state.rates, views.speeds, views.lasts, rate_keys, views.times_s, views.rates, 0, most) == 0
    ):
        return NO_RATES
    told = Out(
        pool.out.x[at:end],
        pool.out.surprise[at:end],
        pool.out.tail[at:end],
        pool.out.fresh[at:end],
        pool.out.facts[at:end],
        pool.out.known[at:end],
    )
    if step <= NO_CELLS:
        cols = Columns(
            slots, hour, half, weekday, kind, views.flags, values, sizes, quantity, views.rates, pool.extra[at:end]
        )
        done = score(
            state.ents, views.words, views.hours, state.parents, state.calib, cols, told, 0, state.limits, views.bench
        )
        if done == 0:
            return NO_CELLS
        mark_absolute(state.ents.facts, cols.slot, cols.flags, told.x, told.tail, state.rules, absolute)
        story_keys(told.x, values, state.rules.witness_bits, views.stories)
    done = ring(
        state.desk, state.terms, seq, slots, times_s, told.tail, told.fresh, absolute, views.stories,
        pool.accumulated[at:end], pool.alert_seq[at:end], 0,
    )  # fmt: skip
    return DONE if done else NO_STORY


class Lane:
    """The parked state, and places for what is said of events to come."""

    def __init__(self) -> None:
        self._memory = np.zeros(_ROOM // 8, np.uint64)
        self._address = int(self._memory.ctypes.data)
        self._held: tuple[Any, ...] = (None,)
        self._views: _Views | None = None
        self._at = _AT_ONCE - 1
        self._pool = new_observed(0)
        self._singly: Iterator[Observed] = iter(())

    def place(self) -> Observed:
        """Room for what is said of the next event."""
        self._at += 1
        if self._at == _AT_ONCE:
            self._at = 0
            self._pool = new_observed(_AT_ONCE)
            self._singly = _singly(self._pool)
            self._held = (None,)
        return next(self._singly)

    def run(self, state: tuple[Any, ...], batch: Encoded, seq: int, step: int) -> int:
        """Take the one event of `batch` from `step` on; `state` holds the parts of `State`. Where it stopped."""
        if not all(map(is_, state, self._held)):
            whole, views = State(*state), _views(State(*state))
            if self._views is not None:  # what the steps before have written
                views = views._replace(**{name: getattr(self._views, name) for name in _SCRATCH})
            _hold(self._address, whole, views, self._pool)
            self._held, self._views = state, views
        return int(_pass(self._address, step, self._at, seq, *batch))


_SCRATCH: Final = ("bench", "times_s", "flags", "rates", "stories")
