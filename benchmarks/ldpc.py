"""Throughput and loss of the fast LDPC decoder against Sionna's, side by side in one run.

    python benchmarks/ldpc.py                     # throughput, three codes
    python benchmarks/ldpc.py --loss --words 1000 # block error rates on the same noise

Both decoders get the same LLRs, QPSK over AWGN at an Es/N0 where Sionna's block error rate is
near 1e-2, and 20 iterations (layered here; flooding, boxplus-phi there). Repetitions alternate
between the two, so that other load on the machine hits both; medians are compared. On a machine
that is busy otherwise, ask for one thread and trust the ratio of CPU time: torch's threads spin.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

from channels.ldpc import LdpcDecoder

# k, n, Es/N0 in dB where Sionna's decoder has a block error rate near 1e-2
CODES = ((512, 1024, 1.87), (2048, 6144, -0.92), (8448, 10138, 5.4))
NUM_ITER = 20


def draw(
    encoder: LDPC5GEncoder, esno_db: float, num_words: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Random bits [b, k] and their LLRs [b, n] after QPSK over AWGN."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (num_words, encoder.k), generator=generator, dtype=torch.float32)
    coded = torch.cat([encoder(part) for part in bits.split(200)]).numpy()
    no = 10 ** (-esno_db / 10)
    noise = np.random.default_rng(seed).standard_normal(coded.shape, np.float32) * np.sqrt(no / 2)
    llr = ((2 * coded - 1) / np.sqrt(2) + noise) * (4 / np.sqrt(2) / no)
    return bits.numpy().astype(np.uint8), llr.astype(np.float32)


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def throughput(threads: int, repeats: int, num_ours: int, num_theirs: int) -> None:
    """Print the median information throughput of both decoders and their ratio."""
    print(f"{threads} threads each, {repeats} alternating repeats, medians")
    print("    k      n   Es/N0  iter   ours Mbit/s  Sionna Mbit/s   ratio  CPU time ratio")
    for k, n, esno_db in CODES:
        encoder = LDPC5GEncoder(k, n)
        ours = LdpcDecoder(k, n, num_iter=NUM_ITER, num_threads=threads)
        theirs = LDPC5GDecoder(encoder, num_iter=NUM_ITER)
        _, llr = draw(encoder, esno_db, num_ours, seed=1)
        few = torch.from_numpy(llr[:num_theirs])
        num_iter = ours.decode(llr).num_iter.mean()
        theirs(few[:2])
        fast, slow = [], []
        for _ in range(repeats):
            fast.append(seconds(partial(ours, llr)))
            slow.append(seconds(partial(theirs, few)))
        wall, cpu = np.median(fast, axis=0) / num_ours
        wall_theirs, cpu_theirs = np.median(slow, axis=0) / num_theirs
        print(
            f"{k:5d} {n:6d} {esno_db:7.2f} {num_iter:5.1f} {k / wall / 1e6:13.2f} "
            f"{k / wall_theirs / 1e6:14.4f} {wall_theirs / wall:7.0f} {cpu_theirs / cpu:15.0f}",
            flush=True,
        )


def loss(num_words: int) -> None:
    """Print the block error rates of both decoders on the same LLRs."""
    print("    k      n   Es/N0   ours    Sionna   only ours fails / only Sionna fails")
    for k, n, esno_db in CODES:
        encoder = LDPC5GEncoder(k, n)
        ours, theirs = (
            LdpcDecoder(k, n, num_iter=NUM_ITER),
            LDPC5GDecoder(encoder, num_iter=NUM_ITER),
        )
        bits, llr = draw(encoder, esno_db, num_words, seed=2)
        wrong = (ours(llr) != bits).any(1)
        parts = [theirs(part).numpy() for part in torch.from_numpy(llr).split(50)]
        wrong_theirs = (np.concatenate(parts) != bits).any(1)
        print(
            f"{k:5d} {n:6d} {esno_db:7.2f} {wrong.mean():7.4f} {wrong_theirs.mean():8.4f}   "
            f"{(wrong & ~wrong_theirs).sum()} / {(wrong_theirs & ~wrong).sum()}",
            flush=True,
        )


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loss", action="store_true", help="block error rates, not speed")
    parser.add_argument("--words", type=int, default=400, help="code blocks (ours)")
    parser.add_argument("--sionna-words", type=int, default=20, help="code blocks a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    with torch.no_grad():
        if options.loss:
            loss(options.words)
        else:
            throughput(options.threads, options.repeats, options.words, options.sionna_words)


if __name__ == "__main__":
    main()
