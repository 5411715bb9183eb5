"""Do the block error tables predict the OFDM link with a receiver that estimates the channel?

    python -m benchmarks.ofdm_tables [--only TEXT] [--seeds 240] [--cases FILE.csv] [--out FILE.csv]

A line for every case: the Es/N0 at which the bit-true link loses a tenth of the frames, how far
it lies above the Es/N0 that the tables say (positive: the tables are too hopeful), and what the
tables say of the loss there. Both sides see the same fades. Cases that need less than -6 dB or
more than 20 dB have no line. A gap with a ``~`` is one where 1 dB more takes less than a fifth off
the loss: a floor, where a distance in dB says little. ``--out`` takes a row for each state of the
receiver's knowledge. About 40 minutes on one core.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from channels.bler.table import default_table
from channels.fading.models import make_channel
from channels.phy.equivalent import EquivalentChannel
from channels.phy.ofdm import OfdmPhy
from channels.phy.table import TablePhy
from channels.types import Frame, Mcs

LOSS, LOWEST_DB, HIGHEST_DB, STEP_DB = 0.1, -6.0, 20.0, 0.5
KNOWLEDGE = (
    "csi=perfect",
    "csi=ls",
    "csi=lmmse",
    "csi_error_variance=0.03",
    "csi_error_variance=0.1",
    "csi_error_variance=0.3",
    "csi=ls,cfo_hz=150",
    "csi=lmmse,cfo_hz=150",
    "csi=ls,linewidth_hz=20",
    "csi=lmmse,linewidth_hz=20",
    "csi=ls,sir_db=5,interferer_band=0.25",
    "csi=ls,pilot_spacing=12,num_pilot_symbols=1",
)
CHANNELS = (
    "awgn",
    "rayleigh_block",
    "tdl:model=C,delay_spread_s=3e-7,speed_kmh=30",
    "tdl:model=A,delay_spread_s=1e-7,speed_kmh=120",
)
ANTENNAS = ("1x1", "1x2", "2x2")
# Bits per symbol, code rate, payload bits.
FRAMES = ((2, 0.205, 480), (2, 0.514, 2000), (4, 0.54, 480), (6, 0.65, 6000))


def crossing(loss: Callable[[float], float]) -> float:
    """Es/N0 in dB where the loss falls to a tenth; infinite where it does not in the range."""
    low, high = LOWEST_DB, HIGHEST_DB
    if loss(high) > LOSS or loss(low) < LOSS:
        return np.inf
    while high - low > STEP_DB:
        middle = low + STEP_DB * ((high - low) // STEP_DB // 2)
        low, high = (middle, high) if loss(middle) > LOSS else (low, middle)
    above, below = (norm.ppf(np.clip(loss(at), 1e-3, 1 - 1e-3)) for at in (low, high))
    return float(low + (high - low) * (above - norm.ppf(LOSS)) / (above - below))


def measure(spec: str, channel_name: str, mcs: Mcs, bits: int, num_seeds: int) -> dict | None:
    phy, channel, seeds = OfdmPhy.from_spec(spec), make_channel(channel_name), range(num_seeds)
    frames = [Frame("frame", np.random.default_rng(bits).integers(0, 2, bits, np.uint8), mcs)]
    equivalent, tables = EquivalentChannel(phy, channel), TablePhy()

    @cache
    def sent(esno_db: float) -> float:
        return 1.0 - float(phy.send(frames, channel, esno_db, seeds).delivered.mean())

    @cache
    def told(esno_db: float) -> float:
        p = tables.delivery_probabilities(frames, equivalent, esno_db, seeds)
        return 1.0 - float(p.mean())

    at_db = crossing(sent)
    if not np.isfinite(at_db):
        return None
    row: dict[str, object] = {
        "link": spec,
        "channel": channel_name,
        "order": mcs.num_bits_per_symbol,
    }
    row |= {"coderate": round(mcs.coderate, 3), "bits": bits, "esno_db": round(at_db, 2)}
    row |= {"gap_db": round(at_db - crossing(told), 2), "told_loss": round(told(at_db), 3)}
    return row | {"floor": sent(at_db + 1.0) > 0.8 * LOSS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose line holds this text")
    parser.add_argument("--seeds", type=int, default=240)
    parser.add_argument("--cases", type=Path, help="CSV of all cases to write")
    parser.add_argument("--out", type=Path, help="CSV of the gaps by knowledge to write")
    args = parser.parse_args()
    rows = []
    for know, channel, antennas, (order, rate, bits) in itertools.product(
        KNOWLEDGE, CHANNELS, ANTENNAS, FRAMES
    ):
        spec = f"antennas={antennas},{know}"
        if args.only not in f"{spec} {channel} {order} {bits}":
            continue
        same_order = [m for m in default_table().schemes if m.num_bits_per_symbol == order]
        mcs = min(same_order, key=lambda m: abs(m.coderate - rate))
        row = measure(spec, channel, mcs, bits, args.seeds)
        if row is None:
            continue
        rows.append({"knowledge": know} | row)
        print(
            f"{spec:48s} {channel:46s} {order} bits at {mcs.coderate:.2f}, {bits:4d}: "
            f"{row['esno_db']:6.2f} dB, gap {row['gap_db']:+.2f}{'~' if row['floor'] else ' '}, "
            f"tables say {row['told_loss']:.3f}",
            flush=True,
        )
    cases = pd.DataFrame(rows)
    found = by_knowledge(cases)
    print(found.to_string(index=False))
    for path, table in ((args.cases, cases), (args.out, found)):
        if path:
            table.to_csv(path, index=False)


def by_knowledge(cases: pd.DataFrame) -> pd.DataFrame:
    """For each state of the receiver's knowledge the gaps of its cases, those at a floor left out.

    The last row is over all.
    """
    groups = [*cases.groupby("knowledge", sort=False), ("all", cases)]
    return pd.DataFrame([_gaps(str(name), group) for name, group in groups])


def _gaps(name: str, group: pd.DataFrame) -> dict[str, object]:
    gaps = group[~group.floor.astype(bool)].gap_db
    return {
        "knowledge": name, "cases": len(gaps), "at_a_floor": len(group) - len(gaps),
        "rms_db": round(float((gaps**2).mean() ** 0.5), 3),
        "largest_db": round(float(gaps.abs().max()), 2),
        "within_half_a_db": round(float((gaps.abs() <= 0.5).mean()), 3),
    }  # fmt: skip


if __name__ == "__main__":
    main()
