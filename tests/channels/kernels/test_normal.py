"""The counter-based generator and the float32 functions it stands on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit
from scipy import stats

from channels.errors import ChannelError
from channels.kernels.float_math import cos_sin_turns, exp32, log32
from channels.kernels.normal import complex_normal, philox, stream_keys, uniform


@njit
def _philox(c0: Any, c1: Any, k0: Any, k1: Any) -> Any:
    return philox(c0, c1, k0, k1)


def test_philox_known_answer() -> None:
    # Random123's kat_vectors: counter and key of zeros.
    zero = np.uint32(0)
    words = [int(w) for w in _philox(zero, zero, zero, zero)]
    assert words == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_philox_matches_its_plain_form_on_random_counters() -> None:
    def plain(counter: list[int], key: list[int]) -> list[int]:
        c, k = counter, key
        for _ in range(10):
            p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [
                (p1 >> 32) ^ c[1] ^ k[0],
                p1 & 0xFFFFFFFF,
                (p0 >> 32) ^ c[3] ^ k[1],
                p0 & 0xFFFFFFFF,
            ]
            k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
        return c

    for words in np.random.default_rng(0).integers(0, 2**32, (20, 4), np.uint32):
        c0, c1, k0, k1 = (int(w) for w in words)
        assert [int(w) for w in _philox(*words)] == plain([c0, c1, 0, 0], [k0, k1])


@njit
def _apply(x: Any, which: int, out: Any) -> None:
    for i in range(x.size):
        if which == 0:
            out[i] = exp32(x[i])
        elif which == 1:
            out[i] = log32(x[i])
        else:
            out[i] = cos_sin_turns(x[i])[which - 2]


def test_float32_functions_are_good_to_their_last_digits() -> None:
    def of(x: np.ndarray, which: int) -> np.ndarray:
        out = np.empty_like(x)
        _apply(x, which, out)
        return out.astype(float)

    x = np.linspace(-86, 20, 50_001).astype(np.float32)
    assert np.allclose(of(x, 0), np.exp(x.astype(float)), rtol=2e-7, atol=0)
    x = np.exp(np.linspace(-60, 60, 50_001)).astype(np.float32)
    assert np.allclose(of(x, 1), np.log(x.astype(float)), rtol=2e-7, atol=1e-7)
    x = np.linspace(0, 1, 50_001)[:-1].astype(np.float32)
    assert np.allclose(of(x, 2), np.cos(2 * np.pi * x.astype(float)), atol=2e-7)
    assert np.allclose(of(x, 3), np.sin(2 * np.pi * x.astype(float)), atol=2e-7)


def test_noise_is_circular_gaussian() -> None:
    z = complex_normal(2001, stream_keys(range(100), "noise"), variance=2.0)
    parts = np.concatenate([z.real.ravel(), z.imag.ravel()])
    assert stats.kstest(parts, "norm").pvalue > 0.001
    assert abs(np.corrcoef(z.real.ravel(), z.imag.ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(z[:, 1:].real.ravel(), z[:, :-1].real.ravel())[0, 1]) < 0.01
    assert np.mean(np.abs(parts) > 4) == pytest.approx(2 * stats.norm.sf(4), rel=0.8)


def test_rows_depend_on_seed_and_name_alone() -> None:
    a = complex_normal(50, stream_keys([5, 6, 7], "noise"))
    assert np.array_equal(a[1:2], complex_normal(50, stream_keys([6], "noise")))
    assert np.array_equal(a[:, :33], complex_normal(33, stream_keys([5, 6, 7], "noise")))
    assert not np.any(a == complex_normal(50, stream_keys([5, 6, 7], "gain")))
    assert len(np.unique(a)) == a.size
    with pytest.raises(ChannelError, match="expected integers"):
        stream_keys([1.5], "noise")  # type: ignore[list-item]


def test_uniform_is_uniform_over_consecutive_seeds() -> None:
    u = uniform(stream_keys(range(20_000), "table:semantic"))
    assert stats.kstest(u, "uniform").pvalue > 0.001
    other = uniform(stream_keys(range(20_000), "table:signal"))
    assert abs(np.corrcoef(u, other)[0, 1]) < 0.03
