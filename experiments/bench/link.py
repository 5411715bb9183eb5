"""Speed of the decoder and of the whole bit-true chain beside the plain way, in one run.

The plain way is Sionna on the CPU: `LDPC5GDecoder` with 20 flooding iterations of boxplus-phi, and
a chain of its encoder, mapper, AWGN, demapper and decoder. Both sides get the same number of
threads and take turns, so that other load on the machine hits both; medians are compared. On a
machine that is busy otherwise trust the ratio of CPU times more.
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from joblib import cpu_count
from scipy.stats import norm

from channels.bler.table import wilson_interval
from channels.coding.ldpc import LdpcDecoder, num_threads
from channels.coding.ldpc_encode import ldpc_encoder
from channels.coding.transport_block import TransportBlockCode
from channels.errors import ChannelError
from channels.fading.models import Awgn
from channels.kernels.normal import complex_normal, stream_keys
from channels.modulation.qam import map_bits
from channels.phy.bit_true import BitTruePhy
from channels.rng import preserve_torch_rng
from channels.types import Frame, Mcs

NUM_ITER = 20
PLAIN_ITER = (20, 50)  # of Sionna's decoder, where the loss is measured
# Information and coded bits of a code block, and the Es/N0 in dB (QPSK) where our decoder and where
# Sionna's loses about one block in a hundred.
LDPC_CASES = ((512, 1024, 1.78, 1.82), (2048, 6144, -0.87, -0.87), (8448, 10138, 5.28, 5.37))
CHAIN_CASES = (
    (Mcs(2, 0.5), 496, 1.78), (Mcs(2, 1 / 3), 2032, -0.87), (Mcs(4, 0.5), 2032, 6.58),
    (Mcs(8, 5 / 6), 8424, 22.2),
)  # fmt: skip


@dataclass(frozen=True)
class Race:
    """One figure: ours beside the plain way.

    Attributes:
        case: What was run.
        esno_db: Es/N0 in dB.
        mbit_per_s: Information throughput, ours.
        plain_mbit_per_s: Information throughput, the plain way.
        ratio: Of the medians of wall-clock times per block.
        cpu_ratio: Of the medians of CPU times per block.
        bler: Block error rate, ours.
        plain_bler: Block error rate, the plain way.
    """

    case: str
    esno_db: float
    mbit_per_s: float
    plain_mbit_per_s: float
    ratio: float
    cpu_ratio: float
    bler: float
    plain_bler: float


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            x
            for x in cpuinfo.read_text(encoding="utf-8").splitlines()
            if x.startswith("model name")
        ]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": num_threads(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "packages": {n: version(n) for n in ("torch", "numba", "numpy", "sionna-no-rt")},
    }


def race_decoders(
    num_blocks: int = 2000, num_plain: int = 32, repeats: int = 5, threads: int | None = None
) -> list[Race]:
    """Our decoder beside Sionna's, on the same LLRs.

    Args:
        num_blocks: Code blocks that ours decodes a repeat.
        num_plain: The first so many of them, which Sionna's decodes.
        repeats: Alternating repeats.
        threads: Threads of each; None for all cores.
    """
    with _threads(threads), torch.no_grad():
        return [_race_decoders(case, num_blocks, num_plain, repeats) for case in LDPC_CASES]


def _race_decoders(
    case: tuple[int, int, float, float], num_blocks: int, num_plain: int, repeats: int
) -> Race:
    k, n, esno_db, _ = case
    bits, llr = draw_llr(k, n, esno_db, num_blocks, seed=1)
    ours, plain = LdpcDecoder(k, n, num_iter=NUM_ITER), _sionna_decoder(k, n)
    few = torch.from_numpy(llr[:num_plain])
    wrong = (ours(llr) != bits).any(1)
    wrong_plain = (plain(few).numpy() != bits[:num_plain]).any(1)
    times = _alternate(partial(ours, llr), partial(plain, few), repeats)
    return _race(
        f"LDPC k={k} n={n}", esno_db, k, times, (num_blocks, num_plain),
        (float(wrong.mean()), float(wrong_plain.mean())),
    )  # fmt: skip


def race_chains(
    num_blocks: int = 2000, num_plain: int = 32, repeats: int = 5, threads: int | None = None
) -> list[Race]:
    """The bit-true link beside a plain chain of Sionna's blocks; arguments as `race_decoders`.

    Ours encodes and maps a new payload for every block, as the plain chain does, and checks CRCs
    besides.
    """
    with _threads(threads), torch.no_grad():
        return [_race_chains(case, num_blocks, num_plain, repeats) for case in CHAIN_CASES]


def _race_chains(
    case: tuple[Mcs, int, float], num_blocks: int, num_plain: int, repeats: int
) -> Race:
    mcs, k, esno_db = case
    code, phy = TransportBlockCode(k, mcs), BitTruePhy()
    payloads = np.random.default_rng(0).integers(0, 2, (num_blocks, k), np.uint8)
    lost: list[float] = []
    lost_plain: list[float] = []

    def ours() -> None:
        map_bits(code.encode(payloads), mcs.num_bits_per_symbol)
        frame = Frame("block", payloads[len(lost) % num_blocks], mcs)
        first = len(lost) * num_blocks
        report = phy.send([frame], Awgn(), esno_db, range(first, first + num_blocks))
        lost.append(1 - float(report.delivered.mean()))

    chain = plain_chain(code.plan.block_bits, code.num_coded_bits, mcs.num_bits_per_symbol)

    def plain() -> None:
        lost_plain.append(chain(num_plain, esno_db))

    ours()
    plain()
    times = _alternate(ours, plain, repeats)
    name = (
        f"chain k={code.plan.block_bits} n={code.num_coded_bits} {2**mcs.num_bits_per_symbol}-QAM"
    )
    return _race(
        name, esno_db, code.plan.block_bits, times, (num_blocks, num_plain),
        (float(np.mean(lost)), float(np.mean(lost_plain))),
    )  # fmt: skip


def plain_chain(k: int, n: int, num_bits_per_symbol: int) -> Callable[[int, float], float]:
    """Sionna's blocks one after the other; gives the block error rate of a batch."""
    with preserve_torch_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sionna.phy.channel import AWGN
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
        from sionna.phy.mapping import BinarySource, Demapper, Mapper

        source, channel = BinarySource(device="cpu"), AWGN(device="cpu")
        encoder = LDPC5GEncoder(k, n, num_bits_per_symbol=num_bits_per_symbol, device="cpu")
        mapper = Mapper("qam", num_bits_per_symbol, device="cpu")
        demapper = Demapper("app", "qam", num_bits_per_symbol, device="cpu")
        decoder = LDPC5GDecoder(encoder, num_iter=NUM_ITER, device="cpu")

    def run(batch: int, esno_db: float) -> float:
        no = torch.tensor(10 ** (-esno_db / 10))
        bits = source([batch, k])
        decided = decoder(demapper(channel(mapper(encoder(bits)), no), no))
        return float((decided != bits).any(1).float().mean())

    return run


