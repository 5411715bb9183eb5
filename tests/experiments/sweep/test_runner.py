"""The same results whatever the processes, the cache or the order; common random numbers."""

import dataclasses
import os
from functools import partial

import fakes
import numpy as np
import pytest
from fakes import TOYS, ToyPhy, ToySystem, files_below

from channels.fading.models import make_channel
from experiments.execution.cache import Cache, digest
from experiments.sweep import store
from experiments.sweep.made import load_system
from experiments.sweep.originals import originals
from experiments.sweep.points import trial_seeds
from experiments.sweep.runner import make_tasks, run_sweep
from experiments.sweep.tasks import prepare_cached, run_task
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.transmission import send


def results(folder):
    """All files of a run, byte by byte."""
    return files_below(folder)


def run(spec, out, jobs=1, **options):
    return run_sweep(spec, out, jobs, components=TOYS, progress=False, **options)


def test_two_processes_give_what_one_gives(toy_run, toy_spec, tmp_path):
    other = run(toy_spec, tmp_path / "two", jobs=2, use_cache=False)
    assert results(other) == results(toy_run)


def test_a_cached_run_equals_recomputation_and_encodes_nothing(
    toy_run, toy_cache, toy_spec, tmp_path
):
    fakes.CALLS.clear()
    again = run(toy_spec, tmp_path / "again", cache_dir=toy_cache)
    assert fakes.CALLS == {}
    fresh = run(toy_spec, tmp_path / "fresh", use_cache=False)
    fakes.CALLS.pop("measure")
    assert sum(fakes.CALLS.values()) == 3 * 3  # once per feasible system and image
    assert results(again) == results(fresh) == results(toy_run)


def test_more_trials_extend_a_run_and_keep_the_first_ones(toy_run, toy_cache, toy_spec, tmp_path):
    longer = run(
        dataclasses.replace(toy_spec, num_trials=20), tmp_path / "more", cache_dir=toy_cache
    )
    few, many = store.expand(store.load(toy_run)), store.expand(store.load(longer))
    np.testing.assert_array_equal(few.psnr_db, many.psnr_db.isel(trial=slice(12)))


def test_a_single_point_alone_equals_the_same_point_in_the_sweep(toy_run, toy_spec, tmp_path):
    alone = dataclasses.replace(
        toy_spec, systems=("toy-equal",), channels=("rayleigh_block",), esno_db=(9.0,)
    )
    one = store.expand(store.load(run(alone, tmp_path / "one", use_cache=False)))
    full = store.expand(store.load(toy_run)).sel(
        system=["toy-equal"], channel=["rayleigh_block"], esno_db=[9.0]
    )
    np.testing.assert_array_equal(one.psnr_db, full.psnr_db)


def test_a_cache_that_cannot_be_made_is_told_before_the_work(toy_spec, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ScmcError, match="cache .*file/c cannot be made: Not a directory; name"):
        run_sweep(
            toy_spec, tmp_path / "out", cache_dir=tmp_path / "file" / "c", components=TOYS,
            progress=False,
        )  # fmt: skip


def test_a_folder_that_cannot_be_written_is_noticed_before_the_work(toy_spec, tmp_path):
    (tmp_path / "file").touch()
    fakes.CALLS.clear()
    with pytest.raises(ScmcError, match="cannot write to folder"):
        run(toy_spec, tmp_path / "file" / "x", use_cache=False)
    assert not fakes.CALLS


def test_every_system_sees_the_same_fades(toy_spec, tmp_path):
    seen = {}

    class Recording(ToyPhy):
        def send(self, frames, channel, esno_db, seeds):
            gains = channel.draw(4, esno_db, seeds).h
            seen.setdefault((channel.name, esno_db), []).append((tuple(seeds), gains))
            return super().send(frames, channel, esno_db, seeds)

    components = dataclasses.replace(TOYS, make_phy=Recording)
    images = originals(fakes.toy_images("toys", 1))
    for task in make_tasks(toy_spec, images, ("mse",), tmp_path, components):
        run_task(task)
    assert all(len(calls) == 3 for calls in seen.values())
    for calls in seen.values():
        assert len({seeds for seeds, _ in calls}) == 1
        assert all(bool((gains == calls[0][1]).all()) for _, gains in calls)


