"""Separate source and channel coding: an image codec, then CRC, LDPC and QAM.

One modulation and code rate is chosen at the design Es/N0 and the finest quality that fits the
budget is found per image. The file arrives whole or not at all: that is the cliff. With the
design Es/N0 equal to the channel's at every point of a sweep this gives the envelope, with one
design Es/N0 for the whole sweep the fixed design. The receiver knows the frame's length, its
modulation and coding (as it does for the layered scheme), and the image size.
"""

from __future__ import annotations

import torch

from channels.coding.transport_block import max_payload_bits
from channels.types import Frame, Mcs
from scmc_comm.baselines.image_codecs import CodedImage, ImageCodec, largest_fitting
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import Ledger, ledger_entry
from scmc_comm.link.mcs import choose_mcs
from scmc_comm.link.packetize import bits_to_bytes, bytes_to_bits
from scmc_comm.systems.base import Budget, Prepared, System, check_image, grey, infeasible
from scmc_comm.types import LayerKind, Reconstruction

TAG = "image"


class SeparationSystem(System):
    """One image codec over one protected frame.

    Args:
        image_codec: The source code.
        name: Name in results; the codec's own by default.
    """

    def __init__(self, image_codec: ImageCodec, name: str | None = None) -> None:
        self.image_codec = image_codec
        self.name = name or image_codec.name

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """Encode at the finest quality that fits at the design Es/N0, and protect it.

        A budget that holds not even the coarsest quality gives a transmission without frames,
        flagged ``infeasible``: a failure that stays in the results, shown as mid-grey.
        """
        size = check_image(img)
        try:
            mcs = choose_mcs(budget.design_esno_db, num_uses=max(budget.uses(size), 1))
        except ScmcError as error:
            return infeasible(size, budget, str(error))
        return self.prepare_with(img, budget, mcs)

    def prepare_with(
        self, img: torch.Tensor, budget: Budget, mcs: Mcs, quality: float | None = None
    ) -> Prepared:
        """As `prepare`, with modulation and coding chosen by the caller.

        Args:
            img: float32 [3, H, W] in [0, 1].
            budget: Channel uses; the design Es/N0 is not looked at.
            mcs: Modulation and coding.
            quality: One of the codec's qualities; None takes the finest that fits. One that does
                not fit is infeasible.
        """
        size = check_image(img)
        num_uses = budget.uses(size)
        max_bytes = max_payload_bits(num_uses, mcs) // 8
        fit: CodedImage | None = None
        if quality is not None:
            coded = CodedImage(quality, self.image_codec.encode(img, quality))
            fit = coded if len(coded.data) <= max_bytes else None
        elif max_bytes:
            fit = largest_fitting(self.image_codec, img, max_bytes)
        if fit is None:
            what = "no quality fits" if quality is None else f"quality {quality:g} does not fit"
            reason = f"{self.name}: {what} {max_bytes} bytes ({num_uses} channel uses)"
            return infeasible(size, budget, reason)
        frame = Frame(TAG, bytes_to_bits(fit.data), mcs)

        def reconstruct(delivered: frozenset[str]) -> Reconstruction:
            if delivered - {TAG}:
                raise ScmcError(f"delivered tags are {sorted(delivered)}; expected {TAG!r} or none")
            if TAG not in delivered:
                return grey(size)
            img_hat = self.image_codec.decode(bits_to_bytes(frame.bits), size)
            return Reconstruction(img_hat, LayerKind.SIGNAL, delivered)

        ledger = Ledger((ledger_entry(frame, header_bits=0),), num_uses)
        bpp = frame.bits.size / (size[0] * size[1])
        return Prepared((frame,), ledger, bpp, reconstruct, size)
