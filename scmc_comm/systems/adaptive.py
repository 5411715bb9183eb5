"""The envelope: separate coding whose modulation and code rate are the best ones at each point.

The sender knows the law of the channel and its mean Es/N0. It takes the modulation and coding that
gives the best quality on average over validation pictures, failures included, and codes each image
at the finest quality that then fits. With one scheme for a whole sweep,
`scmc_comm.systems.separate` is the fixed design with its cliff.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
import torch

from channels.coding.transport_block import max_payload_bits
from channels.fading.models import make_channel
from channels.phy.table import TablePhy
from channels.types import Frame, Mcs
from scmc_comm.baselines.codec_curves import CodecCurves, load_curves
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.utility import Utility
from scmc_comm.systems.base import Budget, Prepared, System, check_image, infeasible
from scmc_comm.systems.separate import TAG, SeparationSystem

_TIE = 1e-9


@lru_cache(maxsize=65536)
def arrival_probability(mcs: Mcs, num_bits: int, channel: str, esno_db: float) -> float:
    """Probability that one frame arrives, its fades integrated out.

    Args:
        mcs: Modulation and coding.
        num_bits: Payload bits.
        channel: Channel by name and parameters, as `channels.fading.models.make_channel` takes it.
        esno_db: Mean Es/N0 per channel use in dB.

    Example:
        >>> robust, fast = MCS_GRID[0], MCS_GRID[-1]
        >>> [round(arrival_probability(mcs, 800, "awgn", 5.0), 2) for mcs in (robust, fast)]
        [1.0, 0.0]
    """
    # Random bits: the power of a frame is normalised over its own symbols.
    bits = np.random.default_rng(num_bits).integers(0, 2, num_bits, dtype=np.uint8)
    found = _phy().expected_delivery([Frame(TAG, bits, mcs)], make_channel(channel), esno_db)
    return found.get(frozenset({TAG}), 0.0)


@lru_cache(maxsize=1)
def _phy() -> TablePhy:
    return TablePhy()


def expected_utility(curves: CodecCurves, mcs: Mcs, size: tuple[int, int], budget: Budget) -> float:
    """Mean utility over the validation pictures and the channel, were this scheme used.

    A frame that is lost, and a picture that does not fit, show mid-grey.

    Args:
        curves: Of the codec.
        mcs: Modulation and coding.
        size: ``(H, W)`` of the image to be sent.
        budget: Channel uses, the channel's law, its mean Es/N0 and the utility.

    Returns:
        The more the better; NaN if no picture fits.
    """
    max_bits = max_payload_bits(budget.uses(size), mcs) // 8 * 8
    if not max_bits:
        return float("nan")
    utility = Utility.parse(budget.utility)
    shown, grey = curves.at(max_bits, size, utility), curves.failure(utility)
    fits = ~np.isnan(shown)
    if not fits.any():
        return float("nan")
    p = arrival_probability(mcs, max_bits, budget.channel, budget.design_esno_db)
    return float(np.where(fits, p * np.nan_to_num(shown) + (1 - p) * grey, grey).mean())


class EnvelopeSystem(System):
    """One image codec over one frame, its modulation and coding the best for each point.

    Args:
        system: The codec over a protected frame.
        utility: What to make best whatever the budget says; None takes the budget's.
        curves: Rate and quality on validation pictures; None for those that were measured.

    Raises:
        ScmcError: There are no curves of this codec.
    """

    knows = frozenset({"esno_db", "channel"})

    def __init__(
        self,
        system: SeparationSystem,
        utility: str | None = None,
        curves: CodecCurves | None = None,
    ) -> None:
        self.system = system
        self.utility = utility
        self.curves = load_curves(system.image_codec.name) if curves is None else curves
        self.name = f"{system.name}-envelope" + (f"-{utility}" if utility else "")
        self._ranked: dict[tuple[object, ...], tuple[Mcs, ...]] = {}

    def ranking(self, size: tuple[int, int], budget: Budget) -> tuple[Mcs, ...]:
        """The schemes at which some validation picture fits, the best on average first.

        It depends on nothing of the image but its size. Of equally good ones (none of which ever
        arrives, say) the most robust is first.

        Raises:
            ScmcError: The utility is none.
        """
        budget = dataclasses.replace(budget, utility=self.utility or budget.utility)
        key = (size, budget)
        if key not in self._ranked:
            found = {mcs: expected_utility(self.curves, mcs, size, budget) for mcs in MCS_GRID}
            value = {mcs: utility for mcs, utility in found.items() if not np.isnan(utility)}
            self._ranked[key] = tuple(
                sorted(value, key=lambda mcs: (-round(value[mcs] / _TIE), mcs.bits_per_use))
            )
        return self._ranked[key]

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """Code at the finest quality that fits with the best scheme, and protect it.

        An image that does not fit even at its coarsest goes down the ranking, which was made
        without it; if there is no scheme at which it fits, nothing is sent: flagged
        ``infeasible``, shown as mid-grey.
        """
        size = check_image(img)
        last = infeasible(
            size, budget,
            f"{self.name}: no validation picture fits {budget.uses(size)} channel uses at any "
            "modulation and coding",
        )  # fmt: skip
        for mcs in self.ranking(size, budget):
            last = self.system.prepare_with(img, budget, mcs)
            if last.infeasible is None:
                return last
        return last
