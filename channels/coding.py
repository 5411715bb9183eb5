"""Transport blocks: CRC, segmentation, 5G NR LDPC, rate matching, scrambling, repetition.

The chain of 3GPP TS 38.212 (7.2: CRC, segmentation, LDPC, rate matching with bit interleaving,
concatenation) and the scrambling of 38.211, with Sionna's CRC, encoder and decoder, for payloads
of any length (`channels.segmentation` says where that leaves the standard). Rates below 1/5 send
the whole coded transport block several times; the receiver adds the LLRs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from channels.errors import ChannelError
from channels.rng import preserve_torch_rng
from channels.segmentation import (
    BLOCK_CRC_BITS,
    max_payload_bits,
    num_channel_uses,
    plan_blocks,
)
from channels.types import Mcs

__all__ = [
    "DECODERS",
    "TransportBlockCode",
    "max_payload_bits",
    "num_channel_uses",
    "resolve_decoder",
    "transport_block_code",
]

DECODERS = ("auto", "fast", "sionna")
SIONNA_ITERATIONS = 20

# Coded bits that Sionna's decoder takes at once; its messages need some 300 bytes for each.
_SIONNA_BITS_PER_CALL = 2**19
# Scrambling identity of 38.211, 6.3.1.1: n_RNTI = 1, n_ID = 1.
_SCRAMBLER_INIT = 2**15 + 1


@lru_cache(maxsize=64)
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
        inverse_rate = 3 if _uses_base_graph_1(plan.block_bits, max(lengths)) else 5
        self.block_coded_bits = min(max(lengths), inverse_rate * plan.block_bits)
        position = [
            r * self.block_coded_bits + _interleaver(length, order) % self.block_coded_bits
            for r, length in enumerate(lengths)
        ]
        self._position = torch.as_tensor(np.concatenate(position))
        self._scrambling = _scrambling(plan.symbols_once * order)

    @property
    def num_symbols(self) -> int:
        """Channel uses, all repetitions."""
        return self.plan.num_symbols

    @property
    def num_coded_bits(self) -> int:
        """Bits handed to the mapper, all repetitions."""
        return self.num_symbols * self.mcs.num_bits_per_symbol

    @property
    def crc_bits(self) -> int:
        """Length of the transport block's CRC, 16 or 24."""
        return self.plan.crc_bits

    @property
    def num_padding(self) -> int:
        """Zero bits appended to the payload before segmentation; they are sent."""
        return self.plan.num_padding

    @property
    def num_filler(self) -> int:
        """Shortened LDPC bits of each code block; they are not sent."""
        return int(_encoder(self.plan.block_bits, self.block_coded_bits).k_filler)

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """Payloads uint8 [b, k] to scrambled coded bits uint8 [b, num_coded_bits]."""
        if bits.ndim != 2 or bits.shape[1] != self.k:
            raise ChannelError(f"bits are {bits.shape}; expected [b, {self.k}]")
        plan = self.plan
        info = torch.nn.functional.pad(
            torch.as_tensor(bits, dtype=torch.float32), (0, plan.num_padding)
        )
        blocks = _crc(self._crc_name, info.shape[1]).attach(info)
        blocks = blocks.reshape(len(bits) * plan.num_blocks, -1)
        if plan.num_blocks > 1:
            blocks = _crc("CRC24B", blocks.shape[1]).attach(blocks)
        coded = _encoder(plan.block_bits, self.block_coded_bits)(blocks)
        sent = coded.reshape(len(bits), -1)[:, self._position].to(torch.uint8).numpy()
        return np.tile(sent ^ self._scrambling, self.mcs.repetition)

    def decode(self, llr: torch.Tensor, decoder: str = "auto") -> tuple[np.ndarray, np.ndarray]:
        """Decodes and checks every CRC.

        Args:
            llr: ln P(1)/P(0), float32 [b, num_coded_bits].
            decoder: "sionna" (belief propagation, 20 flooding iterations), "fast"
                (channels.ldpc) or "auto" (see `resolve_decoder`).

        Returns:
            The payloads uint8 [b, k], and bool [b]: True where every CRC passed.
        """
        if llr.dim() != 2 or llr.shape[1] != self.num_coded_bits:
            raise ChannelError(f"llr are {tuple(llr.shape)}; expected [b, {self.num_coded_bits}]")
        plan, batch = self.plan, len(llr)
        once = llr.reshape(batch, self.mcs.repetition, -1).sum(1)
        once = once * torch.as_tensor(1.0 - 2.0 * self._scrambling, dtype=torch.float32)
        blocks = torch.zeros(batch, plan.num_blocks * self.block_coded_bits)
        blocks.index_add_(1, self._position, once)
        decode = _decoder(resolve_decoder(decoder), plan.block_bits, self.block_coded_bits)
        info = decode(blocks.reshape(-1, self.block_coded_bits))
        # The zero word is a codeword with a valid CRC: silence must not decode to it.
        ok = llr.any(1)
        if plan.num_blocks > 1:
            info, passed = _crc("CRC24B", info.shape[1] - BLOCK_CRC_BITS).check(info)
            ok = ok & passed.reshape(batch, -1).all(1)
        crc = _crc(self._crc_name, self.k + plan.num_padding)
        info, passed = crc.check(info.reshape(batch, -1))
        return info[:, : self.k].to(torch.uint8).numpy(), (ok & passed).numpy()

    @property
    def _crc_name(self) -> str:
        return "CRC16" if self.plan.crc_bits == 16 else "CRC24A"


