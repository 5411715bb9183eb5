"""A sweep in shards gives, byte for byte, what it gives in one piece."""

import pytest
from fakes import TOYS, files_below

from experiments.commands.main import main
from experiments.execution.cache import default_cache_dir
from experiments.execution.inventory import merge
from experiments.sweep.runner import run_shard, run_sweep
from experiments.sweep.shards import Shard
from scmc_comm.errors import ScmcError


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_shards_share_out_all_tasks(count):
    tasks = list(range(23))
    shards = [Shard(i, count).of(tasks) for i in range(1, count + 1)]
    assert sorted(task for shard in shards for task in shard) == tasks
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(
    "text", ["", "3", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "1/99999999", "a/b"]
)
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(ScmcError, match="shard"):
        Shard.parse(text)


def test_a_sweep_of_merged_shards_computes_nothing_and_gives_the_same_files(
    toy_spec, toy_run, tmp_path
):
    import fakes

    total = 0
    for number in (1, 2, 3):  # each on a machine of its own
        folder = tmp_path / f"machine{number}"
        total += run_shard(
            toy_spec, Shard(number, 3), 1, cache_dir=folder, components=TOYS, progress=False
        )
        assert merge(folder, tmp_path / "all") > 0
    assert total >= 3
    fakes.CALLS.clear()
    out = run_sweep(
        toy_spec, tmp_path / "out", 1, cache_dir=tmp_path / "all", components=TOYS, progress=False
    )
    assert fakes.CALLS == {}
    assert files_below(out) == files_below(toy_run)
    assert merge(tmp_path / "machine1", tmp_path / "all") == 0


def test_merge_leaves_damaged_entries_out(toy_spec, tmp_path):
    run_shard(toy_spec, Shard(1, 4), 1, cache_dir=tmp_path / "a", components=TOYS, progress=False)
    files = [p for p in (tmp_path / "a").rglob("*") if p.is_file()]
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"?")
    assert merge(tmp_path / "a", tmp_path / "b") == len(files) - 1


def test_the_command_line_fills_the_cache_and_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    small = [
        "sweep", "quick", "--jobs", "1", "--images", "photos@64", "--set", "num_images=1", "--set",
        "systems=jpeg", "--set", "channels=awgn", "--set", "esno_db=5,10", "--set", "num_trials=2",
        "--set", "metrics=psnr_db", "--set", "bounds=",
    ]  # fmt: skip
    main([*small, "--shard", "1/1"])
    assert str(default_cache_dir()) in capsys.readouterr().out
    main([*small, "--out", str(tmp_path / "out"), "--no-figures"])
    assert (tmp_path / "out" / "results.csv").is_file()
    with pytest.raises(SystemExit) as ended:
        main(["sweep", "congestion", "--shard", "1/2"])
    assert ended.value.code == 2 and "timed link" in capsys.readouterr().err


def test_cache_merge_wants_folders(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    for wrong in ([], [str(tmp_path / "none")]):
        with pytest.raises(SystemExit) as ended:
            main(["cache", "merge", *wrong])
        assert ended.value.code == 2
    assert "is no folder" in capsys.readouterr().err
