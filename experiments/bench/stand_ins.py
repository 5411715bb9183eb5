"""Stand-ins for systems: frames as large as real ones send for a Kodak image, at no other cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from channels.types import Frame, ReceivedSymbols
from experiments.sweep.components import Components
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.systems.base import System
from scmc_comm.types import Annotation, Reconstruction

SIZE = (512, 768)
NUM_BITS = {"semantic": 240, "structure": 2400}  # the last frame fills the budget
# Es/N0 in dB that each frame is protected for.
PLANS = {
    "layers": {"semantic": 1.0, "structure": 5.0, "signal": 10.0},
    "layers-equal": {"semantic": 8.0, "structure": 8.0, "signal": 8.0},
    "file": {"image": 10.0},
    "file-robust": {"image": 6.0},
}


@dataclass(frozen=True)
class StandIn(System):
    """Random bits in frames as large as those of a real system, and pictures at no cost.

    Attributes:
        name: One of `PLANS`.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in PLANS:
            known = ", ".join(sorted(PLANS))
            raise ScmcError(f"there is no system {self.name!r}; there are {known}")

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`."""
        from channels.coding.segmentation import num_channel_uses
        from channels.coding.transport_block import max_payload_bits
        from scmc_comm.link.mcs import choose_mcs

        size = (int(img.shape[1]), int(img.shape[2]))
        rng = np.random.default_rng(int(img[0, 0, 0] * 2**24))
        frames: list[Frame] = []
        left = budget.uses(size)
        for tag, esno_db in PLANS[self.name].items():
            mcs = choose_mcs(esno_db, num_uses=left)
            num_bits = NUM_BITS.get(tag) or max_payload_bits(left, mcs)
            bits = rng.integers(0, 2, num_bits, dtype=np.uint8)
            frames.append(Frame(tag, bits, mcs, priority=len(frames)))
            left -= num_channel_uses(num_bits, mcs)
        return Prepared.of_frames(frames, [0] * len(frames), budget, size)

    def reconstruct(
        self, prepared: Prepared, delivered: frozenset[str] | ReceivedSymbols
    ) -> Reconstruction:
        """A grey that grows lighter with what arrived."""
        assert isinstance(delivered, frozenset)
        img_hat = torch.full((3, *prepared.size), 0.5 + 0.1 * len(delivered))
        return Reconstruction(img_hat, None, delivered)


def _images(name: str, num_images: int | None) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    pixels = rng.random((num_images or 24, 3, *SIZE), dtype=np.float32)
    return {f"image{i:02d}": torch.from_numpy(img) for i, img in enumerate(pixels)}


def _annotations(name: str, num_images: int | None) -> dict[str, Annotation]:
    return {}


def _measure(
    img: torch.Tensor, img_hat: torch.Tensor, names: tuple[str, ...], annotation: Annotation
) -> dict[str, float]:
    mse = float((img - img_hat).double().square().mean())
    return {"mse": mse, "psnr_db": -10 * math.log10(mse)}


def _same(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


STAND_INS = Components(
    make_system=StandIn,
    measure=_measure,
    available_metrics=_same,
    load_images=_images,
    annotations=_annotations,
)
