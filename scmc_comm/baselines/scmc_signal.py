"""The control: the layered codec's signal layer alone, as an image codec like any other.

A learned model that is sent layer by layer differs from a conventional rival in two things, its
features and how they are sent. This codec has the same features, coded without lower layers, and
goes over the same link as the rivals: in one frame, whole or not at all.
"""

from __future__ import annotations

from hashlib import sha256

import torch

from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.codec.signal import QUALITY_STEPS, SignalCodec
from scmc_comm.types import MAX_PARTS
from scmc_comm.wire import Reader, encode_varint

_MAX_BYTES = 1 << 26


class ScmcSignalCodec(ImageCodec):
    """All parts of the signal layer one after the other, with the lengths of all but the last.

    Args:
        codec: The signal layer; the shipped one by default.

    Example:
        >>> codec = ScmcSignalCodec()
        >>> data = codec.encode(torch.full((3, 64, 64), 0.25), 20)
        >>> codec.decode(data, (64, 64)).shape
        torch.Size([3, 64, 64])
    """

    name = "scmc-signal"
    qualities = tuple(float(quality) for quality in range(QUALITY_STEPS + 1))

    def __init__(self, codec: SignalCodec | None = None) -> None:
        self.codec = codec or SignalCodec.load()
        self._latent: tuple[bytes, torch.Tensor] | None = None

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """A byte that counts the parts, their lengths as varints but for the last, the parts."""
        self._check_quality(quality)
        parts = self.codec.parts(self._analyse(img), int(quality))
        lengths = b"".join(encode_varint(len(part)) for part in parts[:-1])
        return bytes([len(parts)]) + lengths + b"".join(parts)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """See `ImageCodec.decode`; the perceptual refinement is added as in the layered codec."""
        reader = Reader(data, self.name)
        count = reader.varint("number of parts", MAX_PARTS)
        lengths = [reader.varint("length of a part", _MAX_BYTES) for _ in range(count - 1)]
        parts = [reader.take(length, "a part") for length in lengths]
        return self.codec.decode((*parts, reader.rest()), size)

    def num_parameters(self, quality: float) -> int:
        """Of the whole network, at any quality."""
        return sum(p.numel() for p in self.codec.net.parameters())

    def _analyse(self, img: torch.Tensor) -> torch.Tensor:
        """The latent, remembered for the last image: all its qualities share it."""
        key = sha256(repr(tuple(img.shape)).encode() + img.contiguous().numpy().tobytes()).digest()
        if self._latent is None or self._latent[0] != key:
            self._latent = key, self.codec.analyse(img)
        return self._latent[1]
