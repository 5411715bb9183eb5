"""Transport blocks: CRC, segmentation, 5G NR LDPC, rate matching, scrambling, repetition.

The chain of 3GPP TS 38.212 (7.2: CRC, segmentation, LDPC, rate matching with bit interleaving,
concatenation) and the scrambling of 38.211, for payloads of any length
(`channels.coding.segmentation` says where that leaves the standard). Rates below 1/5 send the whole
coded transport block several times; the receiver adds the LLRs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from channels.coding.crc import check_crc, crc_bits
from channels.coding.ldpc import LdpcDecoder
from channels.coding.ldpc_encode import ldpc_encoder
from channels.coding.segmentation import (
    BLOCK_CRC_BITS,
    max_payload_bits,
    num_channel_uses,
    plan_blocks,
)
from channels.errors import ChannelError
from channels.kernels.compiled import compiled
from channels.kernels.simd import peek
from channels.rng import preserve_torch_rng
from channels.types import Mcs

__all__ = [
    "DECODERS",
    "TransportBlockCode",
    "max_payload_bits",
    "num_channel_uses",
    "transport_block_code",
]

DECODERS = ("fast", "sionna")
SIONNA_ITERATIONS = 20

# Coded bits that Sionna's decoder takes at once; its messages need some 300 bytes for each.
_SIONNA_BITS_PER_CALL = 2**19
# Scrambling identity of 38.211, 6.3.1.1: n_RNTI = 1, n_ID = 1.
_SCRAMBLER_INIT = 2**15 + 1


@lru_cache(maxsize=16)  # of long frames one takes megabytes
def transport_block_code(k: int, mcs: Mcs) -> TransportBlockCode:
    """The cached code for payloads of k bits."""
    return TransportBlockCode(k, mcs)


class TransportBlockCode:
    """Coder of payloads of one length at one modulation and coding scheme.

    Args:
        k: Payload bits.
        mcs: Modulation and coding; the modulation sets the interleaver and the symbol count.

    >>> import numpy as np, torch
    >>> code = TransportBlockCode(100, Mcs(num_bits_per_symbol=4, coderate=0.5))
    >>> coded = code.encode(np.ones((1, 100), np.uint8))
    >>> bits_hat, ok = code.decode(torch.as_tensor(coded) * 20.0 - 10.0, decoder="sionna")
    >>> coded.shape == (1, code.num_coded_bits), bool(ok[0]), int(bits_hat.sum())
    (True, True, 100)
    """

    def __init__(self, k: int, mcs: Mcs) -> None:
        self.k, self.mcs, self.plan = k, mcs, plan_blocks(k, mcs)
        plan, order = self.plan, mcs.num_bits_per_symbol
        short, num_long = divmod(plan.symbols_once, plan.num_blocks)
        lengths = [
            order * (short + (r >= plan.num_blocks - num_long)) for r in range(plan.num_blocks)
        ]
        # The mother code ends at rate 1/5 (base graph 1: 1/3); what whole symbols need beyond
        # that wraps around to its beginning, as in the circular buffer of 38.212.
        inverse_rate = 3 if plan.base_graph == 1 else 5
        self.block_coded_bits = min(max(lengths), inverse_rate * plan.block_bits)
        position = [
            r * self.block_coded_bits + _interleaver(length, order) % self.block_coded_bits
            for r, length in enumerate(lengths)
        ]
        self._position = np.concatenate(position)
        self._scrambling = _scrambling(plan.symbols_once * order)
        self._sign = (1 - 2 * self._scrambling.astype(np.int8)).astype(np.float32)

    @property
    def num_symbols(self) -> int:
        """Channel uses, all repetitions."""
        return self.plan.num_symbols

    @property
    def num_coded_bits(self) -> int:
        """Bits handed to the mapper, all repetitions."""
        return self.num_symbols * self.mcs.num_bits_per_symbol

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """Payloads uint8 [b, k] to scrambled coded bits uint8 [b, num_coded_bits]."""
        if bits.ndim != 2 or bits.shape[1] != self.k:
            raise ChannelError(f"bits are {bits.shape}; expected [b, {self.k}]")
        plan = self.plan
        info = np.pad(np.ascontiguousarray(bits, np.uint8), ((0, 0), (0, plan.num_padding)))
        info = np.hstack([info, crc_bits(info, self._crc_name)])
        blocks = info.reshape(len(bits) * plan.num_blocks, -1)
        if plan.num_blocks > 1:
            blocks = np.hstack([blocks, crc_bits(blocks, "CRC24B")])
        coded = ldpc_encoder(plan.block_bits, self.block_coded_bits, plan.base_graph)(blocks)
        sent = coded.reshape(len(bits), -1)[:, self._position]
        return np.tile(sent ^ self._scrambling, self.mcs.repetition)

    def decode(self, llr: torch.Tensor, decoder: str = "fast") -> tuple[np.ndarray, np.ndarray]:
        """Decodes and checks every CRC.

        Args:
            llr: ln P(1)/P(0), float32 [b, num_coded_bits].
            decoder: "fast" (`channels.coding.ldpc`) or "sionna" (belief propagation, 20 flooding
                iterations).

        Returns:
            The payloads uint8 [b, k], and bool [b]: True where every CRC passed.
        """
        if llr.dim() != 2 or llr.shape[1] != self.num_coded_bits:
            raise ChannelError(f"llr are {tuple(llr.shape)}; expected [b, {self.num_coded_bits}]")
        plan, batch = self.plan, len(llr)
        values = np.ascontiguousarray(llr.detach().numpy(), np.float32)
        blocks = np.zeros((batch, plan.num_blocks * self.block_coded_bits), np.float32)
        heard = np.zeros(batch, np.bool_)
        _combine(values, self.mcs.repetition, self._sign, self._position, blocks, heard)
        decode = _decoder(
            check_decoder(decoder), plan.block_bits, self.block_coded_bits, plan.base_graph
        )
        info = decode(blocks.reshape(-1, self.block_coded_bits))
        # The zero word is a codeword with a valid CRC: silence must not decode to it.
        ok = heard
        if plan.num_blocks > 1:
            ok = ok & check_crc(info, "CRC24B").reshape(batch, -1).all(1)
            info = info[:, :-BLOCK_CRC_BITS]
        info = info.reshape(batch, -1)
        return np.ascontiguousarray(info[:, : self.k]), ok & check_crc(info, self._crc_name)

    @property
    def _crc_name(self) -> str:
        return "CRC16" if self.plan.crc_bits == 16 else "CRC24A"


@compiled(error_model="numpy")
def _combine(llr: Any, repetition: int, sign: Any, position: Any, out: Any, heard: Any) -> None:
    """Adds repetitions, descrambles and undoes the interleaver, row by row."""
    once = sign.size
    for row in range(llr.shape[0]):
        values, block = llr[row], out[row]
        any_energy = np.float32(0.0)
        for i in range(once):
            total = peek(values, i)
            for r in range(1, repetition):
                total += peek(values, r * once + i)
            any_energy = max(any_energy, abs(total))
            block[peek(position, i)] += total * peek(sign, i)
        # A NaN goes on to the decoder, which names it.
        heard[row] = any_energy != np.float32(0.0)


def _interleaver(num_bits: int, num_bits_per_symbol: int) -> np.ndarray:
    """Index of the code bit sent in each place (38.212, 5.4.2.2)."""
    return np.arange(num_bits).reshape(num_bits_per_symbol, -1).T.reshape(-1)


def _scrambling(length: int) -> np.ndarray:
    """Gold sequence of 38.211, 5.2.1, uint8 [length]; it keeps payloads of zeros off one point."""
    return _gold_sequence(1 << max(12, (length - 1).bit_length()))[:length]


@lru_cache(maxsize=8)
def _gold_sequence(length: int) -> np.ndarray:
    skip = 1600
    registers = np.zeros((2, length + skip + 31), np.uint8)
    registers[0, 0] = 1
    registers[1, :31] = (_SCRAMBLER_INIT >> np.arange(31)) & 1
    for start in range(0, length + skip, 28):  # no tap reaches further than 28 bits back
        stop = min(start + 28, length + skip)
        old = [registers[:, start + i : stop + i] for i in range(4)]
        registers[:, start + 31 : stop + 31] = old[0] ^ old[3]
        registers[1, start + 31 : stop + 31] ^= old[1][1] ^ old[2][1]
    return np.bitwise_xor(*registers[:, skip : skip + length])


def check_decoder(name: str) -> str:
    """The name, if there is such a decoder."""
    if name not in DECODERS:
        raise ChannelError(f"decoder is {name!r}; expected one of {', '.join(DECODERS)}")
    return name


@lru_cache(maxsize=64)
def _decoder(name: str, k: int, n: int, base_graph: int) -> Callable[[np.ndarray], np.ndarray]:
    """Callable from LLRs float32 [b, n] to information bits uint8 [b, k]."""
    if name == "fast":
        # Callers split their batch (`channels.phy.bit_true`).
        return LdpcDecoder(k, n, num_threads=1, base_graph=base_graph)
    with preserve_torch_rng():
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Effective coderate")  # 0.93 is above 948 / 1024
            encoder = LDPC5GEncoder(k, n, bg=f"bg{base_graph}", device="cpu")
        decoder = LDPC5GDecoder(encoder, num_iter=SIONNA_ITERATIONS, device="cpu")
    rows = max(1, _SIONNA_BITS_PER_CALL // n)

    def decode(llr: np.ndarray) -> np.ndarray:
        parts = [decoder(part) for part in torch.from_numpy(llr).split(rows)]
        return torch.cat(parts).to(torch.uint8).numpy()

    return decode
