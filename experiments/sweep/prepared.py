"""Prepared transmissions that survive the process: encoded once, then read from the cache."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from channels.types import Frame, Mcs
from experiments.execution.cache import Cache, digest

if TYPE_CHECKING:
    from scmc_comm.systems.base import Budget, Prepared, System


def frame_to_json(frame: Frame) -> dict[str, Any]:
    """A frame as JSON-able values; `frame_from_json` is its inverse."""
    return {
        "tag": frame.tag,
        "num_bits": int(frame.bits.size),
        "bits": base64.b64encode(np.packbits(frame.bits).tobytes()).decode(),
        "mcs": [frame.mcs.num_bits_per_symbol, frame.mcs.coderate, frame.mcs.repetition],
        "power_db": float(frame.power_db),
        "priority": int(frame.priority),
    }


def frame_from_json(entry: dict[str, Any]) -> Frame:
    """A frame from what `frame_to_json` made."""
    packed = np.frombuffer(base64.b64decode(entry["bits"]), dtype=np.uint8)
    bits = np.unpackbits(packed, count=entry["num_bits"])
    return Frame(entry["tag"], bits, Mcs(*entry["mcs"]), entry["power_db"], entry["priority"])


def _to_json(prepared: Prepared) -> dict[str, Any]:
    return {
        "frames": [frame_to_json(f) for f in prepared.frames],
        "entries": [asdict(e) for e in prepared.ledger.entries],
        "budget_uses": prepared.ledger.budget_uses,
        "pilots": list(prepared.ledger.pilots),
        "bpp": float(prepared.bpp),
        "size": list(prepared.size),
        "infeasible": prepared.infeasible,
    }


def _from_json(known: dict[str, Any], encode: Callable[[], Prepared]) -> Prepared:
    from scmc_comm.link.ledger import Ledger, LedgerEntry
    from scmc_comm.systems.base import Prepared

    height, width = known["size"]
    entries = tuple(LedgerEntry(**e) for e in known["entries"])
    return Prepared(
        frames=tuple(frame_from_json(f) for f in known["frames"]),
        ledger=Ledger(entries, known["budget_uses"], tuple(known["pilots"])),
        bpp=known["bpp"],
        reconstruct=lambda tags: encode().reconstruct(tags),
        size=(height, width),
        infeasible=known["infeasible"],
        usable=lambda tags: encode().usable(tags),
    )


def prepare(system: System, img: torch.Tensor, budget: Budget) -> Prepared:
    """Prepares; a budget that holds nothing is a result, kept as a failure, and no error."""
    from scmc_comm.link.protection import InfeasibleBudgetError
    from scmc_comm.systems.base import charge_pilots, infeasible

    try:
        prepared = system.prepare(img, budget)
    except InfeasibleBudgetError as error:
        prepared = infeasible((int(img.shape[1]), int(img.shape[2])), budget, str(error))
    return charge_pilots(prepared, budget)


def is_remembered(key: str, cache: Cache) -> bool:
    """Would `prepare_cached` read its answer?"""
    return digest("prepared", key) in cache


@dataclass(frozen=True)
class Facts:
    """What a result says of an analog transmission itself.

    Attributes:
        infeasible: Why nothing could be sent, or empty.
        bpp: Bits per pixel put on the wire.
        channel_uses: Complex channel uses charged by the ledger.
        papr_db: Peak over mean power in dB; NaN if nothing could be sent.
    """

    infeasible: str
    bpp: float
    channel_uses: int
    papr_db: float


def facts_cached(make: Callable[[], Prepared], key: str, cache: Cache) -> Facts:
    """The facts of a transmission whose symbols are not remembered, since its noise is not.

    Args:
        make: Prepares it; not called where the facts are remembered.
        key: As `prepare_cached`'s.
        cache: Where they are kept.
    """
    known = cache.get_json(digest("prepared", key))
    if known is None:
        p = make()
        known = asdict(Facts(p.infeasible or "", p.bpp, p.ledger.used, p.papr_db))
        cache.put_json(digest("prepared", key), known)
    return Facts(**known)


def prepare_cached(
    make_system: Callable[[], System], img: torch.Tensor, budget: Budget, key: str, cache: Cache
) -> Prepared:
    """`System.prepare`, or its remembered frames, encoding again only to reconstruct.

    Args:
        make_system: Builds the scheme; not called unless it is needed, since loading its
            networks may take longer than reading the result.
        img: float32 [3, H, W] in [0, 1].
        budget: What it may spend.
        key: Content key of (code, system, image, budget).
        cache: Where frames and ledgers are kept.

    Returns:
        The same frames and reconstructions as `System.prepare`, the link's pilots in the ledger.
    """
    known = cache.get_json(digest("prepared", key))
    if known is None:
        prepared = prepare(make_system(), img, budget)
        cache.put_json(digest("prepared", key), _to_json(prepared))
        return prepared
    encode = functools.cache(lambda: prepare(make_system(), img, budget))
    return _from_json(known, encode)
