"""The signal layer's probabilities: integer tables of CompressAI's entropy models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scmc_comm.codec.range_coder import Tables
from scmc_comm.codec.signal_net import SCALE_LEVELS, SCALE_MAX, SCALE_MIN

HYPER, LATENT = "bottleneck", "gaussian"  # CompressAI's models in the weight file


@dataclass(frozen=True)
class EntropyTables:
    """What the entropy coder needs beside the network.

    Attributes:
        medians: float64 [N], the hyper-latents' most likely values.
        hyper: Distributions of the hyper-latent, a row a channel.
        latent: Distributions of the latent, a row a scale.
    """

    medians: Tensor
    hyper: Tables
    latent: Tables

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> EntropyTables:
        """The tables in a state of CompressAI's entropy models."""
        medians = state[f"{HYPER}.quantiles"][:, 0, 1].double()
        return cls(medians, _tables(state, HYPER), _tables(state, LATENT))


def scale_ladder() -> Tensor:
    """Log2 of the scales that have a table, float64 [``SCALE_LEVELS``]."""
    return torch.linspace(
        float(np.log2(SCALE_MIN)), float(np.log2(SCALE_MAX)), SCALE_LEVELS, dtype=torch.float64
    )


def _tables(state: Mapping[str, Tensor], model: str) -> Tables:
    names = ("_quantized_cdf", "_cdf_length", "_offset")
    return Tables(*(state[f"{model}.{name}"].int().numpy() for name in names))
