"""Thirty-two bytes at a time: the few vector steps that the compiled scanners stand on.

Numba has no vectors of bytes, so these are written in LLVM's terms, which every processor Numba knows can
run. All of them touch `REACH` bytes from where they are asked, whatever they answer.

INVARIANT: a caller asks only where `REACH` bytes can be read, and for `copy_run` written.
"""

# LLVM's builders have no types to name, and Numba binds the arguments of an intrinsic by position.
# ruff: noqa: ANN401, ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["REACH", "common_run", "copy_run", "plain_run"]

REACH: Final = 32
_BYTES: Final = ir.VectorType(ir.IntType(8), REACH)
_SPACE: Final = 32
_QUOTE: Final = 34
_BACKSLASH: Final = 92
_Intrinsic = tuple[Any, Callable[..., Any]]


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    data = cgutils.create_struct_proxy(kind)(context, builder, array).data  # type: ignore[no-untyped-call] # Numba's
    return builder.bitcast(builder.gep(data, [at]), _BYTES.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.load(_pointer(context, builder, kind, array, at), align=1)


def _all(value: int) -> Any:
    return ir.Constant(_BYTES, [value] * REACH)


def _first(builder: Any, mask: Any) -> Any:
    """Return the place of the first true lane; `REACH` when there is none."""
    bits = builder.bitcast(mask, ir.IntType(REACH))
    return builder.zext(builder.cttz(bits, ir.Constant(ir.IntType(1), 0)), ir.IntType(64))


@intrinsic
def plain_run(typing: Any, data: Any, at: Any) -> _Intrinsic:
    """Count the bytes from `at` that may stand in a JSON string as they are, up to `REACH`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = _load(context, builder, signature.args[0], args[0], args[1])
        mask = builder.icmp_unsigned("<", found, _all(_SPACE))
        for byte in (_QUOTE, _BACKSLASH):
            mask = builder.or_(mask, builder.icmp_unsigned("==", found, _all(byte)))
        return _first(builder, mask)

    return types.int64(data, types.int64), generate


@intrinsic
def common_run(typing: Any, one: Any, at: Any, other: Any, place: Any) -> _Intrinsic:
    """Count the bytes in which `one[at:]` and `other[place:]` agree before they part, up to `REACH`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = _load(context, builder, signature.args[0], args[0], args[1])
        right = _load(context, builder, signature.args[2], args[2], args[3])
        return _first(builder, builder.icmp_unsigned("!=", left, right))

    return types.int64(one, types.int64, other, types.int64), generate


@intrinsic
def copy_run(typing: Any, out: Any, to: Any, data: Any, at: Any) -> _Intrinsic:
    """Copy `REACH` bytes from `data[at:]` to `out[to:]`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = _load(context, builder, signature.args[2], args[2], args[3])
        builder.store(found, _pointer(context, builder, signature.args[0], args[0], args[1]), align=1)
        return context.get_dummy_value()

    return types.void(out, types.int64, data, types.int64), generate
