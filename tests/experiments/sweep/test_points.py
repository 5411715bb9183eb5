"""Delivered sets as masks, trials in pieces, stopping rules, and exact probabilities."""

import dataclasses
from collections import Counter

import fakes
import numpy as np
import pytest
from fakes import TOY, ToyPhy, ToySystem, toy_image
from hypothesis import given
from hypothesis import strategies as st

from channels.fading.models import make_channel
from channels.types import LinkReport
from experiments.execution.cache import Cache
from experiments.sweep import points
from experiments.sweep.points import (
    NEGLIGIBLE,
    TrialLog,
    expected_masks,
    mask_dtype,
    mask_of,
    run_trials,
    send_masks,
    set_of,
    trial_seeds,
)
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.transmission import send

TAGS = ("semantic", "structure", "signal", "signal.2")


@pytest.fixture(scope="module")
def prepared():
    img = next(iter(fakes.toy_images("toys", 1).values()))
    return ToySystem("toy").prepare(img, Budget(1 / 24, 10.0))


def test_a_mask_and_its_set_are_each_other_s_inverse():
    masks = range(1 << len(TAGS))
    assert [mask_of(TAGS, set_of(TAGS, mask)) for mask in masks] == list(masks)
    assert set_of(TAGS, 0b1001) == {"semantic", "signal.2"}


@pytest.mark.parametrize(("frames", "size"), [(0, 1), (1, 1), (8, 1), (9, 2), (33, 8), (64, 8)])
def test_a_mask_takes_a_byte_up_to_eight_frames(frames, size):
    assert mask_dtype(frames).itemsize == size


def test_more_frames_than_bits_are_an_error():
    with pytest.raises(ScmcError, match="65 frames"):
        mask_dtype(65)


def test_masks_say_what_send_says(prepared):
    channel, seeds = make_channel("rayleigh_block"), trial_seeds(3, "x", 0, 200)
    report = send(prepared, channel, 9.0, seeds, ToyPhy())
    sent = [report.delivered_tags(trial) for trial in range(200)]
    masks = send_masks(prepared, channel, 9.0, seeds, ToyPhy())
    assert [set_of(prepared.tags, int(mask)) for mask in masks] == sent
    assert len(set(sent)) > 3


class LyingPhy:
    """Every check passes; the first frame's bits are wrong in odd trials."""

    def send(self, frames, channel, esno_db, seeds):
        shape = (len(seeds), len(frames))
        uses = ToyPhy().send(frames, channel, esno_db, seeds).channel_uses
        bits = [np.tile(f.bits, (len(seeds), 1)) for f in frames]
        bits[0][1::2, 5] ^= 1
        return LinkReport(tuple(f.tag for f in frames), np.ones(shape, bool), uses, tuple(bits))


def test_undetected_errors_are_losses(prepared, caplog):
    masks = send_masks(prepared, make_channel("awgn"), 0.0, (1, 2, 3, 4), LyingPhy())
    assert masks.tolist() == [7, 6, 7, 6]
    assert "undetected errors in 2 frames semantic" in caplog.text


def test_nothing_arrives_of_nothing():
    nothing = Prepared.nothing((64, 64), Budget(1 / 24, 10.0), "too small")
    assert send_masks(nothing, None, 0.0, (1, 2), None).tolist() == [0, 0]
    assert expected_masks(nothing, None, 0.0, None) == {0: 1.0}


def test_a_log_sends_only_what_it_does_not_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(points, "CHUNK", 10)
    asked = []

    def send(start, stop):
        asked.append((start, stop))
        return np.arange(start, stop).astype(np.uint8)

    log = TrialLog(Cache(tmp_path), "k", np.dtype(np.uint8))
    assert np.concatenate([*log.extend(0, 7, send)]).tolist() == [*range(7)]
    assert np.concatenate([*log.extend(4, 25, send)]).tolist() == [*range(4, 25)]
    assert np.concatenate([*log.extend(0, 25, send)]).tolist() == [*range(25)]
    assert asked == [(0, 7), (7, 10), (10, 20), (20, 25)]
    assert np.concatenate([*log.read(13)]).tolist() == [*range(13)]
    with pytest.raises(ScmcError, match="SCMC_COMM_CACHE"):
        list(log.read(26))


