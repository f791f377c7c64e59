"""Eight numbers at a time, for kernels: the processor's vectors by hand, where a compiler does not find them.

A kernel holds *lanes*, eight float64 that are worked on at once, and keeps sums in them over a whole loop; compiled
loops over arrays go to memory for each. Every product here is added without being rounded first (IEEE 754 fusedMultiply
Add), in one lane as in eight and on every processor, so that results depend neither on its width nor on how rows were
grouped.

None of these checks where it reads or writes: an array is what lies at its address, ``at`` counts its elements, and
what is padded to a multiple of :data:`LANES` can be read to the end.
"""

# ruff: noqa: ARG001 - numba counts the arguments that a kernel gives

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from bandit.kernels.jit import kernel
from bandit.types import Floats

LANES: Final = 8
_IR: Final[Any] = vars(cgutils)["ir"]  # llvmlite's, which numba brings
_DOUBLE: Final = _IR.DoubleType()
_EIGHT: Final = _IR.VectorType(_DOUBLE, LANES)
_FUSED: Final = {_DOUBLE: "llvm.fma.f64", _EIGHT: "llvm.fma.v8f64"}


class LanesType(types.Type):
    """Numba's name for eight float64 in a register."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _EIGHT)  # type: ignore[no-untyped-call]


_TYPE: Final = LanesType()


@kernel
def padded(count: int) -> int:
    """Return ``count``, or the next larger multiple of the lanes.

    >>> padded(21), padded(24)
    (24, 24)
    """
    return (count + LANES - 1) // LANES * LANES


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _all(builder: Any, number: Any) -> Any:
    unknown = _IR.Constant(_EIGHT, _IR.Undefined)
    first = builder.insert_element(unknown, number, _IR.Constant(_IR.IntType(32), 0))
    return builder.shuffle_vector(first, unknown, _IR.Constant(_IR.VectorType(_IR.IntType(32), LANES), [0] * LANES))


def _fused(builder: Any, kind: Any, *operands: Any) -> Any:
    form = _IR.FunctionType(kind, [kind] * 3)
    return builder.call(
        builder.module.globals.get(_FUSED[kind]) or _IR.Function(builder.module, form, _FUSED[kind]), operands
    )


def _load(_typing: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        found = builder.load(builder.bitcast(pointer, _EIGHT.as_pointer()))
        found.align = 8  # arrays lie on whole numbers, not on whole vectors
        return found

    return _TYPE(array, types.intp), generate


def _store(_typing: Any, array: Any, at: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(pointer, _EIGHT.as_pointer())).align = 8
        return context.get_dummy_value()

    return types.void(array, types.intp, _TYPE), generate


def _fill(_typing: Any, number: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _all(builder, args[0])

    return _TYPE(types.float64), generate


def _add_multiple(_typing: Any, array: Any, at: Any, lanes: Any, total: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1]))
        return _fused(builder, _EIGHT, _all(builder, number), args[2], args[3])

    return _TYPE(array, types.intp, _TYPE, _TYPE), generate


def _add_product(_typing: Any, one: Any, other: Any, total: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _fused(builder, _EIGHT, *args)

    return _TYPE(_TYPE, _TYPE, _TYPE), generate


def _add_one_product(_typing: Any, one: Any, other: Any, total: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _fused(builder, _DOUBLE, *args)

    return types.float64(types.float64, types.float64, types.float64), generate


def _add_up(_typing: Any, lanes: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        numbers = [builder.extract_element(args[0], _IR.Constant(_IR.IntType(32), i)) for i in range(LANES)]
        while len(numbers) > 1:
            half = len(numbers) // 2
            numbers = [builder.fadd(numbers[i], numbers[i + half]) for i in range(half)]
        return numbers[0]

    return types.float64(_TYPE), generate


load = cast("Callable[[Floats, int], Any]", intrinsic(_load))
"""``load(array, at)``: the eight numbers from ``at`` on."""
store = cast("Callable[[Floats, int, Any], None]", intrinsic(_store))
"""``store(array, at, lanes)``: write them there."""
fill = cast("Callable[[float], Any]", intrinsic(_fill))
"""``fill(number)``: eight times the same."""
add_multiple = cast("Callable[[Floats, int, Any, Any], Any]", intrinsic(_add_multiple))
"""``add_multiple(array, at, lanes, total)``: ``total + array[at]·lanes``."""
add_product = cast("Callable[[Any, Any, Any], Any]", intrinsic(_add_product))
"""``add_product(one, other, total)``: ``total + one·other``, lane by lane."""
add_one_product = cast("Callable[[float, float, float], float]", intrinsic(_add_one_product))
"""``add_one_product(one, other, total)``: the same of single numbers, with the same rounding."""
add_up = cast("Callable[[Any], float]", intrinsic(_add_up))
"""``add_up(lanes)``: the sum of the eight, halves added to halves."""
