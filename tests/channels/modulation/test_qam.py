"""Mapping and demapping against Sionna's blocks and closed-form bit error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom

from channels.errors import ChannelError
from channels.fading.models import Awgn, RayleighBlock, noise
from channels.modulation.qam import constellation, demap, map_bits
from channels.rng import generator, preserve_torch_rng
from tests.references.ber import ber_awgn, ber_rayleigh

ORDERS = (2, 4, 6, 8)


def _bits(num: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 2, (num,), dtype=torch.uint8, generator=generator(seed, "bits"))


@pytest.mark.parametrize("order", ORDERS)
def test_points_have_unit_power_and_gray_labels(order: int) -> None:
    points = constellation(order)
    assert float(points.abs().square().mean()) == pytest.approx(1.0, abs=1e-6)
    distance = (points[:, None] - points[None]).abs()
    nearest = distance[distance > 1e-6].min()
    a, b = torch.nonzero((distance - nearest).abs() < 1e-4, as_tuple=True)
    assert {int(x ^ y).bit_count() for x, y in zip(a, b, strict=True)} == {1}


def test_qpsk_and_16qam_labels_of_38211() -> None:
    # 38.211, 5.1.3 and 5.1.4.
    for b0, b1 in np.ndindex(2, 2):
        expected = complex(1 - 2 * b0, 1 - 2 * b1) / math.sqrt(2)
        assert complex(map_bits(np.array([b0, b1]), 2)[0]) == pytest.approx(expected)
    for b in np.ndindex(2, 2, 2, 2):
        real = (1 - 2 * b[0]) * (2 - (1 - 2 * b[2]))
        imag = (1 - 2 * b[1]) * (2 - (1 - 2 * b[3]))
        expected = complex(real, imag) / math.sqrt(10)
        assert complex(map_bits(np.array(b), 4)[0]) == pytest.approx(expected)


@pytest.mark.parametrize("order", ORDERS)
def test_map_and_demap_agree_with_sionna(order: int) -> None:
    with preserve_torch_rng():
        from sionna.phy.mapping import Demapper, Mapper

        mapper = Mapper("qam", order, device="cpu")
        demapper = Demapper("app", "qam", order, device="cpu")
    bits = _bits(order * 2 * 300).reshape(2, -1)
    x = map_bits(bits, order)
    torch.testing.assert_close(x, mapper(bits.float()), rtol=0, atol=3e-7)
    state = RayleighBlock(1).draw(300, 9.0, [1, 2])
    y = state.h * x + noise(300, state.no, [1, 2])
    expected = demapper(y / state.h, state.no / state.h.abs().square())
    llr = demap(y, state.h, state.no, order)
    assert llr.dtype == torch.float32 and llr.shape == bits.shape
    torch.testing.assert_close(llr, expected, rtol=1e-3, atol=1e-3)


def _check_ber(order: int, esno_db: float, fading: bool) -> None:
    """Errors lie within a binomial interval; per-use fading keeps them independent enough."""
    num_symbols, seeds = 50_000, [11, 12]
    bits = _bits(num_symbols * order)
    channel = RayleighBlock(1) if fading else Awgn()
    state = channel.draw(num_symbols, esno_db, seeds)
    y = state.h * map_bits(bits, order) + noise(num_symbols, state.no, seeds)
    errors = int(((demap(y, state.h, state.no, order) > 0) != bits.bool()).sum())
    expected = (ber_rayleigh if fading else ber_awgn)(order, 10 ** (esno_db / 10))
    # Bits of one symbol fail together at worst: count symbols, not bits, as trials.
    low, high = binom.interval(0.9999, num_symbols * len(seeds), expected)
    assert low <= errors / order <= high, (errors, expected)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ber_target", [0.15, 0.02])
def test_uncoded_ber_in_awgn(order: int, ber_target: float) -> None:
    esno_db = next(s / 2 for s in range(-20, 80) if ber_awgn(order, 10 ** (s / 20)) < ber_target)
    _check_ber(order, esno_db, fading=False)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("esno_db", [5.0, 20.0])
def test_uncoded_ber_in_rayleigh_fading(order: int, esno_db: float) -> None:
    _check_ber(order, esno_db, fading=True)


def test_closed_forms_agree_with_textbook_cases() -> None:
    assert ber_awgn(2, 1.0) == pytest.approx(0.158655, abs=1e-6)  # Q(1)
    esno = 10.0
    ratio = math.sqrt((esno / 2) / (1 + esno / 2))
    assert ber_rayleigh(2, esno) == pytest.approx((1 - ratio) / 2)
    fades = -np.log(np.linspace(1, 0, 200_001)[:-1][1:])
    average = np.mean([ber_awgn(16 // 4, esno * g) for g in fades[::200]])
    assert ber_rayleigh(4, esno) == pytest.approx(average, rel=0.01)


@pytest.mark.parametrize("order", ORDERS)
def test_llrs_are_calibrated_in_fading(order: int) -> None:
    # P(bit = 1 | llr) = sigmoid(llr) holds only with the noise after equalisation.
    num = 60_000
    bits = _bits(num * order)
    state = RayleighBlock(1).draw(num, 8.0, [3])
    y = state.h * map_bits(bits, order) + noise(num, state.no, [3])
    llr = demap(y, state.h, state.no, order)[0]
    for low in (-4, -2, -1, 1, 2, 4):
        inside = (llr > low - 0.5) & (llr < low + 0.5)
        claimed = torch.sigmoid(llr[inside]).mean()
        assert float(bits[inside].float().mean()) == pytest.approx(float(claimed), abs=0.04)


def test_demapper_scales_with_the_gain() -> None:
    y, h = torch.full((1, 4), 0.3 + 0.1j), torch.full((1, 4), 0.5 - 0.2j)
    once, scaled = demap(y, h, 0.1, 2), demap(y * 3, h * 3, 0.9, 2)
    torch.testing.assert_close(once, scaled)


@pytest.mark.parametrize("order", ORDERS)
def test_extremes_stay_finite(order: int) -> None:
    bits = _bits(order * 8)
    x = map_bits(bits, order)[None]
    clean = demap(x, torch.ones_like(x), 0.0, order)
    assert torch.equal(clean[0] > 0, bits.bool()) and bool(clean.isfinite().all())
    silent = demap(x * 0, torch.zeros_like(x), 0.1, order)
    assert float(silent.abs().max()) < 1e-6


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ChannelError, match="multiple of 4"):
        map_bits(np.zeros(6, np.uint8), 4)
    with pytest.raises(ChannelError, match="expected one of"):
        map_bits(np.zeros(6, np.uint8), 3)
