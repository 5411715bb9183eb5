"""Measured Es/N0 thresholds of the schemes in `scmc_comm.link.mcs.MCS_GRID`, and how to measure.

Taken on the bit-true link over AWGN with the min-sum decoder, by `measure_threshold_db` with 200
blocks a point up to 512 bits (800 up to 256 bits at code rates above 0.65) and 150, 120, 80, 40
above. Measured again with other seeds, entries at code rates up to 0.65 came out within 0.25 dB.
Blocks of up to 512 bits at higher code rates do not repeat so well, up to 1 dB apart: their error
rate falls slowly near the target and the fitted line follows it badly.
"""

from __future__ import annotations

import itertools

import numpy as np

from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.types import Frame, Mcs

THRESHOLD_BITS = (64, 128, 256, 512, 1024, 2048, 4096, 16384)
# dB Es/N0 at a block error rate of 1e-2: a row per scheme of the grid, sent without repetition; a
# column per payload length in bits.
THRESHOLDS_DB: tuple[tuple[float, ...], ...] = (
    (-1.76, -2.25, -2.68, -3.02, -3.14, -3.28, -3.19, -3.2),
    (-1.04, -1.49, -1.94, -2.3, -2.48, -2.58, -2.64, -2.67),
    (-0.75, -1.29, -1.79, -2.03, -2.28, -2.42, -2.46, -2.45),
    (-0.63, -1.19, -1.73, -1.91, -2.16, -2.27, -2.28, -2.33),
    (-1.17, -1.69, -2.08, -2.45, -2.59, -2.73, -2.76, -2.64),
    (0.08, -0.41, -0.87, -1.11, -1.39, -1.61, -1.59, -1.57),
    (-1.04, -1.49, -1.94, -2.3, -2.48, -2.58, -2.64, -2.67),
    (0.29, -0.06, -0.62, -0.86, -1.08, -1.25, -1.27, -1.26),
    (1.31, 0.92, 0.41, 0.21, -0.03, -0.18, -0.3, -0.3),
    (-0.75, -1.27, -1.63, -2.08, -2.23, -2.47, -2.45, -2.46),
    (0.17, -0.25, -0.57, -0.96, -1.29, -1.31, -1.31, -1.31),
    (1.22, 0.78, 0.39, 0.09, -0.14, -0.3, -0.41, -0.25),
    (2.27, 1.81, 1.34, 1.02, 0.75, 0.63, 0.52, 0.53),
    (3.27, 2.7, 2.26, 2.03, 1.72, 1.52, 1.47, 1.45),
    (4.14, 3.65, 3.2, 2.86, 2.57, 2.42, 2.35, 2.36),
    (5.38, 4.83, 4.51, 4.17, 4, 3.85, 3.92, 3.97),
    (6.18, 5.63, 5.24, 4.86, 4.53, 4.39, 4.4, 4.27),
    (6.77, 6.56, 6, 5.78, 5.43, 5.38, 5.35, 5.28),
    (8.2, 7.61, 6.87, 6.87, 6.48, 6.25, 6.23, 6.19),
    (8.54, 8.45, 8.08, 7.77, 7.37, 7.14, 7.32, 7.23),
    (10.2, 9.53, 8.97, 8.7, 8.54, 8.2, 8.1, 7.99),
    (10.38, 10.15, 9.73, 9.34, 9.14, 8.79, 8.72, 8.63),
    (10.72, 10.9, 10.31, 10.07, 9.46, 9.41, 9.35, 9.24),
    (12.2, 11.57, 10.73, 10.59, 10.03, 9.96, 9.91, 9.83),
    (12.62, 12.31, 11.91, 11.56, 11.24, 11.08, 10.86, 10.81),
    (13.35, 13.24, 13.06, 12.71, 11.95, 11.81, 11.93, 11.8),
    (14.68, 14.29, 14.07, 13.58, 12.89, 12.82, 12.72, 12.58),
    (15.33, 15.52, 14.85, 14.48, 13.84, 13.78, 13.7, 13.65),
    (17.2, 16.24, 15.87, 15.51, 15.23, 14.61, 14.72, 14.68),
    (18.02, 18.04, 16.28, 16.39, 16, 15.63, 15.57, 15.53),
    (18.99, 19.14, 17.83, 17.53, 16.94, 16.71, 16.56, 16.51),
    (20.12, 19.56, 18.61, 18.15, 17.82, 17.73, 17.46, 17.41),
    (20.63, 20.39, 19.29, 19.6, 18.68, 18.75, 18.63, 18.5),
    (22.18, 21.1, 20.22, 20.11, 19.59, 19.44, 19.39, 19.14),
    (22.79, 21.33, 21.11, 21.31, 20.78, 20.41, 20.09, 19.96),
    (24.38, 22.41, 22.47, 22.28, 21.69, 21.49, 21.38, 21.24),
    (24.37, 25.06, 23.45, 22.98, 22.49, 22.22, 22.12, 22.08),
    (25.55, 25.4, 24.42, 24.39, 23.3, 23.63, 23.4, 23.18),
    (25.55, 25.45, 26.2, 25.08, 24.68, 24.76, 24.32, 24.07),
    (25.56, 27.53, 27.3, 25.95, 26.01, 25.45, 25.33, 25.02),
)

TARGET_BLER = 1e-2
_STEP_DB, _TOP_BLER = 0.25, 0.9


def measure_threshold_db(
    mcs: Mcs, num_bits: int, start_esno_db: float, num_trials: int = 200, seed: int = 0
) -> float:
    """Es/N0 in dB over AWGN at which a block of ``num_bits`` is lost once in a hundred.

    Walks up through the waterfall and fits a straight line to the probit of the block error rate,
    which short blocks follow closely; most of the blocks that are sent then tell something, unlike
    at the target itself. Every point has noise of its own: were it shared, one unlucky draw would
    shift the whole curve.

    Args:
        mcs: Modulation and coding.
        num_bits: Payload bits.
        start_esno_db: Where to start; if blocks get through there, it starts lower.
        num_trials: Blocks sent at each point.
        seed: Seed of payload and noise.
    """
    from scipy.stats import norm

    phy, channel = BitTruePhy(), make_channel("awgn")
    bits = np.random.default_rng(seed).integers(0, 2, num_bits).astype(np.uint8)
    points = itertools.count(seed * 1000)

    def bler(esno_db: float) -> float:
        first = next(points) * num_trials
        frame = Frame("block", bits, mcs)
        report = phy.send([frame], channel, esno_db, range(first, first + num_trials))
        lost = num_trials - int(report.delivered.sum())
        return (lost + 0.5) / (num_trials + 1)  # keeps the probit finite

    esno_db = start_esno_db
    while (here := bler(esno_db)) < _TOP_BLER:
        esno_db -= 3 * _STEP_DB
    curve = [(esno_db, here)]
    while here > TARGET_BLER * 2:
        esno_db += _STEP_DB
        here = bler(esno_db)
        curve = [*curve, (esno_db, here)] if here < _TOP_BLER else [(esno_db, here)]
    x, y = np.array(curve).T
    probit = norm.ppf(y)
    deviation = np.sqrt(y * (1 - y)) / norm.pdf(probit)  # of the probit, for one trial
    slope, offset = np.polyfit(x, probit, 1, w=1 / deviation)
    return float((norm.ppf(TARGET_BLER) - offset) / slope)
