"""VVC intra as a rival codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scmc_comm.baselines.image_codec import SlimCodec

if TYPE_CHECKING:
    from scmc_comm.codec.vvc_stream import Preset, VvcSettings

MAX_QP = 63
# A half step weighs rate more at the same QP; a whole one multiplies lambda by 2 ** (1 / 3).
_HALF_STEP_LAMBDA = 1.14


class VvcCodec(SlimCodec):
    """VVC intra by vvenc, 4:2:0, see `scmc_comm.codec.vvc`; the quality is 63 - QP.

    Half qualities lie between two QPs: the finer one, with a larger Lagrange multiplier in the
    encoder's decisions. The decoder need not know. libvvenc refuses pictures of pure noise at
    the finest qualities (their bits overflow its buffer): an ScmcError.

    Args:
        slim: Parameter sets are known to the receiver; otherwise complete streams, which
            carry no QP outside themselves either.
        preset: vvenc's effort.
    """

    family, title = "vvc", "VVC"
    sides = (8, 8192)
    qualities = tuple(half / 2 for half in range(2 * MAX_QP + 1))

    def __init__(self, slim: bool = True, preset: Preset = "medium") -> None:
        from scmc_comm.codec.vvc_stream import VvcSettings

        super().__init__(slim)
        # Photographs gain nothing from screen-content tools, which switch the loop filter off.
        self.settings = VvcSettings(color=True, screen_content=False, preset=preset)

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """Makes the parameter sets and the usual slice header."""
        if self.slim:
            self._restored(bytes([int(MAX_QP - quality) << 2, 1]), size)

    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        from scmc_comm.codec.vvc_stream import encode_file

        qp = int(MAX_QP - quality)
        between = MAX_QP - quality != qp
        settings = _with_lambda(self.settings, _HALF_STEP_LAMBDA) if between else self.settings
        return encode_file(pixels, qp, settings)

    def _slim_bytes(self, pixels: np.ndarray, quality: float) -> bytes:
        from scmc_comm.codec import vvc

        file, size = self._file(pixels, quality), (pixels.shape[0], pixels.shape[1])
        return vvc.slim_from_file(file, size, int(MAX_QP - quality), self.settings)

    def _pixels(self, file: bytes, size: tuple[int, int]) -> np.ndarray:
        from scmc_comm.codec.vvc_stream import decode_file

        return np.asarray(decode_file(file, size, self.settings))

    def _restored(self, data: bytes, size: tuple[int, int]) -> bytes:
        from scmc_comm.codec import vvc

        return vvc.file_from_slim(data, size, self.settings)


def _with_lambda(settings: VvcSettings, factor: float) -> VvcSettings:
    """The same format, but an encoder whose Lagrange multiplier is ``factor`` times the usual."""
    from scmc_comm.codec.vvc_stream import VvcSettings

    @dataclass(frozen=True)
    class Weighed(VvcSettings):
        def vvenc_params(self, coded: tuple[int, int]) -> str:
            return f"{super().vvenc_params(coded)}:LambdaModifierI={factor}"

    return Weighed(settings.color, settings.screen_content, settings.preset)
