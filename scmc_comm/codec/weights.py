"""Shipped weights: safetensors with their network's configuration inside.

Floats are stored in half precision, or, where a network bears it, in eight bits with one scale
for each row of the first dimension.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from scmc_comm.errors import ScmcError
from scmc_comm.models import MODELS_ENV, model_path

NetT = TypeVar("NetT", bound=nn.Module)

_SCALE = ".scale"


def with_tuples(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration's fields as its dataclass has them: files turn tuples into lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}


def load_weights(name: str, path: Path | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and state of a network.

    Args:
        name: Network name, which is the file's stem.
        path: A file in place of the one that `model_path` names.

    Returns:
        The configuration's fields and the state with floats in float32.

    Raises:
        ScmcError: If the file is missing, damaged or made for another network.
    """
    path = path or model_path(f"{name}.safetensors")
    if not path.is_file():
        if os.environ.get(MODELS_ENV):
            raise ScmcError(
                f"no weights at {path}; train them with 'scmc-comm train {name}', or unset "
                f"{MODELS_ENV} to use the shipped ones"
            )
        raise ScmcError(
            f"no weights at {path}; reinstall the package, or train them with "
            f"'scmc-comm train {name}'"
        )
    try:
        with safe_open(path, framework="pt") as f:
            meta = f.metadata() or {}
            state = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as e:
        raise ScmcError(f"{path} is not a readable safetensors file: {e}") from e
    if meta.get("network") != name:
        raise ScmcError(f"{path} holds {meta.get('network')!r}; expected weights of {name!r}")
    scales = {k: state.pop(k + _SCALE) for k in list(state) if k + _SCALE in state}
    floats = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    floats |= {k: floats[k] * scale for k, scale in scales.items()}
    return with_tuples(json.loads(meta["config"])), floats


def filled(make: Callable[[], NetT], state: Mapping[str, Tensor], source: object) -> NetT:
    """A network with given weights, frozen; building it leaves torch's generator as it was.

    Args:
        make: Builds the network.
        state: All its weights.
        source: Where they come from, for messages.

    Raises:
        ScmcError: If names or shapes do not fit.
    """
    try:
        with torch.random.fork_rng(devices=[]):  # the initial values are drawn, then replaced
            net = make()
        net.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ScmcError(f"{source} does not fit the network: {reason}") from error
    return net.eval().requires_grad_(False)


def save_weights(
    name: str,
    config: dict[str, Any],
    state: dict[str, Tensor],
    path: Path,
    keep_float32: tuple[str, ...] = (),
    eight_bits: bool = False,
) -> None:
    """Write weights in half precision or less, under a temporary name first.

    Args:
        name: Network name.
        config: The configuration's fields.
        state: The network's state.
        path: Where to.
        keep_float32: Prefixes of the entries that stay in single precision.
        eight_bits: Store matrices and kernels in eight bits, each row of the first dimension with
            a scale of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    out = {}
    for key, value in state.items():
        single = key.startswith(keep_float32) if keep_float32 else False
        half = value.is_floating_point() and not single
        if eight_bits and half and value.ndim > 1:
            rows = value.detach().abs().flatten(1).amax(1).clamp(min=1e-12) / 127
            scale = rows.view(-1, *[1] * (value.ndim - 1))
            out[key + _SCALE] = scale
            value = torch.round(value.detach() / scale).clamp(-127, 127).to(torch.int8)
            half = False
        out[key] = value.detach().to(torch.float16 if half else value.dtype).contiguous().clone()
    part = path.with_suffix(".part")
    save_file(out, part, metadata={"network": name, "config": json.dumps(config)})
    part.chmod(0o644)  # the library writes it for the owner alone
    part.replace(path)
