"""Small arithmetic that every kernel shares: mixing, decay, logarithms, prefetch.

No fast-math anywhere: the same journal must give the same bits on every machine.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "HALF",
    "decay",
    "fast_log2",
    "inlined",
    "kept_after",
    "kernel",
    "mix",
    "pair_key",
    "part",
    "prefetch",
    "rehash",
]

_COMPILED: Final = {"cache": True, "_nrt": False, "error_model": "numpy"}
"""How every kernel is compiled. They allocate nothing, so counting references to arrays is left out: it cost a
third of the time of an event (`_nrt` is numba's own switch for that). None divides by zero, so none checks."""


def _stamp() -> tuple[str, int]:
    """Digest of every file of this room that kernels are made of.

    Numba drops a cached kernel when the file it stands in changes, not when one inlined into it does.
    """
    told = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_bytes()
        if b"behaviour.numeric" in text or path.stem in {"numeric", "layout", "features"}:
            told.update(text)
    return told.hexdigest(), 0


_STAMP: Final = _stamp()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel; the compiled code is kept on disk while no file of the room changes."""
    compiled = njit(**_COMPILED)(function)
    compiled._cache._cache_file._source_stamp = _STAMP  # noqa: SLF001 - numba has no public way to say so
    return compiled


def part(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel; merged into its caller, since passing the state costs more than most parts do."""
    compiled = njit(**_COMPILED, forceinline=True)(function)
    compiled._cache._cache_file._source_stamp = _STAMP  # noqa: SLF001 - numba has no public way to say so
    return compiled


inlined: Final = njit(**_COMPILED, inline="always")

_M1: Final = np.uint64(0xBF58476D1CE4E5B9)
_M2: Final = np.uint64(0x94D049BB133111EB)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE: Final = np.uint64(1)
_MANTISSA: Final = np.int64(0x000FFFFFFFFFFFFF)
_EXPONENT_OF_ONE: Final = np.int64(0x3FF0000000000000)
HALF: Final = 0.5


@inlined
def mix(x: np.uint64) -> np.uint64:
    """Finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection, so no two keys ever meet here."""
    x ^= x >> np.uint64(30)
    x *= _M1
    x ^= x >> np.uint64(27)
    x *= _M2
    return x ^ (x >> np.uint64(31))


@inlined
def pair_key(a: np.uint64, b: np.uint64) -> np.uint64:
    """One 64-bit key for an ordered pair; never 0, which marks an empty place."""
    return mix(a + _GOLDEN * (b | _ONE)) | _ONE


@inlined
def decay(elapsed: float, half_life: float) -> float:
    """Weight left after `elapsed`, in the units of `half_life`; time that runs backwards takes nothing away."""
    if elapsed <= 0:
        return 1.0
    return 2.0 ** (-elapsed / half_life)


@inlined
def kept_after(decays: np.ndarray, hours: int) -> float:
    """Weight left after so many whole hours, from a table; time that runs backwards takes nothing away."""
    return decays[min(max(hours, 0), len(decays) - 1)]


@inlined
def fast_log2(x: float) -> float:
    """`log2` of a positive normal number, within 1e-7.

    The mantissa is folded into [sqrt(1/2), sqrt(2)) and `atanh`'s series is summed to the ninth power.
    """
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> 52) - 1023
    m = np.int64((bits & _MANTISSA) | _EXPONENT_OF_ONE).view(np.float64)
    if m > 1.4142135623730951:  # noqa: PLR2004 - the square root of two
        m *= HALF
        exponent += 1
    t = (m - 1.0) / (m + 1.0)
    t2 = t * t
    series = 1.0 + t2 * (1 / 3 + t2 * (1 / 5 + t2 * (1 / 7 + t2 * (1 / 9))))
    return exponent + 2.8853900817779268 * t * series


@intrinsic  # type: ignore[untyped-decorator] # numba ships no annotations
def prefetch(typingctx: Any, address: Any) -> tuple[Any, Callable[..., Any]]:  # noqa: ARG001 - numba's protocol
    """Ask the processor for the cache line at `address` (an integer); a hint, never a load."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001 - numba's protocol
        pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        int32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, int32, int32, int32])
        function = builder.module.declare_intrinsic("llvm.prefetch", (pointer.type,), kind)
        builder.call(function, [pointer, int32(0), int32(3), int32(1)])
        return context.get_dummy_value()

    return types.void(types.intp), codegen


@kernel
def rehash(keys: np.ndarray, rows: np.ndarray, new_keys: np.ndarray, new_rows: np.ndarray, shift: int) -> None:
    """Move an open-addressed table into a larger empty one; `shift` is that of the table's own hash."""
    mask = np.uint64(len(new_keys) - 1)
    for j in range(len(keys)):
        if keys[j] != np.uint64(0):
            i = (keys[j] >> np.uint64(shift)) & mask
            while new_keys[i] != np.uint64(0):
                i = (i + np.uint64(1)) & mask
            new_keys[i] = keys[j]
            for column in range(rows.shape[1]):
                new_rows[i, column] = rows[j, column]
