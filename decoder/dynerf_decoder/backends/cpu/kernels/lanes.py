"""Lanes: float32 vectors of fixed length in numba functions, one machine instruction for all of them.

Left to itself numba multiplies the channels of a sample one by one, because it cannot know that arrays do not
overlap. ``Lanes`` is LLVM's own vector type; values of it live in registers, inside numba functions only. How
many lanes there are is part of the type, and comes from the length of a tuple: ``zeros((0.0,) * 8)``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from .compiling import kernel

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH = np.float32(-0.693359375)  # minus ln 2 in two parts: n times the first is exact
_LN2_LOW = np.float32(2.12194440e-4)
_SMALLEST, _LARGEST = np.float32(-87.0), np.float32(88.0)  # beyond these a float32 is denormal or infinite
_Generated = tuple[Any, Callable[..., Any]]  # a signature and what generates LLVM's code


class Lanes(types.Type):
    """The numba type of ``count`` float32 lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"Lanes({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, ir.VectorType(_FLOAT, lanes.count))


def _splat(builder: Any, number: Any, count: int) -> Any:
    vector = builder.insert_element(ir.Constant(ir.VectorType(_FLOAT, count), ir.Undefined), number, _INT(0))
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INT, count), [0] * count))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, count: int) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.gep(data, [offset], inbounds=True)
    return builder.bitcast(start, ir.VectorType(_FLOAT, count).as_pointer())


def _of_lanes(builder: Any, name: str, arguments: Any) -> Any:
    """What LLVM's own function ``name`` makes of vectors, lane by lane."""
    lanes = arguments[0].type
    kind = ir.FunctionType(lanes, [lanes] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{lanes.count}f32")
    return builder.call(function, arguments)


@intrinsic
def zeros(_typing: Any, like: Any) -> _Generated:
    """As many zeros as the tuple ``like`` has items."""

    def generate(_context: Any, _builder: Any, signature: Any, _arguments: Any) -> Any:
        return ir.Constant(ir.VectorType(_FLOAT, signature.return_type.count), None)

    return Lanes(len(like))(like), generate


@intrinsic
def item(_typing: Any, array: Any, offset: Any) -> _Generated:
    """One value of a flat array. Unlike ``array[offset]`` it costs no test for offsets from the end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, start = arguments
        data = context.make_array(signature.args[0])(context, builder, values).data
        return builder.load(builder.gep(data, [start], inbounds=True))

    return array.dtype(array, types.intp), generate


@intrinsic
def load(_typing: Any, like: Any, array: Any, offset: Any) -> _Generated:
    """As many values of a flat array, from an offset on, as ``like`` has lanes. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, start = arguments
        pointer = _pointer(context, builder, signature.args[1], values, start, signature.return_type.count)
        return builder.load(pointer, align=4)

    return like(like, array, types.intp), generate


@intrinsic
def store(_typing: Any, array: Any, offset: Any, values: Any) -> _Generated:
    """Write lanes to a flat array from ``offset`` on. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, start, lanes = arguments
        pointer = _pointer(context, builder, signature.args[0], target, start, signature.args[2].count)
        builder.store(lanes, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, values), generate


@intrinsic
def store_apart(_typing: Any, array: Any, offset: Any, stride: Any, values: Any) -> _Generated:
    """Write lane i to item ``offset + i * stride`` of a flat array. Nothing checks the bounds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, start, step, lanes = arguments
        data = context.make_array(signature.args[0])(context, builder, target).data
        for index in range(signature.args[3].count):
            builder.store(builder.extract_element(lanes, _INT(index)), builder.gep(data, [start]))
            start = builder.add(start, step)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, values), generate


@intrinsic
def plus(_typing: Any, a: Any, b: Any) -> _Generated:
    """Sums lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return a(a, b), generate


@intrinsic
def times(_typing: Any, a: Any, b: Any) -> _Generated:
    """Products lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return a(a, b), generate


@intrinsic
def scaled(_typing: Any, a: Any, factor: Any) -> _Generated:
    """All lanes times one number."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, number = arguments
        return builder.fmul(lanes, _splat(builder, number, signature.return_type.count))

    return a(a, types.float32), generate


@intrinsic
def plus_scaled(_typing: Any, total: Any, a: Any, factor: Any) -> _Generated:
    """``total + a * factor``, rounded once; ``factor`` is one number."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, lanes, number = arguments
        factors = _splat(builder, number, signature.return_type.count)
        return _of_lanes(builder, "fma", [lanes, factors, sums])

    return total(total, a, types.float32), generate


@intrinsic
def plus_times(_typing: Any, total: Any, a: Any, b: Any) -> _Generated:
    """``total + a * b`` lane by lane, rounded once."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sums, *factors = arguments
        return _of_lanes(builder, "fma", [*factors, sums])

    return total(total, a, b), generate


@intrinsic
def where_positive(_typing: Any, test: Any, a: Any) -> _Generated:
    """The lanes of ``a`` where those of ``test`` are above zero, zero elsewhere."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        test, lanes = arguments
        nothing = ir.Constant(lanes.type, None)
        return builder.select(builder.fcmp_ordered(">", test, nothing), lanes, nothing)

    return a(test, a), generate


