"""VMAF by FFmpeg's libvmaf."""

import pytest
import torch

from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics import measure, unavailable


def test_it_orders_blur_and_knows_which_is_the_original():
    if missing := unavailable(["vmaf"]):
        pytest.skip(missing["vmaf"])
    img = load_photo("chelsea")[:, :120, :201]  # odd sides too
    shown = [img]
    for side in (4, 16):
        small = torch.nn.functional.avg_pool2d(img[None], side // 2, ceil_mode=True)
        shown.append(torch.nn.functional.interpolate(small, img.shape[1:], mode="bilinear")[0])
    same, near, far = (measure(img, x.clamp(0, 1), ["vmaf"])["vmaf"] for x in shown)
    assert 95 < same <= 100 and same > near > far >= 0
    assert measure(shown[1].clamp(0, 1), img, ["vmaf"])["vmaf"] != pytest.approx(near, abs=0.1)


def test_an_ffmpeg_without_it_is_named_with_the_fix(monkeypatch):
    def without(args, data, timeout_s):
        raise ScmcError("FFmpeg failed: No such filter: 'libvmaf'")

    monkeypatch.setattr("scmc_comm.metrics.libvmaf.run_ffmpeg", without)
    assert "imageio-ffmpeg" in unavailable(["vmaf"])["vmaf"]
    grey = torch.full((3, 32, 32), 0.5)
    with pytest.raises(ScmcError, match="libvmaf"):
        measure(grey, grey, ["vmaf"])