@dataclass(frozen=True)
class Loss:
    """Es/N0 that our decoder needs beyond Sionna's at the same block error rate.

    Attributes:
        case: The code.
        num_iter: Flooding iterations of Sionna's belief propagation.
        esno_db: Es/N0 in dB that Sionna's decoder was run at.
        plain_blocks: Blocks that it decoded.
        plain_errors: Blocks that it lost.
        errors: Blocks of the same that ours lost.
        loss_db: The loss; negative where ours is better.
        loss_high_db: Its upper end: at the lower end of the 95 % interval of Sionna's error rate.
        loss_low_db: Its lower end.
    """

    case: str
    num_iter: int
    esno_db: float
    plain_blocks: int
    plain_errors: int
    errors: int
    loss_db: float
    loss_low_db: float
    loss_high_db: float


def measure_loss(
    num_errors: int = 100, max_blocks: int = 30_000, threads: int | None = None
) -> list[Loss]:
    """Runs Sionna's decoder until it lost so many blocks, and ours around the same Es/N0.

    Sionna's takes 20 iterations, as many as ours, and then 50, which leave it little to gain.
    """
    with _threads(threads), torch.no_grad():
        return [
            _measure_loss(case, num_iter, num_errors, max_blocks)
            for num_iter in PLAIN_ITER
            for case in LDPC_CASES
        ]