@intrinsic
def total_of(_typing: Any, a: Any) -> _Generated:
    """The sum of all lanes, in an order that suits the machine."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        kind = ir.FunctionType(_FLOAT, [_FLOAT, lanes.type])
        name = f"llvm.vector.reduce.fadd.v{lanes.type.count}f32"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, [ir.Constant(_FLOAT, 0.0), lanes], fastmath=("reassoc",))

    return types.float32(a), generate


@intrinsic
def minus(_typing: Any, a: Any, b: Any) -> _Generated:
    """Differences lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments)

    return a(a, b), generate


@intrinsic
def divided(_typing: Any, a: Any, divisor: Any) -> _Generated:
    """All lanes divided by one number."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, number = arguments
        return builder.fdiv(lanes, _splat(builder, number, signature.return_type.count))

    return a(a, types.float32), generate


@intrinsic
def rounded(_typing: Any, a: Any) -> _Generated:
    """Each lane's nearest whole number; halves go to the even one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _of_lanes(builder, "rint", arguments)

    return a(a), generate


@intrinsic
def magnitude(_typing: Any, a: Any) -> _Generated:
    """Lanes without their signs."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _of_lanes(builder, "fabs", arguments)

    return a(a), generate


@intrinsic
def square_root(_typing: Any, a: Any) -> _Generated:
    """Square roots lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _of_lanes(builder, "sqrt", arguments)

    return a(a), generate


@intrinsic
def power_of_two(_typing: Any, a: Any) -> _Generated:
    """Two to the power of each lane, a whole number from -126 to 127: the exponent's bits put in place."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        whole = ir.VectorType(_INT, lanes.type.count)
        biased = builder.add(builder.fptosi(lanes, whole), ir.Constant(whole, [127] * whole.count))
        bits = builder.shl(biased, ir.Constant(whole, [23] * whole.count))
        return builder.bitcast(bits, lanes.type)

    return a(a), generate


@intrinsic
def limited(_typing: Any, a: Any, least: Any, most: Any) -> _Generated:
    """Lanes clamped to two numbers; those that are no number become ``least``."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, least, most = arguments
        count = signature.return_type.count
        above = _of_lanes(builder, "maxnum", [lanes, _splat(builder, least, count)])
        return _of_lanes(builder, "minnum", [above, _splat(builder, most, count)])

    return a(a, types.float32, types.float32), generate


@intrinsic
def joined(_typing: Any, numbers: Any) -> _Generated:
    """A tuple of float32 as lanes, without a way through memory."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = ir.Constant(ir.VectorType(_FLOAT, signature.return_type.count), ir.Undefined)
        for index in range(signature.return_type.count):
            lanes = builder.insert_element(lanes, builder.extract_value(arguments[0], index), _INT(index))
        return lanes

    return Lanes(len(numbers))(numbers), generate


@intrinsic
def separate(_typing: Any, a: Any) -> _Generated:
    """Lanes as a tuple of float32."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = ir.Constant(ir.ArrayType(_FLOAT, signature.return_type.count), ir.Undefined)
        for index in range(signature.return_type.count):
            number = builder.extract_element(arguments[0], _INT(index))
            numbers = builder.insert_value(numbers, number, index)
        return numbers

    return types.UniTuple(types.float32, a.count)(a), generate


@intrinsic
def same(_typing: Any, like: Any, number: Any) -> _Generated:
    """One number in as many lanes as ``like`` has."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[1], signature.return_type.count)

    return like(like, types.float32), generate


@intrinsic
def over(_typing: Any, a: Any, b: Any) -> _Generated:
    """Quotients lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments)

    return a(a, b), generate


@kernel
def exponential(a):
    """exp of each lane, to the last bits of float32: 2^n e^f with n whole and |f| at most half of ln 2."""
    a = limited(a, _SMALLEST, _LARGEST)
    n = rounded(scaled(a, _LOG2_E))
    f = plus_scaled(plus_scaled(a, n, _LN2_HIGH), n, _LN2_LOW)
    one = same(a, np.float32(1))
    series = plus_scaled(same(a, np.float32(1 / 720)), f, np.float32(1 / 5040))
    series = plus_times(same(a, np.float32(1 / 120)), series, f)
    series = plus_times(same(a, np.float32(1 / 24)), series, f)
    series = plus_times(same(a, np.float32(1 / 6)), series, f)
    series = plus_times(same(a, np.float32(1 / 2)), series, f)
    return times(plus_times(plus(one, f), times(f, f), series), power_of_two(n))


@kernel
def logistic(a):
    """1 / (1 + exp(-a)) of each lane."""
    one = same(a, np.float32(1))
    return over(one, plus(one, exponential(scaled(a, np.float32(-1)))))