def test_seeds_differ_between_trials_images_and_masters():
    drawn = {n for s in range(3) for i in ("a", "b") for n in trial_seeds(s, i, 0, 500)}
    assert len(drawn) == 3 * 2 * 500
    assert trial_seeds(1, "a1", 1, 2) != trial_seeds(1, "a", 11, 12)


def test_what_cannot_be_sent_is_kept_as_a_failure(toy_run):
    ds = store.load(toy_run)
    row = ds.sel(system="toy-too-big")
    assert (row.infeasible == "toy: nothing fits").all()
    assert (ds.set.values[row.delivered_set.values] == "").all()
    psnr = store.expand(ds).psnr_db.sel(system="toy-too-big")
    assert psnr.notnull().all() and (psnr < 20).all()


def test_a_damaged_cache_entry_is_computed_again(toy_run, toy_spec, tmp_path, caplog):
    cache = tmp_path / "cache"
    run(toy_spec, tmp_path / "a", cache_dir=cache)
    for path in cache.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-3])
    again = run(toy_spec, tmp_path / "b", cache_dir=cache)
    assert "damaged" in caplog.text
    assert results(again) == results(toy_run)


def test_new_code_or_weights_make_old_entries_invisible(toy_cache, toy_spec, tmp_path):
    newer = dataclasses.replace(TOYS, fingerprint=lambda: "toy-2")
    fakes.CALLS.clear()
    run_sweep(toy_spec, tmp_path / "x", cache_dir=toy_cache, components=newer, progress=False)
    fakes.CALLS.pop("measure")
    assert sum(fakes.CALLS.values()) == 9


def test_a_system_is_made_anew_when_a_file_that_it_names_is_rewritten(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Learned(ToySystem):
        file_options = ("weights",)
        weights: str = ""

    path = tmp_path / "net"
    make = partial(Learned, "toy", weights=str(path))
    components = dataclasses.replace(TOYS, make_system=lambda name: make())
    made = []
    for content in ("one", "three"):
        path.write_text(content)
        made += [load_system(components, "toy") for _ in range(2)]
    assert made[0] is made[1] and made[1] is not made[2] and made[2] is made[3]


def test_a_remembered_preparation_is_the_same_preparation(tmp_path):
    img = next(iter(fakes.toy_images("toys", 1).values()))
    budget, system, cache = Budget(1 / 24, 10.0), ToySystem("toy"), Cache(tmp_path)
    fresh = prepare_cached(partial(system.prepare, img, budget), "k", cache)
    fakes.CALLS.clear()
    known = prepare_cached(partial(system.prepare, img, budget), "k", cache)
    assert not fakes.CALLS
    assert known.ledger == fresh.ledger and known.bpp == fresh.bpp
    for a, b in zip(known.frames, fresh.frames, strict=True):
        assert (a.tag, a.mcs, a.power_db, a.priority) == (b.tag, b.mcs, b.power_db, b.priority)
        np.testing.assert_array_equal(a.bits, b.bits)
    channel = make_channel("awgn")
    sent = [send(p, channel, 9.0, [1, 2, 3], ToyPhy()).delivered for p in (fresh, known)]
    np.testing.assert_array_equal(*sent)
    shown = [system.reconstruct(p, frozenset({"semantic"})).img_hat for p in (fresh, known)]
    np.testing.assert_array_equal(*shown)


def test_digest_keeps_parts_and_kinds_apart():
    values = [("ab", "c"), ("a", "bc"), (b"ab", "c"), (1, "c"), ("1", "c"), (["ab", "c"],)]
    assert len({digest(*v) for v in values}) == len(values)


def test_errors_come_before_any_work(toy_spec, tmp_path):
    with pytest.raises(ScmcError, match="toy-flat"):
        run(dataclasses.replace(toy_spec, systems=("toi",)), tmp_path / "x")
    with pytest.raises(ScmcError, match="jobs"):
        run(toy_spec, tmp_path / "x", jobs=0, use_cache=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(ScmcError, match="is a file"):
        run(toy_spec, tmp_path / "file")


def test_unmeasured_metrics_are_left_out_not_made_up(toy_run, toy_spec):
    assert "lpips" in toy_spec.metrics
    assert "lpips" not in store.load(toy_run)


def test_others_may_read_results_as_far_as_the_umask_says(toy_spec, tmp_path):
    before = os.umask(0o027)
    try:
        out = run(toy_spec, tmp_path / "out", cache_dir=tmp_path / "cache")
    finally:
        os.umask(before)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 3 and {path.stat().st_mode & 0o777 for path in files} == {0o640}
