"""A training run that is stopped goes on where it was."""

from dataclasses import asdict, dataclass

import pytest
import torch
from torch import nn

from experiments.training import export
from experiments.training.loop import Averaged, Run, adam
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.weights import load_weights, save_weights
from scmc_comm.errors import ScmcError


@dataclass(frozen=True)
class Recipe:
    lr: float = 0.1


def make(tmp_path, minutes):
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    averaged, optimizer = Averaged(net), adam(net.parameters(), Recipe.lr)
    state = {"net": net, "averaged": averaged, "optimizer": optimizer}
    return Run(tmp_path, Recipe(), minutes, state), net, averaged, optimizer


def test_resumes_step_time_and_weights(tmp_path):
    run, net, averaged, optimizer = make(tmp_path, 10)
    for _ in range(3):
        assert run.goes_on()
        optimizer.zero_grad()
        net(torch.ones(4, 2)).square().mean().backward()
        optimizer.step()
        averaged.update(net)
        run.step_done(loss=1.0)
    run.save()
    again, net2, averaged2, _ = make(tmp_path, 10)
    assert again.step == 3 and again.used_s >= 0
    assert torch.equal(net2.weight, net.weight)
    assert torch.equal(averaged2.net.weight, averaged.net.weight)
    assert not torch.equal(averaged.net.weight, net.weight)


def test_learning_rate_warms_up_then_falls(tmp_path):
    run, _, _, optimizer = make(tmp_path, 1)
    rates = []
    for step, used in ((0, 0), (50, 0), (200, 0), (300, 30), (400, 59)):
        run.step, run.used_s = step, used
        assert run.goes_on()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] < rates[1] < rates[2] == Recipe.lr
    assert rates[2] > rates[3] > rates[4]
    run.used_s = 60
    assert not run.goes_on() and (tmp_path / "checkpoint.pt").is_file()


@pytest.mark.parametrize(("minutes", "steps"), [(0, None), (-1, None), (1, 0)])
def test_a_run_without_length_is_refused(tmp_path, minutes, steps):
    with pytest.raises(ScmcError, match="expected more than 0"):
        Run(tmp_path / "run", Recipe(), minutes, {}, steps=steps)
    assert not (tmp_path / "run").exists()


def test_a_run_of_so_many_steps_does_not_look_at_the_clock(tmp_path):
    torch.manual_seed(0)
    optimizer = adam(nn.Linear(2, 1).parameters(), Recipe.lr)
    run = Run(tmp_path, Recipe(), 1, {"optimizer": optimizer}, steps=3)
    run.used_s = 1e6
    count = 0
    while run.goes_on():
        run.step_done(loss=0.0)
        count += 1
    assert count == 3 and run.progress == 1


@pytest.fixture
def before_and_after(tmp_path):
    """A file of small weights, and a checkpoint of others of the same shapes."""
    config = FusionConfig((8, 8, 8, 8), 8)
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(FusionNet(config).state_dict())
    save_weights("fusion", asdict(config), states[0], tmp_path / "old.safetensors")
    checkpoint = {"config": {"net": asdict(config)}, "state": {"averaged": states[1]}}
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    return (*states, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_export_keeps_a_share_of_the_start(before_and_after, share):
    old, new, folder = before_and_after
    files = ["checkpoint.pt", "-o", "new.safetensors", "--start", "old.safetensors"]
    paths = [a if a.startswith("-") else str(folder / a) for a in files]
    export.main(["fusion", *paths, "--keep", str(share)])
    _, state = load_weights("fusion", folder / "new.safetensors")
    assert state.keys() == new.keys()
    for name, value in state.items():
        expected = (1 - share) * new[name] + share * old[name]
        torch.testing.assert_close(value.float(), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("more", "says"),
    [(["--keep", "1"], "got --keep 1; expected"), (["--keep", "0.5"], "give --start as well")],
)
def test_a_share_of_nothing_is_not_exported(before_and_after, more, says):
    folder = before_and_after[2]
    out = folder / "new.safetensors"
    with pytest.raises(ScmcError, match=says):
        export.main(["fusion", str(folder / "checkpoint.pt"), "-o", str(out), *more])
    assert not out.exists()
