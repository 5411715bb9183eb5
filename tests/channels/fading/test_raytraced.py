"""Ray-traced scenes: without the extra a clear error, with it a channel like any other."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch

from channels.errors import ChannelError
from channels.fading.models import channel_identity, make_channel
from channels.fading.raytraced import RayTraced
from channels.ofdm.grid import OfdmGrid

LLVM = "import drjit, sys; sys.exit(drjit.detail.llvm_version()[0] < 17)"


def installed() -> bool:
    try:
        version("sionna-rt")
    except PackageNotFoundError:
        return False
    return subprocess.run([sys.executable, "-c", LLVM], capture_output=True).returncode == 0


@pytest.mark.parametrize("spec", ["ray_traced", "ray_traced:scene=munich"])
def test_without_the_extra_the_error_names_the_fix(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("channels.fading.raytraced.version", missing)
    with pytest.raises(ChannelError, match=r"pip install 'scmc-comm\[rt\]'") as error:
        make_channel(spec)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("args", ["radius_m=0", "speed_kmh=-1", "carrier_hz=0", "tx_x_m=inf"])
def test_hostile_settings_give_one_clear_line(args: str) -> None:
    with pytest.raises(ChannelError, match="expected"):
        make_channel(f"ray_traced:{args}")


@pytest.mark.slow
@pytest.mark.skipif(not installed(), reason="needs the extra rt and LLVM 17 or newer")
def test_gains_of_a_street() -> None:
    channel, grid = RayTraced(), OfdmGrid(num_subcarriers=1200)
    seeds = range(12)
    h = channel.draw_grid(grid, 2, 2, 2, seeds)
    assert h.shape == (12, 2, 2, 2, 1200) and h.dtype == torch.complex64
    assert float(h.abs().square().mean()) == pytest.approx(1.0, abs=0.35)
    assert torch.allclose(channel.draw_grid(grid, 2, 2, 2, [5]), h[5:6], atol=1e-4)
    with pytest.raises(ChannelError, match="expected a scene"):
        RayTraced(scene="moon").draw(10, 0.0, [1])


def test_the_identity_covers_the_scene_file_and_what_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.fading.raytraced.version", lambda name: "2.2")
    assert channel_identity("ray_traced:scene=munich") == "ray_traced:scene=munich"
    scene, mesh = tmp_path / "scene.xml", tmp_path / "wall.ply"
    scene.write_text('<scene><string name="filename" value="wall.ply"/></scene>')
    mesh.write_text("ply")
    spec = f"ray_traced:scene={scene}"
    before = channel_identity(spec)
    mesh.write_text("another")
    assert channel_identity(spec) != before
    scene.write_text("<scene>")
    with pytest.raises(ChannelError, match="is no XML"):
        make_channel(spec)
