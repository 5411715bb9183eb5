"""Fast decoder of the 5G NR LDPC codes (3GPP TS 38.212, 5.3.2), for Sionna's encoder.

Layered normalised min-sum on small integers, with an early stop for each codeword on a clean
syndrome. Where Sionna's decoder floods float messages through an unstructured graph, this one
uses the quasi-cyclic structure, a vector register full of messages at a time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import gcd
from typing import Any

import numba
import numpy as np
import torch

from channels.coding.ldpc_tables import NrCode, nr_code
from channels.errors import ChannelError
from channels.kernels.ldpc import Layout, Tuning, decode_words
from channels.kernels.simd import VECTOR_BYTES

_MIN_VECTORS = 4  # a block shorter than this many vectors waits for its own stores
_MIN_BITS_PER_THREAD = 50_000  # below it a thread costs more than it saves
# Base graph -> code rates and min-sum normalisation in 64ths there.
_ALPHAS = {
    1: ((1 / 3, 1 / 2, 2 / 3, 5 / 6, 0.93), (42, 43, 45, 48, 50)),
    2: ((1 / 5, 1 / 3, 1 / 2, 2 / 3, 5 / 6), (44, 45, 46, 49, 53)),
}


@dataclass(frozen=True)
class LdpcResult:
    """Decoded code blocks.

    Attributes:
        bits: uint8 [b, k], hard decisions on the information bits.
        clean: bool [b], True where every parity check holds.
        num_iter: int32 [b], iterations used.
    """

    bits: np.ndarray
    clean: np.ndarray
    num_iter: np.ndarray


class LdpcDecoder:
    """Decodes what Sionna's ``LDPC5GEncoder(k, n, num_bits_per_symbol)`` encodes.

    Args:
        k: Information bits of a code block, 12 to 8448.
        n: Transmitted bits of a code block, with 0.2 <= k / n <= 0.95.
        num_bits_per_symbol: Undo the interleaver of 38.212, 5.4.2.2, for this modulation; None
            where the encoder has none.
        num_iter: Most layered iterations; a code block stops at its first clean syndrome.
        num_threads: Threads for large batches; None for numba's setting (NUMBA_NUM_THREADS,
            by default all cores).
        base_graph: As in `channels.coding.ldpc_tables.nr_code`.

    Raises:
        ChannelError: If no such code exists.

    >>> decoder = LdpcDecoder(k=20, n=40)
    >>> llr = np.full((3, 40), -4.0, np.float32)  # ln P(1)/P(0): all-zero codewords
    >>> int(decoder(llr).sum())
    0
    """

    def __init__(
        self,
        k: int,
        n: int,
        num_bits_per_symbol: int | None = None,
        num_iter: int = 20,
        num_threads: int | None = None,
        base_graph: int | None = None,
    ) -> None:
        if num_bits_per_symbol is not None and (num_bits_per_symbol < 1 or n % num_bits_per_symbol):
            raise ChannelError(
                f"num_bits_per_symbol is {num_bits_per_symbol} for n = {n}; expected a divisor "
                "of n, or None without interleaver"
            )
        if num_iter < 1:
            raise ChannelError(f"num_iter is {num_iter}; expected at least 1")
        if num_threads is not None and num_threads < 1:
            raise ChannelError(f"num_threads is {num_threads}; expected at least 1, or None")
        self.k = int(k)
        self.n = int(n)
        self.num_bits_per_symbol = num_bits_per_symbol
        self.num_iter = int(num_iter)
        self.num_threads = num_threads
        self._code = nr_code(self.k, self.n, base_graph)
        self._dtype = np.dtype(np.int8)
        self._tuning = Tuning(
            num_iter=int(num_iter),
            alpha=_alpha(self._code),
            message_max=63,
            llr_max=np.float32(63.0),
            steps_per_nat=np.float32(5.0),
            mean_steps=np.float32(8.0),
        )

    def __call__(self, llr: np.ndarray | torch.Tensor) -> np.ndarray:
        """Hard decisions.

        Args:
            llr: float32 [b, n], ln P(1)/P(0); infinite is allowed, NaN is not.

        Returns:
            uint8 [b, k].

        Raises:
            ChannelError: On a wrong shape or a NaN.
        """
        return self.decode(llr).bits

    def decode(self, llr: np.ndarray | torch.Tensor) -> LdpcResult:
        """As calling the decoder, with the state of the parity checks and the iterations."""
        values = llr.detach().cpu().numpy() if isinstance(llr, torch.Tensor) else np.asarray(llr)
        if values.ndim != 2 or values.shape[1] != self.n:
            raise ChannelError(f"llr is {list(values.shape)}; expected [b, {self.n}]")
        values = np.ascontiguousarray(values, np.float32)
        num_words = values.shape[0]
        result = LdpcResult(
            np.empty((num_words, self.k), np.uint8),
            np.empty(num_words, np.bool_),
            np.empty(num_words, np.int32),
        )
        threads = self.num_threads or num_threads()
        threads = min(threads, -(-num_words * self.n // _MIN_BITS_PER_THREAD))
        group = self._group(-(-num_words // max(threads, 1)))
        # Chunks of many groups, so that a slow codeword holds up few lanes at the end.
        size = max(8 * group, -(-num_words // (4 * max(threads, 1)))) if threads > 1 else num_words
        spans = [(i, min(i + size, num_words)) for i in range(0, num_words, max(size, 1))]
        if len(spans) > 1:
            with ThreadPoolExecutor(threads) as pool:
                valid = all(list(pool.map(lambda s: self._run(values, result, s, group), spans)))
        else:
            valid = all(self._run(values, result, span, group) for span in spans)
        if not valid:
            row, column = np.argwhere(np.isnan(values))[0]
            raise ChannelError(
                f"llr[{row}, {column}] is NaN; expected ln P(1)/P(0), finite or infinite; "
                "check the noise variance given to the demapper"
            )
        return result

    def _group(self, num_words: int) -> int:
        """Codewords decoded side by side: as few as fill vectors, more where blocks are short."""
        lanes = VECTOR_BYTES // self._dtype.itemsize
        group = lanes // gcd(self._code.z, lanes)
        while group * self._code.z < 2 * lanes or (
            group < min(lanes, num_words) and group * self._code.z < _MIN_VECTORS * lanes
        ):
            group *= 2
        return group

    def _run(self, llr: np.ndarray, result: LdpcResult, span: tuple[int, int], group: int) -> bool:
        code = self._code
        lanes = VECTOR_BYTES // self._dtype.itemsize
        length = code.z * group
        layout = Layout(
            z=code.z,
            k=self.k,
            n=self.n,
            num_info=code.num_info_cols * code.z,
            num_cols=code.num_cols,
            bits_per_symbol=self.num_bits_per_symbol or 1,
            group=group,
            length=length,
            stride=length + 3 * lanes,
            lanes=lanes,
        )
        return bool(
            decode_words(
                llr,
                result.bits,
                result.clean,
                result.num_iter,
                *span,
                np.empty(0, self._dtype),
                code.row_ptr,
                code.edge_col * layout.stride + lanes,
                code.edge_shift * group,
                layout,
                self._tuning,
            )
        )


def num_threads() -> int:
    """Threads that compiled loops may use: numba's setting, NUMBA_NUM_THREADS, or all cores."""
    setting: Any = numba.config
    return int(setting.NUMBA_NUM_THREADS)


def _alpha(code: NrCode) -> int:
    """Min-sum normalisation that loses least at a block error rate of 1e-2, by simulation."""
    rates, alphas = _ALPHAS[code.base_graph]
    return round(float(np.interp(code.k / code.n, rates, alphas)))
