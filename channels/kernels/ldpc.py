"""The compiled part of the LDPC decoder: layered normalised min-sum on integer lanes.

Memory: a group of B codewords is decoded at once. Base-graph column c is one contiguous block
of L = Z * B integers, bit z of codeword b at z * B + b, so the cyclic shift of a circulant is
one offset s * B into the block whatever Z is, and B is chosen to make L a whole number of
vectors, two at least. Each block has a guard of one vector on both sides, so that a vector that
wraps around is still one load: the guard behind mirrors the block's first vector, the one in
front takes the overhang of a store.

A codeword that is done leaves its lane at once and the next one takes it; ``fresh`` blanks the
old check messages in that lane during its first iteration.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from channels.kernels import simd
from channels.kernels.compiled import compiled

ALPHA_SHIFT = 6
_TRUSTED_LLR = np.float32(24.0)  # stronger LLRs do not count more in the mean
_LEAST_MEAN = np.float32(1e-20)  # keeps the amplification finite


class Layout(NamedTuple):
    """Sizes of one code and of the memory it is decoded in."""

    z: int
    k: int
    n: int
    num_info: int  # information and filler bits
    num_cols: int
    bits_per_symbol: int  # 1 without interleaver
    group: int  # codewords side by side, B
    length: int  # of a block, L
    stride: int  # from block to block
    lanes: int  # of one vector


class Tuning(NamedTuple):
    """Numbers that trade loss against range; LLR units are quantiser steps."""

    num_iter: int
    alpha: int  # min-sum normalisation times 2**ALPHA_SHIFT
    message_max: int
    llr_max: np.float32
    steps_per_nat: np.float32  # at least so many steps for an LLR of 1
    mean_steps: np.float32  # weak LLRs are amplified until their mean magnitude is this


@compiled(fastmath={"reassoc", "contract", "nsz"})
def _quantise(llr: Any, out: Any, tuning: Tuning) -> bool:
    """One codeword as integers of sign ln P(0)/P(1); False where there is a NaN."""
    total = np.float32(0.0)
    invalid = 0
    for i in range(llr.size):
        x = abs(simd.peek(llr, i))
        invalid |= x != x
        total += x if x < _TRUSTED_LLR else _TRUSTED_LLR
    mean = total / np.float32(llr.size)
    scale = tuning.steps_per_nat
    if mean * scale < tuning.mean_steps:
        scale = tuning.mean_steps / max(mean, _LEAST_MEAN)
    top = tuning.llr_max
    for i in range(llr.size):
        x = simd.peek(llr, i) * -scale
        x = x if x < top else top
        x = x if x > -top else -top
        simd.poke(out, i, np.int32(np.floor(x + np.float32(0.5))))
    return invalid == 0


@compiled()
def _deinterleave(interleaved: Any, out: Any, bits_per_symbol: int) -> None:
    """Inverse of the bit interleaver of 38.212, 5.4.2.2."""
    width = out.size // bits_per_symbol
    if bits_per_symbol == 2:  # a constant stride becomes vector shuffles
        for j in range(width):
            simd.poke(out, j, simd.peek(interleaved, 2 * j))
            simd.poke(out, width + j, simd.peek(interleaved, 2 * j + 1))
        return
    for i in range(bits_per_symbol):
        for j in range(width):
            simd.poke(out, i * width + j, simd.peek(interleaved, j * bits_per_symbol + i))


@compiled()
def _put(
    post: Any, lane: int, first: int, count: int, values: Any, start: int, lay: Layout
) -> None:
    """Write values[start : start + count] to the code bits first, first + 1, ... of one lane."""
    done = 0
    while done < count:
        row = (first + done) % lay.z
        size = min(lay.z - row, count - done)
        at = (first + done) // lay.z * lay.stride + lay.lanes + row * lay.group + lane
        if lay.group == 1:
            for i in range(size):
                simd.poke(post, at + i, simd.peek(values, start + done + i))
        else:
            for i in range(size):
                simd.poke(post, at + i * lay.group, simd.peek(values, start + done + i))
        done += size


@compiled()
def _put_constant(post: Any, lane: int, first: int, count: int, value: int, lay: Layout) -> None:
    for bit in range(first, first + count):
        at = bit // lay.z * lay.stride + lay.lanes + bit % lay.z * lay.group + lane
        simd.poke(post, at, value)


@compiled()
def _load_word(post: Any, lane: int, sent: Any, lay: Layout) -> None:
    """Undo puncturing and shortening (38.212, 5.4.2.1): one codeword into its lane."""
    num_sys = lay.k - 2 * lay.z
    end = lay.num_info + lay.n - num_sys
    _put_constant(post, lane, 0, 2 * lay.z, 0, lay)
    _put(post, lane, 2 * lay.z, num_sys, sent, 0, lay)
    _put_constant(post, lane, lay.k, lay.num_info - lay.k, np.iinfo(post.dtype).max, lay)
    _put(post, lane, lay.num_info, lay.n - num_sys, sent, num_sys, lay)
    _put_constant(post, lane, end, lay.num_cols * lay.z - end, 0, lay)
    for col in range(lay.num_cols):
        at = col * lay.stride + lay.lanes
        for i in range(lane, lay.lanes, lay.group):
            simd.poke(post, at + lay.length + i, simd.peek(post, at + i))


@compiled()
def _iterate(
    post: Any,
    messages: Any,
    scratch: Any,
    fresh: Any,
    row_ptr: Any,
    base: Any,
    shift: Any,
    lay: Layout,
    tuning: Tuning,
) -> None:
    """One layered iteration: each row of the base graph in turn, a vector of checks at a time."""
    lanes = lay.lanes
    length = lay.length
    keep = simd.load(fresh, 0)
    zero = simd.bit_xor(keep, keep)
    top = simd.splat_like(keep, tuning.message_max)
    for row in range(row_ptr.size - 1):
        first = simd.peek(row_ptr, row)
        last = simd.peek(row_ptr, row + 1)
        for tile in range(0, length, lanes):
            min1 = top
            min2 = top
            parity = zero
            message_at = first * length + tile
            scratch_at = 2 * lanes
            for e in range(first, last):
                at = simd.peek(shift, e) + tile
                at = at - length if at >= length else at
                old = simd.bit_and(simd.load(messages, message_at), keep)
                value = simd.sub_sat(simd.load(post, simd.peek(base, e) + at), old)
                simd.store(scratch, scratch_at, value)
                size = simd.magnitude(value)
                parity = simd.bit_xor(parity, value)
                min2 = simd.umin(min2, simd.umax(min1, size))
                min1 = simd.umin(min1, size)
                message_at += length
                scratch_at += lanes
            low = simd.scale_unsigned(min1, tuning.alpha, ALPHA_SHIFT)
            high = simd.scale_unsigned(min2, tuning.alpha, ALPHA_SHIFT)
            # These two stores keep LLVM from moving the scaling into the loop below.
            simd.store(scratch, 0, low)
            simd.store(scratch, lanes, high)
            message_at = first * length + tile
            scratch_at = 2 * lanes
            for e in range(first, last):
                value = simd.load(scratch, scratch_at)
                new = simd.select_equal(simd.magnitude(value), min1, high, low)
                new = simd.negate_where_negative(simd.bit_xor(parity, value), new)
                value = simd.add_sat(value, new)
                simd.store(messages, message_at, new)
                at = simd.peek(shift, e) + tile
                at = at - length if at >= length else at
                begin = simd.peek(base, e)
                simd.store(post, begin + at, value)
                mirror = at + length if at < lanes else at
                mirror = at - length if at > length - lanes else mirror
                simd.store(post, begin + mirror, value)
                message_at += length
                scratch_at += lanes


@compiled()
def _unsatisfied(
    post: Any, fresh: Any, row_ptr: Any, base: Any, shift: Any, active: Any, lay: Layout
) -> Any:
    """Bit set of the codewords with a failed check; stops once all active ones have one."""
    like = simd.load(fresh, 0)
    failed = simd.bit_xor(like, like)
    found = np.uint64(0)
    for row in range(row_ptr.size - 1):
        for tile in range(0, lay.length, lay.lanes):
            parity = simd.bit_xor(like, like)
            for e in range(simd.peek(row_ptr, row), simd.peek(row_ptr, row + 1)):
                at = simd.peek(shift, e) + tile
                at = at - lay.length if at >= lay.length else at
                parity = simd.bit_xor(parity, simd.load(post, simd.peek(base, e) + at))
            failed = simd.bit_or(failed, parity)
        found = simd.sign_bits(failed)
        width = 32
        while width >= lay.group:
            found |= found >> np.uint64(width)
            width >>= 1
        found &= active
        if found == active:
            break
    return found


@compiled()
def _hard_decisions(post: Any, lane: int, out: Any, lay: Layout) -> None:
    for col in range((lay.k + lay.z - 1) // lay.z):
        at = col * lay.stride + lay.lanes + lane
        size = min(lay.z, lay.k - col * lay.z)
        if lay.group == 1:
            for i in range(size):
                simd.poke(out, col * lay.z + i, simd.peek(post, at + i) < 0)
        else:
            for i in range(size):
                simd.poke(out, col * lay.z + i, simd.peek(post, at + i * lay.group) < 0)


@compiled()
def decode_words(
    llr: Any,
    bits: Any,
    clean: Any,
    iterations: Any,
    start: int,
    stop: int,
    like: Any,
    row_ptr: Any,
    base: Any,
    shift: Any,
    lay: Layout,
    tuning: Tuning,
) -> bool:
    """Decode llr[start:stop] into the same rows of the outputs; False where there is a NaN.

    Args:
        llr: float32 [b, n], ln P(1)/P(0).
        bits: uint8 [b, k], written.
        clean: bool [b], written: True where every check holds.
        iterations: int32 [b], written.
        start: First row.
        stop: One past the last row.
        like: Array of the integer type to compute in.
        row_ptr: int64 [num_rows + 1], first edge of each base-graph row.
        base: int64 [num_edges], where the edge's block starts.
        shift: int64 [num_edges], the edge's offset into the block, below ``lay.length``.
        lay: Sizes.
        tuning: Numbers of the algorithm.
    """
    max_degree = np.max(row_ptr[1:] - row_ptr[:-1])
    post = np.zeros(lay.num_cols * lay.stride, like.dtype)
    messages = np.zeros(base.size * lay.length, like.dtype)
    scratch = np.zeros((2 + max_degree) * lay.lanes, like.dtype)
    fresh = np.zeros(lay.lanes, like.dtype)
    received = np.empty(lay.n, like.dtype)
    sent = np.empty(lay.n, like.dtype)
    word = np.full(lay.group, -1, np.int64)
    active = np.uint64(0)
    one = np.uint64(1)
    valid = True
    upcoming = start
    while True:
        for lane in range(lay.group):
            if word[lane] < 0 and upcoming < stop:
                if lay.bits_per_symbol == 1:
                    valid &= _quantise(llr[upcoming], sent, tuning)
                else:
                    valid &= _quantise(llr[upcoming], received, tuning)
                    _deinterleave(received, sent, lay.bits_per_symbol)
                _load_word(post, lane, sent, lay)
                fresh[lane :: lay.group] = 0
                word[lane] = upcoming
                iterations[upcoming] = 0
                active |= one << np.uint64(lane)
                upcoming += 1
        if active == np.uint64(0):
            return valid
        _iterate(post, messages, scratch, fresh, row_ptr, base, shift, lay, tuning)
        fresh[:] = -1
        failed = _unsatisfied(post, fresh, row_ptr, base, shift, active, lay)
        for lane in range(lay.group):
            row = word[lane]
            if row < 0:
                continue
            iterations[row] += 1
            clean[row] = (failed >> np.uint64(lane)) & one == np.uint64(0)
            if clean[row] or iterations[row] >= tuning.num_iter:
                _hard_decisions(post, lane, bits[row], lay)
                word[lane] = -1
                active &= ~(one << np.uint64(lane))
