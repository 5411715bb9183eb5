"""Vectors of small integers for numba: one 512-bit register's worth of int8 or int16 lanes.

numba widens small integers to 64 bits, which defeats LLVM's auto-vectoriser, so the decoder
names its vector operations itself. They are LLVM vector instructions, not machine ones: LLVM
turns them into AVX-512, AVX2, SSE or NEON, whichever the machine has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import extending
from numba.core.datamodel import models

VECTOR_BYTES = 64
intrinsic: Any = extending.intrinsic  # what it makes is called with two arguments fewer


class Lanes(types.Type):
    """numba type of a vector of signed integers with ``bits`` bits each."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(name=f"Lanes(int{bits})")

    @property
    def llvm(self) -> ir.VectorType:
        """The LLVM vector type behind it."""
        return ir.VectorType(ir.IntType(self.bits), 8 * VECTOR_BYTES // self.bits)


@extending.register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, fe_type.llvm)


def _splat(builder: ir.IRBuilder, scalar: ir.Value, vector: ir.VectorType) -> ir.Value:
    undef = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undef, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(first, undef, zeros)


def _address(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> tuple[ir.Value, Lanes]:
    array_type = sig.args[0]
    lanes = Lanes(array_type.dtype.bitwidth)
    data = context.make_array(array_type)(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), lanes.llvm.as_pointer()), lanes


@intrinsic
def load(typingctx: Any, array: Any, i: Any) -> Any:
    """The lanes array[i], array[i + 1], ... (no bounds check, no alignment needed)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer, lanes = _address(context, builder, sig, args)
        return builder.load(pointer, align=1, typ=lanes.llvm)

    return Lanes(array.dtype.bitwidth)(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, i: Any, value: Any) -> Any:
    """Write the lanes to array[i], array[i + 1], ... (no bounds check)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer, _ = _address(context, builder, sig, args)
        builder.store(args[2], pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def peek(typingctx: Any, array: Any, i: Any) -> Any:
    """array[i] for i >= 0, without numba's bounds and wrap-around handling."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.intp), codegen


@intrinsic
def poke(typingctx: Any, array: Any, i: Any, value: Any) -> Any:
    """array[i] = value for i >= 0, without numba's bounds and wrap-around handling."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def splat_like(typingctx: Any, like: Any, value: Any) -> Any:
    """All lanes equal to ``value``, of the type of ``like``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = sig.return_type.llvm
        return _splat(builder, builder.trunc(args[1], vector.element), vector)

    return like(like, types.int64), codegen


def _call(builder: Any, name: str, args: list[Any], result: Any) -> Any:
    suffix = f"v{result.count}i{result.element.width}"
    function_type = ir.FunctionType(result, [a.type for a in args])
    module = builder.module
    full = f"llvm.{name}.{suffix}"
    function = module.globals.get(full) or ir.Function(module, function_type, full)
    return builder.call(function, args)


def _binary(name: str, doc: str) -> Callable[..., Any]:
    def op(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if name in ("and_", "or_", "xor"):
                return getattr(builder, name)(*args)
            return _call(builder, name, list(args), sig.return_type.llvm)

        return a(a, b), codegen

    op.__doc__ = doc
    op.__name__ = op.__qualname__ = name.replace(".", "_")
    return intrinsic(op)


add_sat = _binary("sadd.sat", "Signed sum, saturated.")
sub_sat = _binary("ssub.sat", "Signed difference, saturated.")
umin = _binary("umin", "Smaller one, lanes read as unsigned.")
umax = _binary("umax", "Larger one, lanes read as unsigned.")
bit_and = _binary("and_", "Bitwise and.")
bit_or = _binary("or_", "Bitwise or.")
bit_xor = _binary("xor", "Bitwise exclusive or.")


@intrinsic
def magnitude(typingctx: Any, a: Any) -> Any:
    """Absolute value, to be read as unsigned (so the most negative number is right too)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = sig.return_type.llvm
        zero = ir.Constant(vector, None)
        negative = builder.icmp_signed("<", args[0], zero)
        return builder.select(negative, builder.sub(zero, args[0]), args[0])

    return a(a), codegen


@intrinsic
def scale_unsigned(typingctx: Any, a: Any, num: Any, shift: Any) -> Any:
    """(a * num + half) >> shift in twice the width, lanes read as unsigned."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = sig.return_type.llvm
        wide = ir.VectorType(ir.IntType(2 * vector.element.width), vector.count)
        num_v = _splat(builder, builder.trunc(args[1], wide.element), wide)
        shift_w = builder.trunc(args[2], wide.element)
        half = builder.lshr(
            builder.shl(ir.Constant(wide.element, 1), shift_w), ir.Constant(wide.element, 1)
        )
        product = builder.add(
            builder.mul(builder.zext(args[0], wide), num_v), _splat(builder, half, wide)
        )
        return builder.trunc(builder.lshr(product, _splat(builder, shift_w, wide)), vector)

    return a(a, types.int64, types.int64), codegen


@intrinsic
def select_equal(typingctx: Any, a: Any, b: Any, then: Any, other: Any) -> Any:
    """``then`` in the lanes where a == b, ``other`` elsewhere."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("==", args[0], args[1]), args[2], args[3])

    return a(a, b, then, other), codegen


@intrinsic
def negate_where_negative(typingctx: Any, sign: Any, a: Any) -> Any:
    """-a in the lanes where ``sign`` is negative, a elsewhere."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.Constant(sig.return_type.llvm, None)
        negative = builder.icmp_signed("<", args[0], zero)
        return builder.select(negative, builder.sub(zero, args[1]), args[1])

    return a(sign, a), codegen


@intrinsic
def sign_bits(typingctx: Any, a: Any) -> Any:
    """One bit a lane, lane 0 lowest: 1 where it is negative."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = sig.args[0].llvm
        negative = builder.icmp_signed("<", args[0], ir.Constant(vector, None))
        packed = builder.bitcast(negative, ir.IntType(vector.count))
        if vector.count < 64:
            return builder.zext(packed, ir.IntType(64))
        return packed

    return types.uint64(a), codegen
