"""Separate source and channel coding: an image codec, then CRC, LDPC and QAM.

The file is one frame, at the finest quality that fits the budget; it arrives whole or not at all:
that is the cliff. The receiver knows the frame's length, its modulation and coding (as it does
for the layered scheme), and the image size.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import torch

from channels.coding.transport_block import max_payload_bits
from channels.fading.models import channel_identity
from channels.phy.names import phy_identity
from channels.types import Frame, Mcs, ReceivedSymbols
from scmc_comm.baselines.codec_curves import CodecCurves, curves_state, load_curves
from scmc_comm.baselines.compressai_zoo import zoo_files
from scmc_comm.baselines.scaled import ScaledCoder
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.budget import CHANNEL_LAW, SIDE_INFORMATION, Budget
from scmc_comm.link.leftover import strengthened
from scmc_comm.link.mcs import choose_mcs
from scmc_comm.link.planners import SPREAD_DB
from scmc_comm.link.prepared import Prepared
from scmc_comm.link.utility import Utility
from scmc_comm.systems.adaptive import KNOWN_DB, ranking
from scmc_comm.systems.base import PYTHON_ONLY, check_image, grey
from scmc_comm.systems.coded_file import CodedFile
from scmc_comm.types import LayerKind, Reconstruction

TAG = "image"


@dataclass(frozen=True)
class Separate(CodedFile):
    """An image codec over one protected frame.

    Attributes:
        mcs: How modulation and code rate are chosen, all by the best expected utility on
            validation pictures over the link's law: ``fixed`` is one for the design Es/N0,
            ``range`` one for means from 15 dB below it to 9 dB above, ``adaptive`` the best for
            each mean Es/N0.
        law: ``link`` designs for the link that is used; ``awgn``, with fixed MCS alone, knows
            nothing of it and takes the fastest scheme that decodes over AWGN at the design Es/N0.
        scale: ``auto`` codes the picture at full, half, 1/4, 1/8 or 1/16 of its sides, whatever is
            best at the rate, and tells the receiver in three bits; ``1`` at full size alone.
        utility: What is made best, such as ``lpips``; the sweep's if not given.
        curves: Rate and quality on validation pictures; those that were measured if not given.

    Example:
        >>> sorted(Separate("vvc", mcs="adaptive").side_information)
        ['channel', 'esno_db']
        >>> sorted(Separate("vvc").side_information)
        ['channel']
    """

    transmitter_options: ClassVar[tuple[str, ...]] = ("mcs", "law", "utility", "curves")

    mcs: Literal["fixed", "range", "adaptive"] = "fixed"
    law: Literal["link", "awgn"] = "link"
    scale: Literal["auto", "1"] = "auto"
    utility: str | None = None
    curves: CodecCurves | None = field(default=None, metadata=PYTHON_ONLY, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.law == "awgn" and self.mcs != "fixed":
            raise ScmcError(
                f"law is 'awgn' and mcs is {self.mcs!r}, which is for the link's own law; leave "
                "one of them out"
            )
        if self.utility is not None:
            Utility.parse(self.utility)
            if self.law == "awgn":
                raise ScmcError(
                    f"utility is {self.utility!r} and law is 'awgn', a rule that makes nothing "
                    "best; leave law out"
                )
        if self.mcs != "fixed":
            self._curves()

    @property
    def side_information(self) -> frozenset[str]:
        """The law unless it is taken for AWGN, and with adaptive MCS the mean Es/N0."""
        if self.law == "awgn":
            return frozenset()
        return SIDE_INFORMATION if self.mcs == "adaptive" else frozenset({CHANNEL_LAW})

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`.

        An image that does not fit with the best scheme, even at its coarsest, goes down the
        ranking, which was made without it.
        """
        size = check_image(img)
        if self.law == "awgn":
            try:
                mcs = choose_mcs(budget.design_esno_db, num_uses=max(budget.uses(size), 1))
            except InfeasibleBudgetError as error:
                return Prepared.nothing(size, budget, str(error))
            return self._fill(self.prepare_with(img, budget, mcs), budget)
        if self.utility is not None:
            budget = dataclasses.replace(budget, utility=self.utility)
        nothing = f"{self._name}: no validation picture fits {budget.uses(size)} channel uses"
        last = Prepared.nothing(size, budget, f"{nothing} at any modulation and coding")
        identity = channel_identity(budget.channel), phy_identity(budget.phy), curves_state()
        for mcs in _ranking(self, size, budget, *identity):
            last = self.prepare_with(img, budget, mcs)
            if last.infeasible is None:
                break
        return self._fill(last, budget)

    def _fill(self, prepared: Prepared, budget: Budget) -> Prepared:
        """The same file with the most robust scheme that the budget has room for."""
        if prepared.infeasible is not None:
            return prepared
        (frame,), size = prepared.frames, prepared.size
        (mcs,) = strengthened([frame.bits.size], [frame.mcs], budget.uses(size), together=True)
        frames, header = [dataclasses.replace(frame, mcs=mcs)], prepared.ledger.entries[0].header
        return Prepared.of_frames(frames, [header], budget, size)

    def reconstruct(
        self, prepared: Prepared, delivered: frozenset[str] | ReceivedSymbols
    ) -> Reconstruction:
        """See `System.reconstruct`."""
        assert isinstance(delivered, frozenset)
        if TAG not in prepared.usable(delivered):
            return grey(prepared.size)
        (frame,) = prepared.frames
        img_hat = self._coder().decode(frame.bits, prepared.size)
        return Reconstruction(img_hat, LayerKind.SIGNAL, delivered)

    def prepare_with(
        self, img: torch.Tensor, budget: Budget, mcs: Mcs, max_bits: int | None = None
    ) -> Prepared:
        """As `prepare`, with modulation and coding chosen by the caller.

        Args:
            img: float32 [3, H, W] in [0, 1].
            budget: Channel uses; the design Es/N0 is not looked at.
            mcs: Modulation and coding.
            max_bits: Most payload bits; None for what the budget carries.
        """
        size, num_uses = check_image(img), budget.uses(check_image(img))
        room = max_payload_bits(num_uses, mcs)
        room = room if max_bits is None else min(room, max_bits)
        coded = self._coder().encode(img, room, self._utility(budget))
        if coded is None:
            reason = f"{self._name}: no quality fits {room // 8} bytes ({num_uses} channel uses)"
            return Prepared.nothing(size, budget, reason)
        header_bits = coded.size % 8  # which resolution; all else comes in bytes
        return Prepared.of_frames([Frame(TAG, coded, mcs)], [header_bits], budget, size)

    def load(self) -> None:
        """See `System.load`; without curves to choose by it fails here, before any work."""
        if self.law != "awgn":
            self._curves()
        self.image_codec()

    def check_size(self, size: tuple[int, int]) -> None:
        """See `System.check_size`; with ``scale=auto`` a reduced resolution will do."""
        self._coder().divisors(size)

    def _coder(self) -> ScaledCoder:
        return ScaledCoder(self.image_codec(), self.scale == "auto", self.curves)

    def _utility(self, budget: Budget) -> Utility:
        return Utility.parse(self.utility or budget.utility)

    def _curves(self) -> CodecCurves:
        if self.curves is not None:
            return self.curves
        return load_curves(self._name, reduced=self.scale == "auto")


@dataclass(frozen=True)
class LearnedSeparate(Separate):
    """A learned image codec of CompressAI's zoo over one protected frame.

    Attributes:
        weights: A checkpoint or a folder of checkpoints; the zoo's own if not given.
    """

    file_options: ClassVar[tuple[str, ...]] = ("weights",)

    weights: str | None = None

    def weight_files(self) -> tuple[Path, ...]:
        """See `System.weight_files`: the zoo's own, where the user put them."""
        return () if self.weights or not isinstance(self.codec, str) else zoo_files(self.codec)

    def _codec_name(self) -> str:
        return super()._codec_name() + (f",weights={self.weights}" if self.weights else "")


@lru_cache(maxsize=4096)
def _ranking(system: Separate, size: tuple[int, int], budget: Budget, *_: str) -> tuple[Mcs, ...]:
    """The ranking, made once for each identity of the link and state of the curves."""
    spread_db = SPREAD_DB if system.mcs == "range" else KNOWN_DB
    return ranking(system._curves(), size, budget, spread_db)
