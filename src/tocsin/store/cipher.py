"""ChaCha20 keystreams, one for every row, from libsodium's own code called inside a compiled loop.

A Python call for every row would cost more than the cipher. The address of
`crypto_stream_chacha20_ietf` goes into the kernel as a number, so the compiled code holds no
address of its own and can be cached on disk. Cipher and nonce layout: RFC 8439, section 2.4.

INVARIANT: a (key, nonce) pair is never used for two contents. The nonce is six random bytes drawn
for each writer session (and again after each failed write) and six bytes of the row's seq.
"""

from __future__ import annotations

import ctypes
import importlib
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import nacl.bindings
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["KEY_BYTES", "MAX_SEQ", "SALT_BYTES", "compiled", "keystreams", "new_salt", "stream_lengths"]

F = TypeVar("F", bound="Callable[..., Any]")

KEY_BYTES: Final = 32
SALT_BYTES: Final = 6
MAX_SEQ: Final = 1 << 48
"""First seq that no longer fits the nonce: nine years at a million events a second."""


def compiled(function: F) -> F:
    """Compile a kernel and keep the result on disk (`cache=True`); its types stay those of the source."""
    return cast("F", njit(cache=True)(function))


def new_salt() -> bytes:
    """Draw the random half of the nonces of one writer session."""
    return secrets.token_bytes(SALT_BYTES)


def _address_of_chacha() -> int:
    nacl.bindings.sodium_init()
    library = importlib.import_module("nacl._sodium").__file__  # the shared library itself, libsodium inside
    function = ctypes.CDLL(library).crypto_stream_chacha20_ietf
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_CHACHA: Final = _address_of_chacha()


def _typed_call(
    _context: Any,  # noqa: ANN401 - numba's protocol, as below
    _address: Any,  # noqa: ANN401
    _out: Any,  # noqa: ANN401
    _length: Any,  # noqa: ANN401
    _nonce: Any,  # noqa: ANN401
    _key: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Call the C function at an address; its arguments are addresses and a length, as integers."""

    def generate(_target: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401 - numba's protocol
        word = ir.IntType(64)
        shape = ir.FunctionType(ir.IntType(32), [word] * 4)
        return builder.call(builder.inttoptr(args[0], shape.as_pointer()), args[1:])

    return types.int32(*[types.int64] * 5), generate


_call: Final[Callable[..., int]] = intrinsic(_typed_call)


@compiled
def _fill(  # noqa: PLR0913, PLR0917 - a kernel takes its arrays one by one
    chacha: int,
    records: NDArray[np.uint8],
    ids: NDArray[np.uint32],
    seqs: NDArray[np.int64],
    salt: NDArray[np.uint8],
    starts: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    width = records.shape[1]
    nonce = np.empty(12, np.uint8)
    nonce[:6] = salt
    for i in range(ids.size):
        for b in range(6):
            nonce[6 + b] = (seqs[i] >> (8 * b)) & 255
        key = records.ctypes.data + ids[i] * width + 8
        _call(chacha, out.ctypes.data + starts[i], starts[i + 1] - starts[i], nonce.ctypes.data, key)


def stream_lengths(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Round row lengths up to what the cipher makes cheapest: one block of 64 bytes, else fours of them.

    libsodium computes four blocks at once, in the time of two done singly.
    """
    return np.where(lengths <= 64, 64, (lengths + 255) & ~255)  # noqa: PLR2004 - the block sizes just stated


def keystreams(
    records: NDArray[np.uint8],
    ids: NDArray[np.uint32],
    seqs: NDArray[np.int64],
    salt: bytes,
    starts: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Every row's keystream, end to end; row `i` owns bytes `starts[i]` to `starts[i + 1]`.

    `records` is the key file as rows of bytes, eight of hash and then the key; `ids` picks the rows.
    """
    out = np.empty(int(starts[-1]), np.uint8)
    _fill(_CHACHA, records, ids, seqs, np.frombuffer(salt, np.uint8), starts, out)
    return out
