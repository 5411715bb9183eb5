"""exp, ln, cos and sin in float32 that LLVM can vectorise, for compiled loops.

numba calls the C library for these, one number at a time. The polynomials are those of Cephes
(Moshier, expf.c, logf.c, sinf.c), good to about 2 units in the last place; without fast-math they
give the same bits on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import extending

intrinsic: Any = extending.intrinsic
_F = np.float32

_LOG2_E, _LN2_HIGH, _LN2_LOW = _F(1.44269504), _F(0.693359375), _F(-2.12194440e-4)
_E0, _E1, _E2 = _F(1.9875691500e-4), _F(1.3981999507e-3), _F(8.3334519073e-3)
_E3, _E4, _E5 = _F(4.1665795894e-2), _F(1.6666665459e-1), _F(5.0000001201e-1)
_EXP_MIN = _F(-87.0)
_L0, _L1, _L2 = _F(7.0376836292e-2), _F(-1.1514610310e-1), _F(1.1676998740e-1)
_L3, _L4, _L5 = _F(-1.2420140846e-1), _F(1.4249322787e-1), _F(-1.6668057665e-1)
_L6, _L7, _L8 = _F(2.0000714765e-1), _F(-2.4999993993e-1), _F(3.3333331174e-1)
_SQRT_HALF, _ONE, _HALF = _F(0.70710678), _F(1.0), _F(0.5)
_HALF_PI = _F(np.pi / 2)
_S0, _S1, _S2 = _F(-1.9515295891e-4), _F(8.3321608736e-3), _F(-1.6666654611e-1)
_C0, _C1, _C2 = _F(2.443315711809948e-5), _F(-1.388731625493765e-3), _F(4.166664568298827e-2)


@intrinsic
def float_to_bits(typingctx: Any, x: Any) -> Any:
    """The 32 bits of a float32 as int32."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@intrinsic
def bits_to_float(typingctx: Any, x: Any) -> Any:
    """The float32 of 32 bits."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@njit(inline="always")
def exp32(x: Any) -> Any:
    """exp(x) for float32 x from about -87 to 88; smaller x count as -87."""
    x = x if x > _EXP_MIN else _EXP_MIN
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    p = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    p = p * r * r + r + _ONE
    return p * bits_to_float(np.int32((np.int32(n) + np.int32(127)) << np.int32(23)))


@njit(inline="always")
def log32(x: Any) -> Any:
    """ln(x) for a normal float32 x > 0."""
    bits = float_to_bits(x)
    exponent = np.int32((bits >> np.int32(23)) - np.int32(126))
    m = bits_to_float(np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F000000)))
    small = m < _SQRT_HALF
    e = _F(exponent) - (_ONE if small else _F(0.0))
    m = (m + m if small else m) - _ONE
    z = m * m
    p = ((((((((_L0 * m + _L1) * m + _L2) * m + _L3) * m + _L4) * m + _L5) * m + _L6) * m
          + _L7) * m + _L8) * m * z  # fmt: skip
    p = p + e * _LN2_LOW - _HALF * z
    return m + p + e * _LN2_HIGH


@njit(inline="always")
def cos_sin_turns(turns: Any) -> Any:
    """Cosine and sine of 2 pi x for float32 x in [0, 1)."""
    quarter = np.floor(turns * _F(4.0) + _HALF)
    x = (turns * _F(4.0) - quarter) * _HALF_PI
    z = x * x
    sine = ((_S0 * z + _S1) * z + _S2) * z * x + x
    cosine = ((_C0 * z + _C1) * z + _C2) * z * z - _HALF * z + _ONE
    q = np.int32(quarter) & np.int32(3)
    swap = (q & np.int32(1)) != np.int32(0)
    c = sine if swap else cosine
    s = cosine if swap else sine
    c = -c if (q == np.int32(1)) | (q == np.int32(2)) else c
    s = -s if q >= np.int32(2) else s
    return c, s
