"""Replay of recorded SNR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from channels.errors import ChannelError
from channels.fading.models import channel_identity, make_channel
from channels.fading.trace import ReplayTrace, Trace, read_trace
from channels.ofdm.grid import OfdmGrid


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    path = tmp_path / "snr.csv"
    path.write_text("note,time_s,esno_db\nx,10.0,10\nx,10.5,0\nx,11.0,0\ny,12.0,20\n")
    return Trace(str(path), symbol_rate_hz=1000.0)


def test_values_are_interpolated_in_db_and_the_trace_goes_round(trace: Trace) -> None:
    times = np.array([0.0, 0.25, 0.5, 0.8, 1.5, 2.25])
    recorded = 10 * np.log10(trace.power_at(times)) + trace.mean_esno_db
    assert recorded.round(6).tolist() == [10, 5, 0, 0, 10, 5]
    dense = trace.power_at(np.linspace(0, 2, 200_001)[:-1])
    assert dense.mean() == pytest.approx(1.0, abs=1e-4)


def test_mean_power_is_one_and_trials_start_anywhere(trace: Trace) -> None:
    h = trace.draw(2000, 0.0, range(40)).h  # once round
    assert float(h.abs().square().mean()) == pytest.approx(1.0, abs=0.01)
    assert len(h.abs()[:, 0].unique()) > 2
    assert torch.equal(trace.draw(100, 0.0, [7]).h, h[7:8, :100])
    assert float(h.angle().std(1).max()) < 1e-5
    assert float(h.angle()[:, 0].std()) > 1.0


def test_on_a_grid_time_goes_by_symbols(trace: Trace) -> None:
    grid = OfdmGrid(12)
    h = trace.draw_grid(grid, 14, 2, 1, [3])
    assert h.shape == (1, 2, 1, 14, 12)
    assert bool((h == h[:, :1, :, :, :1]).all())
    assert make_channel(trace.name) == trace


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "has the columns ''"),
        ("time,snr\n0,1\n1,2\n", "has the columns 'time,snr'"),
        ("time_s,esno_db\n0,1\n", "has 1 rows"),
        ("time_s,esno_db\n0,1\n1,x\n", "line 3"),
        ("time_s,esno_db\n0,1\n1,nan\n", "line 3"),
        ("time_s,esno_db\n0,1\n1\n", "line 3"),
        ("time_s,esno_db\n0,1\ninf,2\n", "line 3"),
        ("time_s,esno_db\n0,1\n0,2\n", "does not rise at row 2"),
        ("\0\xff" * 100, "has the columns"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ChannelError, match=wrong):
        Trace(str(path))
    with pytest.raises(ChannelError, match=wrong) as error:
        read_trace(path)
    assert "\n" not in str(error.value)


def test_missing_file_and_missing_path() -> None:
    with pytest.raises(ChannelError, match="no trace file"):
        make_channel("trace:path=/nowhere.csv")
    with pytest.raises(ChannelError, match="needs path"):
        make_channel("trace")


def test_the_channel_and_the_timed_link_read_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "snr.csv"
    path.write_text("esno_db,time_s\n10,5.0\n20,6.0\n0,8.0\n")
    timed, channel = read_trace(path), Trace(str(path))
    assert timed == ReplayTrace((0.0, 1.0, 3.0), (10.0, 20.0, 0.0))
    times = np.linspace(0, 7, 29)
    replayed = 10 * np.log10(channel.power_at(times)) + channel.mean_esno_db
    np.testing.assert_allclose(replayed, [timed.esno_db(t) for t in times.tolist()], atol=1e-9)


def test_a_replayed_trace_goes_round() -> None:
    trace = ReplayTrace((0.0, 1.0, 3.0), (10.0, 20.0, 0.0))
    assert [trace.esno_db(t) for t in (0.0, 0.5, 2.0, 3.0, 3.5)] == [10, 15, 10, 10, 15]
    with pytest.raises(ChannelError, match="two or more"):
        ReplayTrace((0.0,), (1.0,))
    with pytest.raises(ChannelError, match="must start at 0 and rise"):
        ReplayTrace((0.0, 0.0), (1.0, 2.0))


def test_a_file_that_is_written_anew_is_another_channel(tmp_path: Path) -> None:
    path = tmp_path / "snr.csv"
    spec = f"trace:path={path}"
    path.write_text("time_s,esno_db\n0,0\n1,10\n")
    before, gains = channel_identity(spec), make_channel(spec)
    path.write_text("time_s,esno_db\n0,0\n1,20\n")
    assert channel_identity(spec) != before and before.startswith(spec)
    assert make_channel(spec) != gains
    assert not torch.equal(make_channel(spec).draw(50, 0.0, [1]).h, gains.draw(50, 0.0, [1]).h)
    path.write_text("time_s,esno_db\n0,0\n1,10\n")
    assert channel_identity(spec) == before and make_channel(spec) == gains


def test_the_identity_of_a_channel_without_files_is_its_text() -> None:
    for spec in ("awgn", "rician_block:k_factor_db=3,coherence_symbols=7"):
        assert channel_identity(spec) == spec
    with pytest.raises(ChannelError, match="no channel 'nonsense'"):
        channel_identity("nonsense")
