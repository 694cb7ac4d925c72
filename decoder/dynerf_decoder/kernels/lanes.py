"""SIMD vectors for numba functions: lanes of float32, processed by one machine instruction.

numba by itself multiplies the channels of a sample one by one, because it cannot prove that arrays do not
overlap. ``Lanes`` is LLVM's vector type; its values live in registers, inside numba functions only. The
number of lanes is part of the type and comes from the length of a tuple: ``zeros((0.0,) * 8)``.
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
_Intrinsic = tuple[Any, Callable[..., Any]]  # a signature and a generator of LLVM code


class Lanes(types.Type):
    """The numba type of ``count`` float32 lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"Lanes({count})")


class WholeLanes(types.Type):
    """The numba type of ``count`` int32 lanes."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"WholeLanes({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, ir.VectorType(_FLOAT, lanes.count))


@register_model(WholeLanes)
class _WholeLanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: WholeLanes) -> None:
        super().__init__(manager, lanes, ir.VectorType(_INT, lanes.count))


def _splat(builder: Any, number: Any, count: int) -> Any:
    vector = builder.insert_element(ir.Constant(ir.VectorType(_FLOAT, count), ir.Undefined), number, _INT(0))
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INT, count), [0] * count))


def _shuffled(builder: Any, one: Any, other: Any, chosen: range) -> Any:
    """The lanes ``chosen`` of two vectors, counted through both."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_INT, len(chosen)), list(chosen)))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, count: int) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.gep(data, [offset], inbounds=True)
    return builder.bitcast(start, ir.VectorType(_FLOAT, count).as_pointer())


def _call_llvm(builder: Any, name: str, arguments: Any) -> Any:
    """Call LLVM's built-in function ``name`` on vectors, lane by lane."""
    lanes = arguments[0].type
    signature_type = ir.FunctionType(lanes, [lanes] * len(arguments))
    function = cgutils.get_or_insert_function(
        builder.module, signature_type, f"llvm.{name}.v{lanes.count}f32"
    )
    return builder.call(function, arguments)


@intrinsic
def zeros(_typing: Any, lane_type: Any) -> _Intrinsic:
    """Zeros, one for each item of the tuple ``lane_type``."""

    def generate(_context: Any, _builder: Any, signature: Any, _arguments: Any) -> Any:
        return ir.Constant(ir.VectorType(_FLOAT, signature.return_type.count), None)

    return Lanes(len(lane_type))(lane_type), generate


@intrinsic
def item(_typing: Any, array: Any, offset: Any) -> _Intrinsic:
    """One value of a flat array, without the test for negative offsets that ``array[offset]`` has."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, start = arguments
        data = context.make_array(signature.args[0])(context, builder, values).data
        return builder.load(builder.gep(data, [start], inbounds=True))

    return array.dtype(array, types.intp), generate


@intrinsic
def load(_typing: Any, lane_type: Any, array: Any, offset: Any) -> _Intrinsic:
    """Values of a flat array from ``offset`` on, one for each lane. Bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, start = arguments
        pointer = _pointer(context, builder, signature.args[1], values, start, signature.return_type.count)
        return builder.load(pointer, align=4)

    return lane_type(lane_type, array, types.intp), generate


@intrinsic
def load_pair(_typing: Any, lane_type: Any, array: Any, offset: Any) -> _Intrinsic:
    """As ``load``, for twice as many lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, start = arguments
        pointer = _pointer(context, builder, signature.args[1], values, start, signature.return_type.count)
        return builder.load(pointer, align=4)

    return Lanes(2 * lane_type.count)(lane_type, array, types.intp), generate


@intrinsic
def load_at(_typing: Any, lane_type: Any, array: Any, shift: Any, offsets: Any, first: Any) -> _Intrinsic:
    """Item ``shift + offsets[first + i]`` of a flat array in lane i. Bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, start, indices, at = arguments
        data = context.make_array(signature.args[1])(context, builder, values).data
        numbers = context.make_array(signature.args[3])(context, builder, indices).data
        lanes = ir.Constant(ir.VectorType(_FLOAT, signature.return_type.count), ir.Undefined)
        for index in range(signature.return_type.count):
            offset = builder.load(builder.gep(numbers, [builder.add(at, at.type(index))], inbounds=True))
            place = builder.add(builder.sext(offset, start.type), start)
            number = builder.load(builder.gep(data, [place], inbounds=True))
            lanes = builder.insert_element(lanes, number, _INT(index))
        return lanes

    return lane_type(lane_type, array, types.intp, offsets, types.intp), generate


