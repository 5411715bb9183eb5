"""Weight files: what survives their compact forms, and what a wrong file says."""

import pytest
import torch

from scmc_comm.codec.weights import load_weights, save_weights
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER


@pytest.mark.parametrize("eight_bits", [False, True])
def test_weights_survive_within_their_precision(tmp_path, eight_bits):
    gen = torch.Generator().manual_seed(0)
    state = {
        "a.weight": torch.randn(6, 4, 3, 3, generator=gen) * torch.logspace(-6, 2, 6).view(-1, 1, 1, 1),
        "a.bias": torch.randn(6, generator=gen),
        "table": torch.arange(5),
        "zero.weight": torch.zeros(2, 3),
        "exact.weight": torch.randn(3, 3, generator=gen),
    }  # fmt: skip
    path = tmp_path / "net.safetensors"
    save_weights("net", {"widths": (1, 2)}, state, path, ("exact.",), eight_bits)
    config, back = load_weights("net", path)
    assert config == {"widths": (1, 2)} and set(back) == set(state)
    assert torch.equal(back["table"], state["table"])
    assert torch.equal(back["exact.weight"], state["exact.weight"])
    assert not back["zero.weight"].any()
    rows = state["a.weight"].flatten(1)
    error = (back["a.weight"].flatten(1) - rows).abs().amax(1) / rows.abs().amax(1)
    assert (error < (0.6 / 127 if eight_bits else 0.05)).all()


def test_another_networks_file_is_named(tmp_path):
    save_weights("edges", {}, {"x": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ScmcError, match="holds 'edges'; expected weights of 'fusion'"):
        load_weights("fusion", tmp_path / "w.safetensors")


def test_all_shipped_weights_together_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 90e6
