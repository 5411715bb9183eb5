"""Tables of block error rates: counting, keeping, reading."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from channels.bler.measure import Stopping, curve_keys, longest_block, measure_curve
from channels.bler.run import run
from channels.bler.table import (
    LEAST_BLER,
    BlerCurve,
    BlerTable,
    CurveKey,
    default_table,
    wilson_interval,
)
from channels.coding.segmentation import plan_blocks
from channels.errors import ChannelError
from channels.fading.models import Awgn
from channels.phy.bit_true import BitTruePhy
from channels.types import Frame, Mcs

QPSK = Mcs(2, 0.5)


def _curve(threshold_db: float, scale_db: float = 0.5, blocks: int = 10**6) -> BlerCurve:
    """A waterfall that is straight in the probit."""
    esno_db = threshold_db + scale_db * np.arange(-2.5, 4.0, 0.5)
    errors = np.round(blocks * norm.cdf((threshold_db - esno_db) / scale_db)).astype(np.int64)
    return BlerCurve(esno_db, np.full(len(esno_db), blocks, np.int64), errors)


def _table(thresholds_db: dict[int, float]) -> BlerTable:
    return BlerTable({CurveKey(2, 0.5, b): _curve(t) for b, t in thresholds_db.items()})


def test_reads_what_was_counted() -> None:
    table = _table({100: 2.0, 400: 1.0})
    for bits, threshold_db in ((100, 2.0), (400, 1.0)):
        for sigmas in (-1.0, 0.0, 1.3, 3.0):
            p = table.bler(QPSK, bits, np.array(threshold_db + 0.5 * sigmas))
            assert float(p) == pytest.approx(norm.cdf(-sigmas), rel=0.03)


def test_between_lengths_thresholds_follow_the_logarithm_of_the_length() -> None:
    table = _table({100: 2.0, 400: 1.0})
    assert table.esno_db(QPSK, 200, 0.5) == pytest.approx(1.5, abs=0.01)
    assert table.esno_db(QPSK, 141, 0.01) == pytest.approx(1.752 + 2.326 * 0.5, abs=0.02)


def test_below_the_last_error_rate_the_probit_goes_on_with_its_slope() -> None:
    table = _table({100: 2.0, 400: 1.0})
    curve = table.curves[CurveKey(2, 0.5, 100)]
    assert curve.end_slope() == pytest.approx(2.0, rel=0.02)
    for sigmas in (4.0, 5.0, 5.8):  # the curve was counted to 3.5
        assert table.esno_db(QPSK, 100, norm.cdf(-sigmas)) == pytest.approx(
            2 + 0.5 * sigmas, abs=0.03
        )
    last = table.bler(QPSK, 100, curve.esno_db[-1])
    assert float(last) == pytest.approx(curve.bler[-1], rel=0.05)
    p = table.bler(QPSK, 100, np.array([-np.inf, -50.0, 0.7, 50.0, np.inf]))
    assert p[:3].tolist() == [1.0, 1.0, 1.0] and p[3:] == pytest.approx(LEAST_BLER)


def test_the_shipped_table_is_monotone_in_esno_and_between_lengths() -> None:
    table, esno_db = default_table(), np.arange(-15.0, 80.0, 0.25)
    for mcs in table.schemes:
        lengths = table.lengths(mcs)
        for a, b in zip(lengths, lengths[1:], strict=False):
            ends = np.array([table.bler(mcs, bits, esno_db) for bits in (a, b)])
            assert (np.diff(ends) <= 0).all() and (ends[:, -1] < 1e-4).all()
            inner = [table.bler(mcs, a + (b - a) * i // 4, esno_db) for i in (1, 2, 3)]
            for shorter, longer in zip([ends[0], *inner], [*inner, ends[1]], strict=True):
                falling = ends[0] >= ends[1]
                assert (np.where(falling, shorter - longer, longer - shorter) >= -1e-12).all()


# Bits per symbol, code rate, bits of the code block: long ones, whose curves end earliest.
LONG = (
    (2, 0.205, 3840), (2, 0.290, 8448), (2, 0.514, 1920), (2, 0.514, 8448), (4, 0.332, 8448),
    (4, 0.540, 3824), (4, 0.643, 8448), (6, 0.505, 8448), (6, 0.754, 3824), (6, 0.853, 8448),
    (8, 0.736, 8448), (8, 0.926, 8448),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("order", "coderate", "bits"), LONG)
def test_bit_true_beyond_the_last_point(order: int, coderate: float, bits: int) -> None:
    """The link loses as much at four times less error rate than was counted, within 0.1 dB."""
    table = default_table()
    of_length = [k for k in table.curves if (k.num_bits_per_symbol, k.block_bits) == (order, bits)]
    key = min(of_length, key=lambda k: abs(k.coderate - coderate))
    assert key.coderate == pytest.approx(coderate, abs=1e-3)
    curve, mcs = table.curves[key], Mcs(key.num_bits_per_symbol, key.coderate)
    esno_db = table.esno_db(mcs, key.block_bits, curve.bler[-1] / 4)
    blocks, errors = 0, 0
    bits = np.random.default_rng(1).integers(0, 2, key.block_bits - 24, dtype=np.uint8)
    while errors < 8 and blocks < 40_000:
        seeds = range(blocks, blocks + 2000)
        report = BitTruePhy().send([Frame("a", bits, mcs)], Awgn(), esno_db, seeds)
        errors, blocks = errors + 2000 - int(report.delivered.sum()), blocks + 2000
    low, high = wilson_interval(np.array(errors), np.array(blocks), 0.99)
    assert low <= table.bler(mcs, key.block_bits, esno_db - 0.1)
    assert high >= table.bler(mcs, key.block_bits, esno_db + 0.1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), bits=st.integers(100, 400))
def test_never_rises_with_esno_however_noisy_the_counts(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    curves = {}
    for length in (100, 200, 400):
        clean = _curve(2 - np.log10(length / 100), blocks=40)
        errors = rng.binomial(40, clean.bler)
        curves[CurveKey(2, 0.5, length)] = dataclasses.replace(clean, num_errors=errors)
    p = BlerTable(curves).bler(QPSK, bits, np.linspace(-3, 6, 400))
    assert np.all(np.diff(p) <= 0) and p[0] == 1.0 and 0 < p[-1] < 0.5


def test_unknown_schemes_and_lengths_are_errors() -> None:
    table = _table({100: 2.0, 400: 1.0})
    with pytest.raises(ChannelError, match="has no Mcs.*scmc-comm bler"):
        table.bler(Mcs(4, 0.5), 100, np.zeros(1))
    for bits in (99, 401):
        with pytest.raises(ChannelError, match="has 100 to 400"):
            table.bler(QPSK, bits, np.zeros(1))
    with pytest.raises(ChannelError, match="reaches from"):
        table.esno_db(QPSK, 100, 1e-12)


def test_pooling_is_isotonic_regression() -> None:
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(3)
    blocks = rng.integers(20, 200, 12)
    errors = rng.binomial(blocks, np.linspace(0.9, 0.05, 12))
    x = np.arange(12.0)
    peer = IsotonicRegression(increasing=False).fit(x, errors / blocks, sample_weight=blocks)
    _, rate = BlerCurve(x, blocks, errors).monotone()
    assert np.allclose(rate, np.unique(peer.predict(x))[::-1])


def test_curves_that_cannot_be_are_refused() -> None:
    one = np.array([1.0, 2.0]), np.array([10, 10]), np.array([5, 1])
    BlerCurve(*one)
    with pytest.raises(ChannelError, match="rising"):
        BlerCurve(one[0][::-1].copy(), one[1], one[2])
    with pytest.raises(ChannelError, match="more errors than blocks"):
        BlerCurve(one[0], one[1], np.array([11, 0]))
    with pytest.raises(ChannelError, match="no curves"):
        BlerTable({})


def test_wilson_interval_covers() -> None:
    rng = np.random.default_rng(0)
    for p in (0.002, 0.1, 0.6):
        errors = rng.binomial(400, p, 4000)
        low, high = wilson_interval(errors, np.full(4000, 400))
        assert 0.93 < np.mean((low <= p) & (p <= high)) < 0.99
    for num in range(1, 3000, 7):  # where all trials ended alike the end is exact
        low, high = wilson_interval(np.array([0, num]), np.array([num, num]), 0.9995)
        assert low[0] == 0.0 and high[1] == 1.0


def test_a_table_keeps_every_count(tmp_path: Path) -> None:
    table = BlerTable(_table({100: 2.0, 400: 1.0}).curves, {"seed": 3, "note": "toy"})
    table.save(tmp_path / "toy.npz")
    back = BlerTable.load(tmp_path / "toy.npz")
    assert dict(back.provenance) == dict(table.provenance) and set(back.curves) == set(table.curves)
    for key, curve in table.curves.items():
        for name in ("esno_db", "num_blocks", "num_errors"):
            assert np.array_equal(getattr(back.curves[key], name), getattr(curve, name))
    assert [path.name for path in tmp_path.iterdir()] == ["toy.npz"]


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="no BLER table"):
        BlerTable.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    table = {name: np.zeros(3) for name in ("num_bits_per_symbol", "coderate", "block_bits")}
    table |= {name: np.zeros(3) for name in ("num_points", "esno_db", "num_blocks", "num_errors")}
    np.savez(tmp_path / "list.npz", format=1, provenance="[" * 100_000, **table)
    np.savez(tmp_path / "nan.npz", format=np.nan, **table)
    for name in ("text.npz", "other.npz", "list.npz", "nan.npz"):
        with pytest.raises(ChannelError, match="is not a BLER table"):
            BlerTable.load(tmp_path / name)


def test_measured_curve_is_the_bit_true_link() -> None:
    key = CurveKey(2, 0.5, 216)
    curve = measure_curve(key, Stopping(num_errors=200, min_bler=0.02), seed=1)
    assert curve.bler[0] > 0.95 and curve.bler[-1] <= 0.02
    assert np.all(curve.num_errors >= 200)
    at_db = BlerTable({key: curve}).esno_db(QPSK, 216, 0.1)
    lost = 0
    for payload in range(4):
        bits = np.random.default_rng(payload).integers(0, 2, 200, dtype=np.uint8)
        seeds = range(1000 * payload, 1000 * (payload + 1))
        report = BitTruePhy().send([Frame("a", bits, QPSK)], Awgn(), at_db, seeds)
        lost += 1000 - int(report.delivered.sum())
    low, high = wilson_interval(np.array(lost), np.array(4000), 0.999)
    assert low < 0.1 * 1.15 and high > 0.1 / 1.15  # the curve itself is good to about 7 %


def test_same_seed_same_counts_other_seed_other_counts() -> None:
    stopping = Stopping(num_errors=10, min_bler=0.05)
    a, b, c = (measure_curve(CurveKey(4, 0.6, 64), stopping, seed) for seed in (1, 1, 2))
    assert np.array_equal(a.num_errors, b.num_errors) and np.array_equal(a.esno_db, b.esno_db)
    assert not np.array_equal(a.num_blocks, c.num_blocks)


def test_too_few_bits_end_a_curve_early_and_leave_its_counts_honest() -> None:
    curve = measure_curve(CurveKey(2, 0.5, 1024), Stopping(30, 1e-4, max_bits=1e6))
    assert curve.num_errors.min() >= 5
    assert curve.num_blocks.max() * 2048 <= 2e6
    assert 1e-3 < curve.bler[-1] < 0.05


def test_a_stopped_run_goes_on_to_the_same_table(tmp_path: Path) -> None:
    stopping = Stopping(10, 0.05)
    keys = curve_keys([Mcs(2, 0.5), Mcs(4, 0.5)], [40, 64])
    whole = run(keys, stopping, tmp_path / "whole.npz")
    run(keys[:2], stopping, tmp_path / "parts.npz")
    parts = run(keys, stopping, tmp_path / "parts.npz", num_jobs=2)
    for key in keys:
        assert np.array_equal(whole.curves[key].num_errors, parts.curves[key].num_errors)
    with pytest.raises(ChannelError, match="measured otherwise"):
        run(keys, Stopping(11, 0.05), tmp_path / "parts.npz")


def test_curves_are_asked_for_at_lengths_that_one_block_holds() -> None:
    keys = curve_keys([Mcs(2, 0.2, 3), Mcs(2, 0.2), Mcs(2, 0.9)], (24, 3824, 8448))
    assert [(key.coderate, key.block_bits) for key in keys] == [
        (0.2, 24), (0.2, 3840), (0.9, 24), (0.9, 3824), (0.9, 8448)
    ]  # fmt: skip
    for mcs in (Mcs(2, 0.2), Mcs(2, 0.3), Mcs(2, 0.9)):
        longest = longest_block(mcs)
        assert plan_blocks(longest - 24, mcs).num_blocks == 1
        assert plan_blocks(longest - 15, mcs).num_blocks == 2
    with pytest.raises(ChannelError, match="no payload"):
        curve_keys([Mcs(2, 0.5)], [16])


def test_shipped_table_covers_its_lengths_and_says_how_it_was_made() -> None:
    table = default_table()
    assert {"decoder", "seed", "stopping", "channel"} <= set(table.provenance)
    assert len(table.schemes) >= 39 and len(table.curves) == 306
    for mcs in table.schemes:
        lengths = table.lengths(mcs)
        assert lengths[0] <= 24 and lengths[-1] == longest_block(mcs)
        for bits in lengths:
            curve = table.curves[CurveKey(mcs.num_bits_per_symbol, mcs.coderate, bits)]
            assert curve.bler[-1] < 5e-3 and curve.bler[0] > 0.9, (mcs, bits)
            assert curve.num_errors.min() >= 5