@intrinsic
def load_strided(_typing: Any, lane_type: Any, array: Any, stride: Any) -> _Intrinsic:
    """Item ``i * stride`` of a flat array in lane i. Bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, step = arguments
        data = context.make_array(signature.args[1])(context, builder, values).data
        lanes = ir.Constant(ir.VectorType(_FLOAT, signature.return_type.count), ir.Undefined)
        place = step.type(0)
        for index in range(signature.return_type.count):
            number = builder.load(builder.gep(data, [place], inbounds=True))
            lanes = builder.insert_element(lanes, number, _INT(index))
            place = builder.add(place, step)
        return lanes

    return lane_type(lane_type, array, types.intp), generate


@intrinsic
def halves(_typing: Any, a: Any) -> _Intrinsic:
    """The first and the second half of the lanes."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        half = a.count // 2
        parts = ir.Constant(ir.ArrayType(ir.VectorType(_FLOAT, half), 2), ir.Undefined)
        for index in range(2):
            chosen = range(index * half, (index + 1) * half)
            parts = builder.insert_value(parts, _shuffled(builder, lanes, lanes, chosen), index)
        return parts

    return types.UniTuple(Lanes(a.count // 2), 2)(a), generate


@intrinsic
def transposed(_typing: Any, vectors: Any) -> _Intrinsic:
    """A tuple of vectors (sample, channel), a power of two of them, as one (channel, sample)."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        parts = [builder.extract_value(arguments[0], index) for index in range(vectors.count)]
        while len(parts) > 1:
            parts = [
                _shuffled(builder, one, other, range(2 * one.type.count))
                for one, other in zip(parts[::2], parts[1::2], strict=True)
            ]
        result = signature.return_type
        channels = ir.Constant(ir.ArrayType(ir.VectorType(_FLOAT, vectors.count), result.count), ir.Undefined)
        for channel in range(result.count):
            chosen = range(channel, result.count * vectors.count, result.count)
            values = _shuffled(builder, parts[0], parts[0], chosen)
            channels = builder.insert_value(channels, values, channel)
        return channels

    return types.UniTuple(Lanes(vectors.count), vectors.dtype.count)(vectors), generate


@intrinsic
def store(_typing: Any, array: Any, offset: Any, values: Any) -> _Intrinsic:
    """Write lanes to a flat array from ``offset`` on. Bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, start, lanes = arguments
        pointer = _pointer(context, builder, signature.args[0], target, start, signature.args[2].count)
        builder.store(lanes, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, values), generate


@intrinsic
def plus(_typing: Any, a: Any, b: Any) -> _Intrinsic:
    """Sums lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return a(a, b), generate


@intrinsic
def times(_typing: Any, a: Any, b: Any) -> _Intrinsic:
    """Products lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return a(a, b), generate


@intrinsic
def scaled(_typing: Any, a: Any, factor: Any) -> _Intrinsic:
    """All lanes times one number."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, number = arguments
        return builder.fmul(lanes, _splat(builder, number, signature.return_type.count))

    return a(a, types.float32), generate


@intrinsic
def plus_scaled(_typing: Any, total: Any, a: Any, factor: Any) -> _Intrinsic:
    """``total + a * factor``, rounded once; ``factor`` is one number."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, lanes, number = arguments
        factors = _splat(builder, number, signature.return_type.count)
        return _call_llvm(builder, "fma", [lanes, factors, sums])

    return total(total, a, types.float32), generate


@intrinsic
def plus_times(_typing: Any, total: Any, a: Any, b: Any) -> _Intrinsic:
    """``total + a * b`` lane by lane, rounded once."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sums, *factors = arguments
        return _call_llvm(builder, "fma", [*factors, sums])

    return total(total, a, b), generate


@intrinsic
def where_positive(_typing: Any, mask: Any, a: Any) -> _Intrinsic:
    """The lanes of ``a`` where those of ``mask`` are positive, zero elsewhere."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        mask, lanes = arguments
        zero = ir.Constant(lanes.type, None)
        return builder.select(builder.fcmp_ordered(">", mask, zero), lanes, zero)

    return a(mask, a), generate


@intrinsic
def where_above(_typing: Any, a: Any, b: Any, above: Any, other: Any) -> _Intrinsic:
    """The lanes of ``above`` where ``a`` is above ``b``, those of ``other`` elsewhere."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        high, low, one, two = arguments
        return builder.select(builder.fcmp_ordered(">", high, low), one, two)

    return a(a, b, above, other), generate


@intrinsic
def lane_sum(_typing: Any, a: Any) -> _Intrinsic:
    """The sum of all lanes, in an order that the compiler chooses."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        signature_type = ir.FunctionType(_FLOAT, [_FLOAT, lanes.type])
        name = f"llvm.vector.reduce.fadd.v{lanes.type.count}f32"
        function = cgutils.get_or_insert_function(builder.module, signature_type, name)
        return builder.call(function, [ir.Constant(_FLOAT, 0.0), lanes], fastmath=("reassoc",))

    return types.float32(a), generate


@intrinsic
def minus(_typing: Any, a: Any, b: Any) -> _Intrinsic:
    """Differences lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments)

    return a(a, b), generate


@intrinsic
def divided(_typing: Any, a: Any, divisor: Any) -> _Intrinsic:
    """All lanes divided by one number."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, number = arguments
        return builder.fdiv(lanes, _splat(builder, number, signature.return_type.count))

    return a(a, types.float32), generate


@intrinsic
def rounded(_typing: Any, a: Any) -> _Intrinsic:
    """Each lane's nearest whole number; halves go to the even one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "rint", arguments)

    return a(a), generate


@intrinsic
def floored(_typing: Any, a: Any) -> _Intrinsic:
    """Each lane rounded down to a whole number."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "floor", arguments)

    return a(a), generate


@intrinsic
def whole(_typing: Any, a: Any) -> _Intrinsic:
    """Each lane without its fraction, as int32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        return builder.fptosi(lanes, ir.VectorType(_INT, lanes.type.count))

    return WholeLanes(a.count)(a), generate


@intrinsic
def row_major(_typing: Any, rows: Any, size: Any, columns: Any) -> _Intrinsic:
    """``rows * size + columns`` lane by lane; ``size`` is one number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, width, column = arguments
        number = context.cast(builder, width, signature.args[1], types.int32)
        lanes = builder.insert_element(ir.Constant(row.type, ir.Undefined), number, _INT(0))
        widths = builder.shuffle_vector(lanes, lanes, ir.Constant(row.type, [0] * row.type.count))
        return builder.add(builder.mul(row, widths), column)

    return rows(rows, size, columns), generate


@intrinsic
def store_whole(_typing: Any, array: Any, offset: Any, values: Any) -> _Intrinsic:
    """Write int32 lanes to a flat array of int32 from ``offset`` on. Bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, start, lanes = arguments
        data = context.make_array(signature.args[0])(context, builder, target).data
        pointer = builder.bitcast(builder.gep(data, [start], inbounds=True), lanes.type.as_pointer())
        builder.store(lanes, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, values), generate


@intrinsic
def count_at_most(_typing: Any, a: Any, number: Any) -> _Intrinsic:
    """How many lanes are at most ``number``."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes, limit = arguments
        count = lanes.type.count
        bits = builder.fcmp_ordered("<=", lanes, _splat(builder, limit, count))
        return builder.zext(builder.ctpop(builder.bitcast(bits, ir.IntType(count))), ir.IntType(64))

    return types.int64(a, types.float32), generate


@intrinsic
def magnitude(_typing: Any, a: Any) -> _Intrinsic:
    """Absolute values lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "fabs", arguments)

    return a(a), generate


@intrinsic
def square_root(_typing: Any, a: Any) -> _Intrinsic:
    """Square roots lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "sqrt", arguments)

    return a(a), generate


@intrinsic
def power_of_two(_typing: Any, a: Any) -> _Intrinsic:
    """Two to the power of each lane, an integer from -126 to 127, by setting the exponent's bits."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (lanes,) = arguments
        whole = ir.VectorType(_INT, lanes.type.count)
        biased = builder.add(builder.fptosi(lanes, whole), ir.Constant(whole, [127] * whole.count))
        bits = builder.shl(biased, ir.Constant(whole, [23] * whole.count))
        return builder.bitcast(bits, lanes.type)

    return a(a), generate


@intrinsic
def clamped(_typing: Any, a: Any, least: Any, most: Any) -> _Intrinsic:
    """Lanes clamped between two numbers; NaN becomes ``least``."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, least, most = arguments
        count = signature.return_type.count
        above = _call_llvm(builder, "maxnum", [lanes, _splat(builder, least, count)])
        return _call_llvm(builder, "minnum", [above, _splat(builder, most, count)])

    return a(a, types.float32, types.float32), generate


@intrinsic
def pack(_typing: Any, numbers: Any) -> _Intrinsic:
    """A tuple of float32 as lanes, without going through memory."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = ir.Constant(ir.VectorType(_FLOAT, signature.return_type.count), ir.Undefined)
        for index in range(signature.return_type.count):
            lanes = builder.insert_element(lanes, builder.extract_value(arguments[0], index), _INT(index))
        return lanes

    return Lanes(len(numbers))(numbers), generate


@intrinsic
def splat(_typing: Any, lane_type: Any, number: Any) -> _Intrinsic:
    """One number in each lane of ``lane_type``."""

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[1], signature.return_type.count)

    return lane_type(lane_type, types.float32), generate


@intrinsic
def quotient(_typing: Any, a: Any, b: Any) -> _Intrinsic:
    """Quotients lane by lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments)

    return a(a, b), generate


@kernel
def exponential(a):
    """exp of each lane, to the last bits of float32: 2^n e^f, n an integer, |f| at most half of ln 2."""
    a = clamped(a, _SMALLEST, _LARGEST)
    n = rounded(scaled(a, _LOG2_E))
    f = plus_scaled(plus_scaled(a, n, _LN2_HIGH), n, _LN2_LOW)
    one = splat(a, np.float32(1))
    series = plus_scaled(splat(a, np.float32(1 / 720)), f, np.float32(1 / 5040))
    series = plus_times(splat(a, np.float32(1 / 120)), series, f)
    series = plus_times(splat(a, np.float32(1 / 24)), series, f)
    series = plus_times(splat(a, np.float32(1 / 6)), series, f)
    series = plus_times(splat(a, np.float32(1 / 2)), series, f)
    return times(plus_times(plus(one, f), times(f, f), series), power_of_two(n))


@kernel
def logistic(a):
    """1 / (1 + exp(-a)) of each lane."""
    one = splat(a, np.float32(1))
    return quotient(one, plus(one, exponential(scaled(a, np.float32(-1)))))
