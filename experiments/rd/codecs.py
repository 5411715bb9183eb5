"""What a rate-distortion curve is made of: codecs and the settings that its points stand for."""

from __future__ import annotations

import time
from functools import cached_property

import torch

from channels.errors import no_such
from experiments.specs import check_distinct
from experiments.sweep.rate_points import LADDERS, Coded, CurveCodec, ImageCurveCodec
from scmc_comm.baselines.image_codecs import (
    IMAGE_CODECS,
    codec_options,
    family_of,
    make_image_codec,
)
from scmc_comm.errors import ScmcError
from scmc_comm.registry import parse_options
from scmc_comm.types import CODEC_ALIASES, STRUCTURE_LEVELS

SCMC = "scmc"
# First and last quality, up to about 2 bpp on photographs; other families use all of their ladder.
RANGES = {"jpeg": (2, 90), "hevc": (0, 32), "vvc": (0, 40)}
SIGNAL_LADDER = (0, 12, 24, 36, 48, 60, 72, 84, 96)


class ScmcCurveCodec(CurveCodec):
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
        """Numbers in the codec's own weights, the text model left out."""
        from safetensors import safe_open

        from scmc_comm.models import model_path
        from scmc_comm.zoo.catalog import NETWORKS

        total = 0
        for path in (model_path(f"{name}.safetensors") for name in NETWORKS):
            if not path.is_file():  # the text model is no network of torch's
                continue
            with safe_open(path, "pt") as file:
                sizes = (torch.Size(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
                total += sum(size.numel() for size in sizes)
        return total


def check_codec_names(names: tuple[str, ...]) -> None:
    """Raise ScmcError unless each name is a codec's, each of another."""
    if len(set(names)) != len(names) or not names:
        raise ScmcError(f"codecs are {', '.join(names) or 'none'}; expected each once")
    meanings: dict[str, object] = {}
    for name in names:
        family, _, options = name.partition(":")
        if family == SCMC:
            meanings[name] = parse_options(f"codec {SCMC!r}", options)
        elif family_of(name) in IMAGE_CODECS:
            meanings[name] = family_of(name), repr(sorted(codec_options(name).items()))
        else:
            raise ScmcError(no_such("codec", family, [SCMC, *IMAGE_CODECS], CODEC_ALIASES))
    check_distinct("codecs", meanings)


def make_rd_codec(name: str) -> CurveCodec:
    """The codec called ``name``: ``scmc`` or ``scmc:OPTION=VALUE``, or one of `make_image_codec`.

    Example:
        >>> make_rd_codec("vvc").points[:3]
        ('0', '5', '10')
    """
    family, _, options = name.partition(":")
    if family == SCMC:
        return ScmcCurveCodec(options)
    codec, family = make_image_codec(name), family_of(name)
    if family not in RANGES:
        return ImageCurveCodec(codec)
    first, last = RANGES[family]
    return ImageCurveCodec(codec, [q for q in LADDERS[family] if first <= q <= last])
