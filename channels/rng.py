"""Named random generators from one seed, and a fence around Sionna's use of torch's RNG."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from channels.errors import ChannelError


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator that depends on the seed and the names alone.

    The same arguments give the same stream in every process and on every machine; any other
    seed or name gives an unrelated one.

    Args:
        seed: Any integer.
        names: What the stream is for, for example ``"noise"``.

    >>> import torch
    >>> a = torch.rand(1, generator=generator(7, "noise"))
    >>> b = torch.rand(1, generator=generator(7, "noise"))
    >>> c = torch.rand(1, generator=generator(7, "gain"))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise ChannelError(f"seed is {seed!r}; expected an integer")
    key = "\x1f".join([str(int(seed)), *(f"{type(n).__name__}:{n}" for n in names)])
    digest = hashlib.sha256(key.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


@contextmanager
def preserve_torch_rng() -> Iterator[None]:
    """Puts torch's global generators back as they were, whatever the body draws or seeds.

    Importing Sionna reseeds them from the operating system: import it, and build its blocks,
    in here.
    """
    # Asking an idle CUDA for its state would start it; nobody can have drawn from it then.
    had_cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    cpu_state = torch.get_rng_state()
    cuda_states = torch.cuda.get_rng_state_all() if had_cuda else []
    try:
        yield
    finally:
        torch.set_rng_state(cpu_state)
        if had_cuda:
            torch.cuda.set_rng_state_all(cuda_states)


@contextmanager
def sionna_seed(seed: int) -> Iterator[None]:
    """Seeds every generator of Sionna for the body and restores torch's global ones after it.

    Args:
        seed: 0 to 2**64 - 1.
    """
    if not 0 <= seed < 2**64:
        raise ChannelError(f"Sionna's seed is {seed}; expected 0 to 2**64 - 1")
    with preserve_torch_rng():
        from sionna.phy import config

        config.seed = int(seed)
        yield
