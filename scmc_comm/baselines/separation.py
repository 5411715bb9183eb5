"""Separate source and channel coding: an image codec, then CRC, LDPC and QAM.

One modulation and code rate is chosen at the design Es/N0 and the finest quality that fits the
budget is found per image. The file arrives whole or not at all: that is the cliff. With the
design Es/N0 equal to the channel's at every point of a sweep this gives the envelope, with one
design Es/N0 for the whole sweep the fixed design. The receiver knows the frame's length, its
modulation and coding (as it does for the layered scheme), and the image size.
"""

from __future__ import annotations

import torch

from channels.coding import max_payload_bits
from channels.types import Frame
from scmc_comm.baselines.image_codecs import ImageCodec, largest_fitting
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import Ledger, ledger_entry
from scmc_comm.link.mcs import choose_mcs
from scmc_comm.link.packetize import bits_to_bytes, bytes_to_bits
from scmc_comm.system import Budget, Prepared, System, check_image, grey, infeasible
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
        """Encode at the finest quality that fits and protect it.

        A budget that holds not even the coarsest quality gives a transmission without frames,
        flagged ``infeasible``: a failure that stays in the results, shown as mid-grey.
        """
        size = check_image(img)
        num_uses = budget.uses(size)
        try:
            mcs = choose_mcs(budget.design_esno_db, num_uses=max(num_uses, 1))
        except ScmcError as error:
            return infeasible(size, budget, str(error))
        max_bytes = max_payload_bits(num_uses, mcs) // 8
        fit = largest_fitting(self.image_codec, img, max_bytes) if max_bytes else None
        if fit is None:
            reason = f"{self.name}: no quality fits {max_bytes} bytes ({num_uses} channel uses)"
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
