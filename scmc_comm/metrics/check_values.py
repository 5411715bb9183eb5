"""Values that the learned metrics must give of a picture that is on every machine.

The published values (LPIPS-Alex 0.722 and 0.138, DISTS 0.3347) belong to example pictures that no
PyPI package carries. With the very weights that reproduce those, the built-in photograph "chelsea"
against itself at an eighth of the resolution gives what stands here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics.perceptual import perceptual_metric

CHECK_VALUES = {"lpips": 0.6545, "dists": 0.3823, "lpips_vgg": 0.5270}
TOLERANCE = 2e-3  # room for the Lanczos filter of another version of Pillow


def check_pair() -> tuple[torch.Tensor, torch.Tensor]:
    """The photograph and its blurred copy, float32 [1, 3, 256, 256] in [0, 1]."""
    img = load_photo("chelsea")[None]
    coarse = F.interpolate(img, size=32, mode="area")
    return img, F.interpolate(coarse, size=256, mode="bilinear", align_corners=False).clamp(0, 1)


@torch.no_grad()
def check_metric(name: str) -> float:
    """Value of "lpips", "lpips_vgg" or "dists" on the check pair.

    Raises:
        ScmcError: if it is not what it should be, or the weights cannot be reached.
    """
    found = on_device(perceptual_metric(name), *check_pair()).item()
    if abs(found - CHECK_VALUES[name]) > TOLERANCE:
        raise ScmcError(
            f"{name} of the check pair is {found:.4f}, expected {CHECK_VALUES[name]:.4f}; the "
            "weights or the versions of torch, lpips or dists-pytorch are not as expected"
        )
    return found