def test_of_two_runs_on_one_log_the_longer_is_kept(tmp_path):
    log = TrialLog(Cache(tmp_path), "k", np.dtype(np.uint8))

    def send(start, stop):
        return np.arange(start, stop).astype(np.uint8)

    def send_while_another_draws_more(start, stop):
        list(log.extend(0, 200, send))
        return send(start, stop)

    assert np.concatenate([*log.extend(0, 5, send_while_another_draws_more)]).tolist() == [
        *range(5)
    ]
    assert np.concatenate([*log.read(200)]).tolist() == [*range(200)]


def ran(tmp_path, loss, **rules):
    """Trials run with one frame that is lost with probability ``loss``."""
    spec = dataclasses.replace(TOY, num_trials=5000, min_trials=10, **rules)
    lost = np.random.default_rng(1).random(5000) < loss
    log = TrialLog(Cache(tmp_path), "k", np.dtype(np.uint8))
    counts = run_trials(spec, log, 1, lambda start, stop: (~lost[start:stop]).astype(np.uint8))
    assert counts == Counter((~lost[: counts.total()]).astype(int).tolist())
    return counts


def test_it_stops_on_the_width_of_the_interval(tmp_path):
    counts = ran(tmp_path, 0.3, stop_half_width=0.05)
    p, n = counts[0] / counts.total(), counts.total()
    assert 1.96 * np.sqrt(p * (1 - p) / n) < 0.05 < 1.96 * np.sqrt(2 * p * (1 - p) / n)


def test_it_stops_on_the_number_of_errors(tmp_path):
    counts = ran(tmp_path, 0.01, stop_errors=20)
    assert 20 <= counts[0] and 1000 < counts.total() < 5000


def test_a_frame_has_to_satisfy_one_rule_of_two(tmp_path):
    # 40 trials without a loss leave 7 % possible, 80 leave 4 %.
    assert ran(tmp_path, 0.0, stop_errors=5, stop_half_width=0.05).total() == 80
    assert ran(tmp_path, 0.0, stop_errors=5).total() == 5000


def test_exact_probabilities_are_those_of_many_draws(prepared):
    channel = make_channel("rayleigh_block")
    exact = expected_masks(prepared, channel, 9.0, ToyPhy("expected"))
    masks = send_masks(prepared, channel, 9.0, trial_seeds(1, "x", 0, 4000), ToyPhy())
    assert sum(exact.values()) == pytest.approx(1, abs=1e-12)
    for mask in range(8):
        share, p = (masks == mask).mean(), exact.get(mask, 0.0)
        assert share == pytest.approx(p, abs=3.5 * np.sqrt(p * (1 - p) / 4000) + 1e-3)


class BadPhy:
    def __init__(self, found):
        self.found = found

    def expected_delivery(self, frames, channel, esno_db):
        return self.found


@given(st.lists(st.floats(-12, 0), min_size=8, max_size=8))
def test_the_sets_left_out_are_the_least_likely_and_together_negligible(exponents):
    prepared = ToySystem("toy").prepare(toy_image(0), Budget(1 / 24, 10.0))
    each = 10.0 ** np.array(exponents)
    each /= each.sum()
    sets = [set_of(prepared.tags, mask) for mask in range(8)]
    exact = expected_masks(prepared, None, 0.0, BadPhy(dict(zip(sets, each, strict=True))))
    left = [mask for mask in range(8) if mask not in exact]
    assert each[left].sum() <= NEGLIGIBLE
    assert max(each[left], default=0) <= min(each[[*exact]])
    nearest = min(each[[*exact]])
    assert each[left].sum() + nearest > NEGLIGIBLE  # none is kept that could be left out
    assert sum(exact.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("wrong", [{frozenset(): 0.9}, {frozenset(): float("nan")}])
def test_probabilities_that_do_not_add_up_are_an_error(prepared, wrong):
    with pytest.raises(ScmcError, match="add up to"):
        expected_masks(prepared, None, 0.0, BadPhy(wrong))
