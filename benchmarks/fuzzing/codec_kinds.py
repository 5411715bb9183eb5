"""Readers of bytes from the link: containers and the payloads of their layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch

from benchmarks.fuzzing.campaign import Kind
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.edge_coder import CELLS, decode_edges, encode_edges
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.codec.layout import parse_layout
from scmc_comm.codec.signal import is_conditioned
from scmc_comm.codec.structure import COLOURS
from scmc_comm.codec.vvc import file_from_slim
from scmc_comm.codec.vvc_stream import MAX_QP, VvcSettings
from scmc_comm.images import load_photo
from scmc_comm.pixels import FREE_PIXELS, PIXELS_PER_BYTE, pixel_limit
from scmc_comm.types import LayerKind

SIZES = ((32, 32), (48, 40), (64, 64))
QUALITIES = (0, 10, 30, 48, 60, 90)
_MAP = (32, 32)  # of the maps of all these sizes, which are padded to 64
_LIMIT = 1 << 14  # pixels of what is decoded with networks


def without_checksums(data: bytes) -> LayeredBitstream:
    """A container parsed as where every checksum happens to fit."""
    with mock.patch("scmc_comm.bitstream._crc", return_value=mock.ANY):
        return LayeredBitstream.from_bytes(data)


def _parse(data: bytes) -> None:
    """Parses as a file and as a transmission; what is declared is what such bytes may declare."""
    height, width = without_checksums(data).size
    assert height * width <= max(FREE_PIXELS, PIXELS_PER_BYTE * len(data))
    LayeredBitstream.from_bytes(data)


def codec_kinds() -> list[Kind]:
    """The kinds that neither networks nor FFmpeg decode."""
    codec = LayeredCodec()
    containers = tuple(stream.to_bytes() for stream in _streams(codec))
    texts = codec.semantic.text_coder
    captions = [texts.decode(without_checksums(data).layers[0].payload) for data in containers]
    captions += ["a red rose. Zürich 🌹!", "x" * 200, "From top to bottom: red, blue; two green."]
    edges = np.zeros(_MAP, np.uint8)
    edges[:, 10:14] = edges[20] = 255
    maps = tuple(encode_edges(edges, 63, "context", cell) for cell in CELLS)
    return [
        Kind("container", containers, _parse, 100),
        Kind("text", tuple(map(texts.encode, captions)), texts.decode, 24),
        Kind(
            "layout",
            tuple(text.encode() for text in captions),
            lambda data: parse_layout(data.decode("utf-8", "replace")),
            20,
            text=True,
        ),
        Kind("edges", maps, _context_edges, 12),
    ]


def network_kinds() -> list[Kind]:
    """The kinds that take networks or FFmpeg; its parameter sets are made beforehand."""
    codec = LayeredCodec()
    streams = _streams(codec)
    for qp, settings in itertools.product(range(MAX_QP + 1), (COLOURS, VvcSettings())):
        file_from_slim(bytes([qp << 2, 1]), _MAP, settings)
    containers = tuple(stream.to_bytes() for stream in streams)
    signals = tuple(
        LayeredBitstream(stream.size, stream.layers[-1:]).to_bytes() for stream in streams
    )
    maps = tuple(stream.layers[1].payload for stream in streams)
    return [
        Kind("signal", signals, _signal(codec), 6, limit_s=60),
        Kind("structure", maps, _structure(codec), 3, limit_s=60),
        Kind("all layers", containers, _decoded(codec), 1.5, limit_s=60),
    ]


def _streams(codec: LayeredCodec) -> list[LayeredBitstream]:
    img = load_photo("chelsea", 64)
    shown = zip(itertools.cycle(SIZES), QUALITIES, strict=False)
    return [
        codec.encode(img[:, :height, :width].contiguous(), quality)
        for (height, width), quality in shown
    ]


def _context_edges(data: bytes) -> None:
    """Always the context coder, whatever the first byte says."""
    decode_edges(bytes([data[0] % len(CELLS) if data else 0]) + data[1:], _MAP)


def _signal(codec: LayeredCodec) -> Callable[[bytes], object]:
    colours = torch.full((3, *_MAP), 90, dtype=torch.uint8)

    def read(data: bytes) -> None:
        with pixel_limit(64 * 64):
            stream = without_checksums(data)
            for layer in stream.layers:
                if layer.kind is LayerKind.SIGNAL:
                    given = colours if is_conditioned(layer.parts) else None
                    codec.signal.decode(layer.parts, stream.size, colours=given)

    return read


def _structure(codec: LayeredCodec) -> Callable[[bytes], object]:
    return lambda data: codec.structure.sketch(data, (64, 64))


def _decoded(codec: LayeredCodec) -> Callable[[bytes], object]:
    def read(data: bytes) -> None:
        with pixel_limit(_LIMIT):
            stream = without_checksums(data)
            img = codec.decode(stream.layers, stream.size, stream.seed).img_hat
        assert img.shape[1:] == stream.size and bool(img.isfinite().all())
        assert float(img.min()) >= 0 and float(img.max()) <= 1

    return read
