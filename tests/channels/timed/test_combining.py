"""What several transmissions are worth, against the bit-true chain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding.ldpc import LdpcDecoder
from channels.coding.ldpc_encode import ldpc_encoder
from channels.coding.redundancy import circular_buffer, redundancy_version
from channels.coding.segmentation import plan_blocks
from channels.errors import ChannelError
from channels.fading.models import noise
from channels.modulation.qam import demap, map_bits
from channels.timed.combining import effective_esno_db
from channels.types import BITS_PER_SYMBOL, Mcs


def bit_errors(k: int, mcs: Mcs, kind: str, esno_db: float, attempts: int, num: int) -> float:
    """Block error rate over AWGN, the LLRs of all transmissions added in a soft buffer."""
    plan, order, no = plan_blocks(k, mcs), mcs.num_bits_per_symbol, 10 ** (-esno_db / 10)
    buffer = circular_buffer(plan.block_bits)
    bits = np.random.default_rng(k).integers(0, 2, (num, plan.block_bits), dtype=np.uint8)
    coded = ldpc_encoder(plan.block_bits, buffer.num_bits)(bits)
    interleaver = np.arange(plan.symbols_once * order).reshape(order, -1).T.reshape(-1)
    soft = torch.zeros(num, buffer.num_bits)
    for attempt in range(1, attempts + 1):
        rv = redundancy_version(kind, attempt)
        places = buffer.positions(rv, len(interleaver))[interleaver]
        symbols = map_bits(coded[:, places], order)
        seeds = [attempt * 10_000 + i for i in range(num)]
        y = symbols + noise(symbols.shape[1], no, seeds)
        soft.index_add_(1, torch.as_tensor(places), demap(y, torch.ones(1), no, order))
    decoded = LdpcDecoder(plan.block_bits, buffer.num_bits, num_threads=1)(soft)
    return float((decoded != bits).any(1).mean())


@pytest.mark.parametrize("attempts", [2, 4])
def test_chase_combining_gains_the_energy_of_its_transmissions(attempts: int) -> None:
    # Without fading m transmissions are one with m times the Es/N0, exactly.
    mcs, num = Mcs(2, 0.5), 400
    once = bit_errors(500, mcs, "chase", 1.0, 1, num)
    combined = bit_errors(500, mcs, "chase", 1.0 - 10 * math.log10(attempts), attempts, num)
    assert 0.2 < once < 0.7
    assert combined == pytest.approx(once, abs=4 * math.sqrt(2 * 0.25 / num))


def test_incremental_redundancy_gains_code_rate_as_well() -> None:
    mcs = Mcs(4, 0.75)
    assert bit_errors(1000, mcs, "chase", 5.5, 2, 60) > 0.95
    assert bit_errors(1000, mcs, "incremental", 5.5, 2, 60) < 0.05


@pytest.mark.parametrize(
    ("k", "mcs", "attempts"),
    [(1000, Mcs(2, 602 / 1024), 2), (1000, Mcs(2, 602 / 1024), 4), (300, Mcs(4, 616 / 1024), 3),
     (3600, Mcs(6, 666 / 1024), 2)],
)  # fmt: skip
def test_the_effective_esno_meets_the_bit_true_chain(k: int, mcs: Mcs, attempts: int) -> None:
    """Es/N0 at which half of the blocks are lost, within 0.5 dB."""

    def half_lost(attempts: int, low: float, high: float) -> float:
        while high - low > 0.1:
            middle = (low + high) / 2
            if bit_errors(k, mcs, "incremental", middle, attempts, 60) > 0.5:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    needed = half_lost(1, -5.0, 20.0)
    measured = half_lost(attempts, needed - 15.0, needed)
    effective, nearby = (
        effective_esno_db(mcs, k, "incremental", [measured + step] * attempts) for step in (0, 0.1)
    )
    assert abs(effective - needed) / ((nearby - effective) / 0.1) < 0.5


def test_chase_combining_has_a_closed_form() -> None:
    mcs = Mcs(6, 0.5)
    levels = [-3.0, 0.0, 4.0]
    total = 10 * math.log10(sum(10 ** (x / 10) for x in levels))
    assert effective_esno_db(mcs, 800, "chase", levels) == pytest.approx(total)
    assert effective_esno_db(mcs, 800, "incremental", [4.0]) == pytest.approx(4.0)
    with pytest.raises(ChannelError, match="empty"):
        effective_esno_db(mcs, 800, "chase", [])


@given(
    order=st.sampled_from(BITS_PER_SYMBOL),
    coderate=st.floats(0.2, 0.9),
    k=st.integers(24, 9000),
    levels=st.lists(st.floats(-20.0, 25.0), min_size=2, max_size=6),
)
@settings(deadline=None)
def test_new_bits_and_transmissions_never_hurt(
    order: int, coderate: float, k: int, levels: list[float]
) -> None:
    mcs = Mcs(order, coderate)
    chase, incremental = (
        [effective_esno_db(mcs, k, kind, levels[: i + 1]) for i in range(len(levels))]
        for kind in ("chase", "incremental")
    )
    assert all(b >= a - 1e-9 for a, b in zip(chase, incremental, strict=True))
    assert all(b >= a - 1e-9 for a, b in zip(chase, chase[1:], strict=False))
