"""State kept in memory as compiled code holds it, so that a call for one event need not take it apart.

A kernel that is handed the whole model unpacks some seventy arrays, which costs more than scoring one event does.
Parked, the same is read back as plain loads from one address.

INVARIANT: whoever parks a value keeps it alive for as long as the address is used; nothing here counts references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parking"]


def parking(kind: Any, room: int) -> tuple[Any, Any]:
    """Two functions for kernels, `park(address, value)` and `unpark(address)`, for values of one numba type.

    `address` is that of `room` bytes, aligned to 8; a type that needs more does not compile.
    """

    def pointer(context: Any, builder: Any, address: Any) -> Any:
        model = context.data_model_manager[kind]
        if context.get_abi_sizeof(model.get_data_type()) > room:
            raise ValueError(f"`{kind}` does not fit into {room} bytes")
        return model, builder.inttoptr(address, model.get_data_type().as_pointer())

    @intrinsic
    def park(typingctx: Any, address: Any, value: Any) -> tuple[Any, Callable[..., Any]]:  # noqa: ARG001 - numba's protocol
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001 - numba's protocol
            model, place = pointer(context, builder, args[0])
            builder.store(model.as_data(builder, args[1]), place)
            return context.get_dummy_value()

        return types.void(types.intp, kind), codegen

    @intrinsic
    def unpark(typingctx: Any, address: Any) -> tuple[Any, Callable[..., Any]]:  # noqa: ARG001 - numba's protocol
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001 - numba's protocol
            model, place = pointer(context, builder, args[0])
            return model.load_from_data_pointer(builder, place)

        return kind(types.intp), codegen

    return park, unpark
