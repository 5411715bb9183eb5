"""Control signalling: what the receiver must be told of each frame, charged to the budget.

Which frames come, how long they are and how they are coded is known to the receiver free of charge
by default, for every system alike. That is the same for all only if all send as many frames; here
it is charged: so many bits a frame (22 is a downlink control message of 5G NR), all of them in one
block, protected like the frame that is protected best.
"""

from __future__ import annotations

from collections.abc import Sequence

from channels.coding.transport_block import num_channel_uses
from channels.types import Frame
from scmc_comm.link.mcs import required_esno_db


def control_uses(frames: Sequence[Frame], bits_per_frame: int) -> int:
    """Channel uses of the control information of frames.

    Args:
        frames: What is sent.
        bits_per_frame: Control bits of each.

    Example:
        >>> import numpy as np
        >>> from channels.types import Mcs
        >>> frame = Frame("image", np.zeros(400, np.uint8), Mcs(2, 526 / 1024))
        >>> control_uses([frame], 22), control_uses([frame], 0)
        (37, 0)
    """
    if not frames or not bits_per_frame:
        return 0
    best = min(frames, key=lambda frame: required_esno_db(frame.mcs, frame.bits.size))
    return num_channel_uses(bits_per_frame * len(frames), best.mcs)