def _measure_loss(
    case: tuple[int, int, float, float], num_iter: int, num_errors: int, max_blocks: int
) -> Loss:
    k, n, _, esno_db = case
    ours, plain = LdpcDecoder(k, n, num_iter=NUM_ITER), _sionna_decoder(k, n, num_iter)
    size, blocks, errors, plain_errors = 64, 0, 0, 0
    while plain_errors < num_errors and blocks < max_blocks:
        bits, llr = draw_llr(k, n, esno_db, size, seed=1000 + blocks)
        plain_errors += int((plain(torch.from_numpy(llr)).numpy() != bits).any(1).sum())
        errors += int((ours(llr) != bits).any(1).sum())
        blocks += size
    if plain_errors == 0:
        raise ChannelError(f"Sionna's decoder lost none of {blocks} blocks; allow more blocks")
    # Our own waterfall around that Es/N0, closely counted: it turns error rates into dB.
    grid_db = esno_db + np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    rate = [_own_bler(ours, esno, max(20_000, blocks)) for esno in grid_db]
    slope, offset = np.polyfit(grid_db, norm.ppf(rate), 1)
    low, high = wilson_interval(np.array([plain_errors]), np.array([blocks]))
    at = [
        float((norm.ppf(p) - offset) / slope - esno_db)
        for p in (plain_errors / blocks, high[0], low[0])
    ]
    return Loss(f"LDPC k={k} n={n}", num_iter, esno_db, blocks, plain_errors, errors, *at)


def _own_bler(decoder: LdpcDecoder, esno_db: float, num_blocks: int) -> float:
    lost, size = 0, max(64, 2**22 // decoder.n)
    batches = -(-num_blocks // size)
    for batch in range(batches):
        bits, llr = draw_llr(decoder.k, decoder.n, esno_db, size, seed=10**6 + batch)
        lost += int((decoder(llr) != bits).any(1).sum())
    return max(lost, 0.5) / (batches * size)


def draw_llr(
    k: int, n: int, esno_db: float, num_blocks: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Random bits uint8 [b, k] and their LLRs float32 [b, n] after QPSK over AWGN."""
    bits = np.random.default_rng(seed).integers(0, 2, (num_blocks, k), np.uint8)
    coded = ldpc_encoder(k, n)(bits)
    no = 10 ** (-esno_db / 10)
    keys = stream_keys(range(num_blocks), f"benchmark:{seed}")
    noise = complex_normal(-(-n // 2), keys, no).view(np.float32)[:, :n]
    sent = (2.0 * coded.astype(np.float32) - 1.0) * np.float32(np.sqrt(0.5))
    return bits, (sent + noise) * np.float32(4 * np.sqrt(0.5) / no)


def _sionna_decoder(k: int, n: int, num_iter: int = NUM_ITER) -> Any:
    with preserve_torch_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

        return LDPC5GDecoder(LDPC5GEncoder(k, n, device="cpu"), num_iter=num_iter, device="cpu")


@contextmanager
def _threads(num: int | None) -> Iterator[None]:
    """The same number of threads for torch and for compiled loops."""
    if num is not None and num < 1:
        raise ChannelError(f"threads is {num}; expected at least 1")
    setting: Any = numba.config
    before = torch.get_num_threads(), setting.NUMBA_NUM_THREADS
    count = num or cpu_count()
    torch.set_num_threads(count)
    setting.NUMBA_NUM_THREADS = count
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        setting.NUMBA_NUM_THREADS = before[1]


def _alternate(
    ours: Callable[[], object], plain: Callable[[], object], repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """Wall-clock and CPU seconds [repeats, 2] of each, in turns."""
    if repeats < 1:
        raise ChannelError(f"repeats is {repeats}; expected at least 1")
    taken: tuple[list[tuple[float, float]], ...] = ([], [])
    for _ in range(repeats):
        for run, times in zip((ours, plain), taken, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return np.array(taken[0]), np.array(taken[1])


def _race(
    case: str,
    esno_db: float,
    k: int,
    times: tuple[np.ndarray, np.ndarray],
    blocks: tuple[int, int],
    bler: tuple[float, float],
) -> Race:
    (wall, cpu), (plain_wall, plain_cpu) = (
        np.median(t, axis=0) / num for t, num in zip(times, blocks, strict=True)
    )
    return Race(
        case, esno_db, float(k / wall / 1e6), float(k / plain_wall / 1e6),
        float(plain_wall / wall), float(plain_cpu / cpu), *bler,
    )  # fmt: skip


def as_dicts(rows: list[Race] | list[Loss]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(row) for row in rows]