def _uses_base_graph_1(k: int, n: int) -> bool:
    """Whether Sionna takes base graph 1 for k information and n coded bits (38.212, 7.2.2)."""
    return k > 292 and k / n > (0.67 if k <= 3824 else 0.25)


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


class _Crc:
    """Sionna's CRC encoder and decoder for one length."""

    def __init__(self, name: str, k: int) -> None:
        with preserve_torch_rng():
            from sionna.phy.fec.crc import CRCDecoder, CRCEncoder

            self.attach = CRCEncoder(name, k=k, device="cpu")
            self._decoder = CRCDecoder(self.attach, device="cpu")

    def check(self, bits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bits without CRC [b, k], and bool [b]."""
        info, passed = self._decoder(bits)
        return info, passed.squeeze(-1)


@lru_cache(maxsize=64)
def _crc(name: str, k: int) -> _Crc:
    return _Crc(name, k)


@lru_cache(maxsize=64)
def _encoder(k: int, n: int) -> Any:
    with preserve_torch_rng():
        from sionna.phy.fec.ldpc import LDPC5GEncoder

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Effective coderate")  # 0.93 is above 948 / 1024
            return LDPC5GEncoder(k, n, device="cpu")


def resolve_decoder(name: str) -> str:
    """The decoder that a name stands for: "auto" is "fast" where numba is installed."""
    if name not in DECODERS:
        raise ChannelError(f"decoder is {name!r}; expected one of {', '.join(DECODERS)}")
    return name if name != "auto" else "fast" if find_spec("numba") else "sionna"


@lru_cache(maxsize=64)
def _decoder(name: str, k: int, n: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Callable from LLRs float32 [b, n] to information bits float32 [b, k]."""
    if name == "fast":
        from channels.ldpc import LdpcDecoder

        fast = LdpcDecoder(k, n)
        return lambda llr: torch.as_tensor(fast(llr)).to(torch.float32)
    with preserve_torch_rng():
        from sionna.phy.fec.ldpc import LDPC5GDecoder

        decoder = LDPC5GDecoder(_encoder(k, n), num_iter=SIONNA_ITERATIONS, device="cpu")
    rows = max(1, _SIONNA_BITS_PER_CALL // n)
    return lambda llr: torch.cat([decoder(part) for part in llr.split(rows)])
