"""The first deep joint source-channel code, from a clone of a PyTorch implementation.

Its channel adds noise to each real value apart: ``SNR = E[z^2] / sigma^2`` with real values z of
mean square 1. Two of them make one complex symbol, of twice the power in twice the noise: their SNR
is our Es/N0. Its bandwidth ratio counts real values over 3 H W; two are one channel use, so rho is
half of it: a network called 0.17 is one of rho 1/12.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from scmc_comm.device import on_device
from scmc_comm.systems.clones import load_modules, load_part, quiet, state_of
from scmc_comm.systems.published import Features, Published

_FIRST = "decoder.tconv1.transconv.weight"


@dataclass(frozen=True)
class DeepJsccClone(Published):
    """Deep-JSCC-PyTorch from a clone; each checkpoint is of one SNR and one rate.

    Source: E. Bourtsoulatze, D. Burth Kurka, D. Gunduz, "Deep joint source-channel coding for
    wireless image transmission", IEEE TCCN 5(3), 2019; github.com/chunbaobao/Deep-JSCC-PyTorch.
    """

    COMMIT: ClassVar[str] = "0d7a9da03cca524ff75139fa602759072db3f99b"
    multiple: ClassVar[int] = 4

    def build(self) -> Any:
        """See `Published.build`."""
        assert self.repo is not None and self.weights is not None
        state = state_of(Path(self.weights))
        (model,) = load_modules(Path(self.repo), ("model",))
        with quiet():
            net = model.DeepJSCC(c=int(state[_FIRST].shape[0]))
        load_part(net, state, "", Path(self.weights))
        return net

    def num_bits(self) -> int:
        """None besides the power."""
        return 0

    def num_values(self, size: tuple[int, int], bits: np.ndarray) -> int:
        """See `Published.num_values`."""
        return int(np.prod(self._shape(size)))

    def features(self, img: Tensor, num_values: int, esno_db: float) -> Features | int:
        """See `Published.features`."""
        values = on_device(self.network().encoder, img[None]).flatten()
        if len(values) > num_values:
            return len(values)
        return Features(values, np.zeros(0, np.uint8))

    def picture(
        self, values: Tensor, bits: np.ndarray, size: tuple[int, int], esno_db: float
    ) -> Tensor:
        """See `Published.picture`."""
        received = values.reshape(1, *self._shape(size))
        shown: Tensor = on_device(self.network().decoder, received)[0]
        return shown

    def _shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        return _shape_of(self, size, self.parts_identity())


@functools.lru_cache(maxsize=64)
def _shape_of(system: DeepJsccClone, size: tuple[int, int], _: str) -> tuple[int, ...]:
    """Shape of the encoder's values for a picture of ``(H, W)``."""
    found = on_device(system.network().encoder, torch.full((1, 3, *size), 0.5))
    return tuple(found.shape[-3:])
