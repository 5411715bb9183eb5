"""The races measure both sides alike; how fast it is, no test can promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from channels.coding.ldpc import LdpcDecoder
from channels.errors import ChannelError
from experiments.bench import link as benchmark
from experiments.bench import timed


def test_races_run_both_sides_and_restore_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "LDPC_CASES", ((100, 200, 6.0, 6.0),))
    monkeypatch.setattr(benchmark, "CHAIN_CASES", ((benchmark.Mcs(4, 0.5), 84, 12.0),))
    before = torch.get_num_threads()
    for race in (benchmark.race_decoders, benchmark.race_chains):
        (row,) = race(num_blocks=200, num_plain=2, repeats=2, threads=1)
        assert row.bler == row.plain_bler == 0.0
        assert min(row.mbit_per_s, row.plain_mbit_per_s, row.cpu_ratio) > 0
        assert row.ratio == pytest.approx(row.mbit_per_s / row.plain_mbit_per_s)
    assert torch.get_num_threads() == before
    with pytest.raises(ChannelError, match="threads is 0"):
        benchmark.race_decoders(threads=0)


def test_the_same_work_on_both_sides_is_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were one side timed otherwise than the other, a race of equals would have a winner."""
    monkeypatch.setattr(benchmark, "LDPC_CASES", ((100, 200, 6.0, 6.0),))

    def ours(k: int, n: int) -> object:
        decode = LdpcDecoder(k, n, num_iter=benchmark.NUM_ITER)
        return lambda llr: torch.from_numpy(decode(llr.numpy()))

    monkeypatch.setattr(benchmark, "_sionna_decoder", ours)
    (row,) = benchmark.race_decoders(num_blocks=2000, num_plain=2000, repeats=5, threads=1)
    assert 0.5 < row.cpu_ratio < 2


def test_loss_is_small_and_its_interval_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "LDPC_CASES", ((100, 200, 2.5, 2.5),))
    losses = benchmark.measure_loss(num_errors=30, threads=1)
    assert [loss.num_iter for loss in losses] == [20, 50]
    for loss in losses:
        assert 30 <= loss.plain_errors <= loss.plain_blocks // 4
        assert loss.loss_low_db <= loss.loss_db <= loss.loss_high_db
        assert abs(loss.loss_db) < 0.3


def test_llrs_are_of_the_asked_esno() -> None:
    bits, llr = benchmark.draw_llr(200, 401, 3.0, 400, seed=1)
    assert llr.shape == (400, 401)
    assert np.array_equal(LdpcDecoder(200, 401)(llr)[:5], bits[:5])
    # LLRs of BPSK at this noise: E|llr| / std tells the Es/N0 of a real dimension.
    amplitude = 4 * np.sqrt(0.5) * 10**0.3 * np.sqrt(0.5)
    assert np.mean(llr**2) == pytest.approx(amplitude**2 + 2 * amplitude, rel=0.02)


def test_machine_is_named() -> None:
    found = benchmark.machine()
    assert found["cores"] >= 1 and "numba" in found["packages"]


def test_the_timed_link_is_timed() -> None:
    found = timed.run(duration_s=2.0)
    assert found["simulated_s"] == 2.0 and found["seconds"] > 0
    assert found["blocks"] >= found["packets"] // 2 > 0 and 0 < found["utilisation"] <= 1
