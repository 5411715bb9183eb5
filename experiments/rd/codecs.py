"""What a rate-distortion curve is made of: codecs and the settings that its points stand for."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch

from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.image_codecs import IMAGE_CODECS, make_image_codec
from scmc_comm.errors import ScmcError
from scmc_comm.registry import parse_options
from scmc_comm.types import STRUCTURE_LEVELS

SCMC = "scmc"
# From the coarsest that makes sense to about 2 bpp on photographs; learned families use all.
LADDERS: dict[str, tuple[float, ...]] = {
    "jpeg": (2, 4, 7, 10, 15, 25, 40, 60, 80, 90),
    "webp": (0, 12, 25, 38, 50, 63, 76, 88, 101, 110),
    "jpeg2000": (16, 40, 64, 88, 112, 136, 160, 184, 208),
    "avif": (0, 5, 10, 16, 22, 28, 34, 40, 46, 52),
    "hevc": (0, 4, 8, 12, 16, 20, 24, 28, 32),
    "vvc": (0, 5, 10, 15, 20, 25, 30, 35, 40),
}
SIGNAL_LADDER = (0, 12, 24, 36, 48, 60, 72, 84, 96)


@dataclass(frozen=True)
class Coded:
    """One picture at one point of a curve.

    Attributes:
        num_bytes: All bytes on the wire.
        img_hat: float32 [3, H, W] in [0, 1], what the receiver shows.
        encode_s: Wall time of encoding in seconds.
        decode_s: Wall time of decoding in seconds.
    """

    num_bytes: int
    img_hat: torch.Tensor
    encode_s: float
    decode_s: float


class RdCodec(ABC):
    """A codec with the points of its curve, from coarsest to finest."""

    points: tuple[str, ...]

    @abstractmethod
    def code(self, img: torch.Tensor, point: str) -> Coded:
        """Encode and decode float [3, H, W] in [0, 1] at one of the points."""

    @abstractmethod
    def num_parameters(self) -> int:
        """Learned parameters of the largest network that a receiver of any point holds."""


class ImageRdCodec(RdCodec):
    """An image codec at a ladder of qualities."""

    def __init__(self, codec: ImageCodec) -> None:
        family = codec.name.removesuffix("-file")
        self._codec = codec
        self._qualities = {f"{q:g}": q for q in LADDERS.get(family, codec.qualities)}
        self.points = tuple(self._qualities)

    def code(self, img: torch.Tensor, point: str) -> Coded:
        """Encode and decode, the constant parts made beforehand."""
        quality, size = self._qualities[point], (int(img.shape[1]), int(img.shape[2]))
        self._codec.warm(size, quality)
        start = time.perf_counter()
        data = self._codec.encode(img, quality)
        middle = time.perf_counter()
        img_hat = self._codec.decode(data, size)
        return Coded(len(data), img_hat, middle - start, time.perf_counter() - middle)

    def num_parameters(self) -> int:
        """Of the largest quality's network; 0 for conventional codecs."""
        return max(self._codec.num_parameters(quality) for quality in self._qualities.values())


class ScmcRdCodec(RdCodec):
    """The layered codec: caption, sketch, then the signal layer at a ladder of qualities.

    Bytes are those of the whole container. The only place here that knows `LayeredCodec`.

    Args:
        options: As written behind the colon of the codec's name.
    """

    points = (
        "semantic",
        *(f"structure {level}" for level in range(STRUCTURE_LEVELS)),
        *(f"signal {q}" for q in SIGNAL_LADDER),
    )

    def __init__(self, options: str = "") -> None:
        self._options = options

    @cached_property
    def _layered(self) -> object:
        from scmc_comm.codec.options import make_codec

        codec = make_codec(parse_options(SCMC, self._options))
        stream = codec.encode(torch.full((3, 64, 64), 0.5), SIGNAL_LADDER[0])  # loads networks
        codec.decode(stream.layers, stream.size)
        return codec

    def code(self, img: torch.Tensor, point: str) -> Coded:
        """Encode up to the point's layer and decode all that was encoded."""
        from scmc_comm.bitstream import LayeredBitstream
        from scmc_comm.codec.layered import LayeredCodec

        codec = self._layered
        assert isinstance(codec, LayeredCodec)
        codec.forget()
        kind, _, setting = point.partition(" ")
        start = time.perf_counter()
        if kind == "signal":
            stream = codec.encode(img, int(setting))
        else:
            layers = [codec.encode_semantic(img)]
            if kind == "structure":
                layers.append(codec.encode_structure(img, level=int(setting)))
            stream = LayeredBitstream((int(img.shape[1]), int(img.shape[2])), tuple(layers))
        data = stream.to_bytes()
        codec.forget()
        middle = time.perf_counter()
        got = LayeredBitstream.from_bytes(data, strict=True)
        shown = codec.decode(got.layers, got.size, got.seed)
        seconds = (middle - start, time.perf_counter() - middle)
        return Coded(len(data), shown.img_hat, *seconds)

    def num_parameters(self) -> int:
        """Numbers in the weights that ship."""
        from safetensors import safe_open

        from scmc_comm.codec.weights import FOLDER

        total = 0
        for path in sorted(FOLDER.glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                sizes = (torch.Size(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
                total += sum(size.numel() for size in sizes)
        return total


def name_parts(name: str) -> tuple[str, str, bool]:
    """Family of a codec's name, its options, and whether it is the complete file that counts.

    Example:
        >>> name_parts("scmc:realism=0"), name_parts("vvc-file")
        (('scmc', 'realism=0', False), ('vvc', '', True))
    """
    family, _, options = name.partition(":")
    if family == SCMC:
        return family, options, False
    base = name.partition("=")[0]
    return base.removesuffix("-file"), "", base.endswith("-file")


def check_codec_names(names: tuple[str, ...]) -> None:
    """Raise ScmcError unless each name is a codec's, named once."""
    for name in names:
        family, options, _ = name_parts(name)
        if family == SCMC:
            parse_options(f"codec {SCMC!r}", options)
        elif name.partition("=")[0] not in IMAGE_CODECS:
            known = ", ".join((SCMC, *IMAGE_CODECS))
            raise ScmcError(f"there is no codec {name!r}; there are {known}")
    if len(set(names)) != len(names) or not names:
        raise ScmcError(f"codecs are {', '.join(names) or 'none'}; expected each once")


@lru_cache(maxsize=16)
def make_rd_codec(name: str) -> RdCodec:
    """The codec called ``name``: ``scmc`` or ``scmc:OPTION=VALUE``, or one of `make_image_codec`.

    Example:
        >>> make_rd_codec("vvc").points[:3]
        ('0', '5', '10')
    """
    family, options, _ = name_parts(name)
    return ScmcRdCodec(options) if family == SCMC else ImageRdCodec(make_image_codec(name))
