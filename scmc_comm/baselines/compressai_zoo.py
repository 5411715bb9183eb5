"""The learned codecs of CompressAI's zoo as rivals: the scale hyperprior and its relatives.

Slim bytes are one byte of quality (both ends hold one network a quality), the lengths of all
entropy-coded strings but the last, and the strings, hyper-latent first. A file is laid out as
CompressAI's own ``examples/codec.py`` does it, with 31 bytes of model, size, shape and lengths.

Source: J. Balle et al., ICLR 2018; D. Minnen et al., NeurIPS 2018; Z. Cheng et al., CVPR 2020.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from scmc_comm.baselines.image_codec import ImageCodec, damaged
from scmc_comm.codec.tensors import pad_to
from scmc_comm.device import place_part
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import check_pixels
from scmc_comm.wire import Reader, encode_varint
from scmc_comm.zoo.sources import server_error, weights_dir

if TYPE_CHECKING:
    from compressai.models import CompressionModel

ARCHITECTURES = {
    "hyperprior": "bmshj2018-hyperprior",
    "factorized": "bmshj2018-factorized",
    "mbt2018-mean": "mbt2018-mean",
    "mbt2018": "mbt2018",
    "cheng2020-anchor": "cheng2020-anchor",
    "cheng2020-attn": "cheng2020-attn",
}
"""Codec name -> architecture in ``compressai.zoo``, all in their weights for MSE."""
TOP_QUALITY = {"cheng2020-anchor": 6, "cheng2020-attn": 6}
"""The finest quality of a family, where it is not 8."""

_QUALITY_IN_NAME = re.compile(r"[-_](\d+)(?:-[0-9a-f]{8})?\.(?:pth\.tar|pth|pt|tar)\Z")
_FILE_HEAD = struct.Struct(">BBIIBIII")  # model, metric and quality, size, bits, shape, strings
_STRIDE = 64


class ZooCodec(ImageCodec):
    """A CompressAI model family; the quality is the zoo's, 1 (coarsest) to 6 or 8.

    Args:
        family: From `ARCHITECTURES`.
        slim: Leave out what the receiver knows; otherwise files as CompressAI's example writes.
        weights: A checkpoint, or a folder of checkpoints whose names end in ``-QUALITY.pth.tar``
            (``.pth``, ``.pt``; the zoo's own names do). None takes the zoo's files from
            ``$SCMC_WEIGHTS/compressai``, from torch's download cache, or downloads them.

    Raises:
        ScmcError: For an unknown family, or weights that are not there.
    """

    def __init__(
        self, family: str = "hyperprior", slim: bool = True, weights: Path | None = None
    ) -> None:
        if family not in ARCHITECTURES:
            raise ScmcError(f"no codec family {family!r}; there are {', '.join(ARCHITECTURES)}")
        self.slim = slim
        self.name = family if slim else f"{family}:headers=file"
        self._architecture = ARCHITECTURES[family]
        self.files = () if weights is None else (weights,)
        self._files = None if weights is None else _local_files(weights)
        every = range(1, TOP_QUALITY.get(family, 8) + 1)
        self.qualities = tuple(every) if self._files is None else tuple(self._files)

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """Bytes of float [3, H, W] in [0, 1]."""
        self._check_quality(quality)
        net = self._net(quality)
        with torch.no_grad():
            out = net.compress(pad_to(img[None].float().clamp(0, 1), _STRIDE))
        last, *first = (strings[0] for strings in out["strings"])
        strings = [*first, last]
        if self.slim:
            lengths = b"".join(encode_varint(len(string)) for string in first)
            return bytes([int(quality)]) + lengths + b"".join(strings)
        model = list(ARCHITECTURES.values()).index(self._architecture)
        size, shape = img.shape[1:], out["shape"]
        head = _FILE_HEAD.pack(model, int(quality), *size, 8, *shape, len(strings))
        return head + b"".join(len(string).to_bytes(4, "big") + string for string in strings)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        height, width = size
        if min(size) < 1:
            raise ScmcError(f"{self.name}: size {tuple(size)} has no pixels")
        check_pixels(size)
        num_strings = 1 if self._architecture.endswith("factorized") else 2
        read = _read_slim if self.slim else _read_file
        quality, strings = read(data, self.name, num_strings, size)
        if quality not in self.qualities:
            raise damaged(self.name, f"no quality {quality}")
        net = self._net(quality)
        rows, cols = -(-height // _STRIDE), -(-width // _STRIDE)
        per_hyper = _STRIDE // net.downsampling_factor
        # The coder reads where the stream tells it to; zeros behind the end keep a damaged
        # stream inside memory that is ours (ten words are the most that one symbol can take).
        latents = rows * cols * (_STRIDE // 16) ** 2 * _num_channels(net)
        padded = [[string + bytes(4 * (10 * latents + 16))] for string in reversed(strings)]
        try:
            with torch.no_grad():
                out = net.decompress(padded, (rows * per_hyper, cols * per_hyper))
        except (RuntimeError, ValueError, IndexError) as error:
            raise damaged(self.name, " ".join(str(error).split())[:200]) from error
        img = out["x_hat"][0, :, :height, :width].float()
        return torch.nan_to_num(img, nan=0.5).clamp(0, 1)

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """Loads the network."""
        self._net(quality)

    def num_parameters(self, quality: float) -> int:
        """Parameters of the network of that quality."""
        return sum(p.numel() for p in self._net(quality).parameters())

    def _net(self, quality: float) -> CompressionModel:
        if self._files is not None:
            return _kept_net(self._architecture, self._files[int(quality)])
        path = _zoo_file(self._architecture, int(quality))
        if path.is_file():
            return _kept_net(self._architecture, path)
        return _zoo_net(self._architecture, int(quality))


def zoo_files(family: str) -> tuple[Path, ...]:
    """The zoo's own files of a family in ``$SCMC_WEIGHTS/compressai``, those that are there."""
    tops = range(1, TOP_QUALITY.get(family, 8) + 1)
    files = (_zoo_file(ARCHITECTURES[family], quality) for quality in tops)
    return tuple(path for path in files if path.is_file())


def _zoo_file(architecture: str, quality: int) -> Path:
    return weights_dir() / "compressai" / _zoo_url(architecture, quality).rpartition("/")[2]


def _zoo_url(architecture: str, quality: int) -> str:
    from compressai.zoo.image import model_urls

    return str(model_urls[architecture]["mse"][quality])


def _num_channels(net: CompressionModel) -> int:
    return max(int(getattr(net, name, 0)) for name in ("N", "M"))


def _read_slim(
    data: bytes, name: str, num_strings: int, size: tuple[int, int]
) -> tuple[int, list[bytes]]:
    reader = Reader(data, f"{name} bytes")
    quality = reader.byte("quality")
    lengths = [reader.varint("string length", len(data)) for _ in range(num_strings - 1)]
    strings = [reader.take(length, "string") for length in lengths]
    return quality, [*strings, reader.rest()]


def _read_file(
    data: bytes, name: str, num_strings: int, size: tuple[int, int]
) -> tuple[int, list[bytes]]:
    reader = Reader(data, f"{name} file")
    _, quality, *rest = _FILE_HEAD.unpack(reader.take(_FILE_HEAD.size, "header"))
    if rest[:2] != list(size) or rest[-1] != num_strings:
        raise damaged(name, f"a picture of {tuple(rest[:2])} in {rest[-1]} strings")
    strings = []
    for _ in range(num_strings):
        length = int.from_bytes(reader.take(4, "string length"), "big")
        strings.append(reader.take(length, "string"))
    return quality, strings


def _local_files(weights: Path) -> dict[int, Path]:
    """Quality -> checkpoint, from a folder or one file."""
    if weights.is_file():
        found = _QUALITY_IN_NAME.search(weights.name)
        return {int(found[1]) if found else 1: weights}
    if not weights.is_dir():
        raise ScmcError(f"no checkpoint or folder {weights}; give one of CompressAI's networks")
    named = ((_QUALITY_IN_NAME.search(path.name), path) for path in sorted(weights.iterdir()))
    files = {int(found[1]): path for found, path in named if found and int(found[1]) < 256}
    if not files:
        raise ScmcError(
            f"folder {weights} holds no checkpoint; expected names such as hyperprior-3.pth.tar, "
            "with the quality before the suffix"
        )
    return dict(sorted(files.items()))


def _kept_net(architecture: str, path: Path) -> CompressionModel:
    try:
        stat = path.stat()
    except OSError as error:
        raise ScmcError(f"no checkpoint {path}; it was there when the codec was made") from error
    return _file_net(architecture, path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _file_net(architecture: str, path: Path, *_: int) -> CompressionModel:
    """The network of a file, loaded once for each state of the file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch answers other files with many kinds of exception
        raise ScmcError(f"{path} is no checkpoint that torch can read: {error}") from error
    return _build(architecture, state.get("state_dict", state), str(path))


@lru_cache(maxsize=8)
def _zoo_net(architecture: str, quality: int) -> CompressionModel:
    url = _zoo_url(architecture, quality)
    name = url.rpartition("/")[2]
    downloaded = (Path(torch.hub.get_dir()) / "checkpoints" / name).is_file()
    if not downloaded and (error := server_error(url)):
        raise ScmcError(f"{error}; {_fix(name)}")
    try:
        state = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise ScmcError(f"{url} cannot be downloaded ({error}); {_fix(name)}") from error
    return _build(architecture, state, url)


def _fix(name: str) -> str:
    return (
        f"put {name} into $SCMC_WEIGHTS/compressai, or name a checkpoint or a folder of them "
        "as in hyperprior:weights=PATH"
    )


def _build(architecture: str, state: dict[str, torch.Tensor], source: str) -> CompressionModel:
    from compressai.zoo.image import model_architectures
    from compressai.zoo.pretrained import load_pretrained

    try:
        net = model_architectures[architecture].from_state_dict(load_pretrained(state))
    except (RuntimeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ScmcError(f"{source} holds no {architecture} network: {reason}") from error
    net = net.eval().requires_grad_(False)
    net.update()  # integer tables, where the checkpoint has none
    place_part(net.g_s)  # the synthesis decides no bits
    return net
