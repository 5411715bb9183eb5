"""Transport blocks against Sionna's NR chain and against their own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding import transport_block as coding
from channels.coding.ldpc_encode import ldpc_encoder
from channels.coding.segmentation import plan_blocks
from channels.coding.transport_block import TransportBlockCode, max_payload_bits, num_channel_uses
from channels.errors import ChannelError
from channels.rng import preserve_torch_rng
from channels.types import BITS_PER_SYMBOL, Mcs

MCS = st.builds(
    Mcs,
    num_bits_per_symbol=st.sampled_from(BITS_PER_SYMBOL),
    coderate=st.one_of(
        st.sampled_from([0.2, 1 / 4, 1 / 3, 0.5, 2 / 3, 0.67, 0.75, 0.93]), st.floats(0.2, 0.93)
    ),
    repetition=st.integers(1, 4),
)


def _bits(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape, dtype=np.uint8)


def _llr(coded: np.ndarray, scale: float = 10.0) -> torch.Tensor:
    return torch.as_tensor(coded, dtype=torch.float32) * 2 * scale - scale


def _noisy_llr(code: TransportBlockCode, bits: np.ndarray, no: float) -> torch.Tensor:
    """LLRs of binary antipodal symbols; the variance grows over the rows, 0.5 to 2 times `no`."""
    sent = _llr(code.encode(bits), 1.0)
    variance = no * torch.logspace(-1, 1, len(bits), base=2.0)[:, None]
    noise = torch.randn(sent.shape, generator=torch.Generator().manual_seed(1))
    return 2 * (sent + variance.sqrt() * noise) / variance


# Sizes that 38.214 allows for a transport block: one block, several, equal and unequal ones.
TB_CASES = [
    (24, Mcs(4, 0.4)),
    (984, Mcs(2, 0.5)),
    (2856, Mcs(8, 0.75)),
    (3824, Mcs(4, 0.8)),
    (7680, Mcs(2, 0.34)),
    (7680, Mcs(2, 0.22)),
    (8456, Mcs(2, 0.6)),
    (20496, Mcs(6, 0.8)),
]


@pytest.mark.parametrize(("k", "mcs"), TB_CASES, ids=str)
def test_encoder_is_sionnas_transport_block_encoder(k: int, mcs: Mcs) -> None:
    code = TransportBlockCode(k, mcs)
    with preserve_torch_rng():
        from sionna.phy.nr import TBEncoder

        peer = TBEncoder(
            k, code.num_coded_bits, mcs.coderate, mcs.num_bits_per_symbol, device="cpu"
        )
    assert peer.tb_size == k and peer.num_cbs == code.plan.num_blocks
    bits = _bits(2, k)
    assert np.array_equal(code.encode(bits), peer(torch.as_tensor(bits).float()).numpy())


@pytest.mark.parametrize(
    ("k", "mcs", "no"), [(984, Mcs(2, 0.5), 0.72), (4040, Mcs(4, 0.22), 2.25)], ids=str
)
def test_decoder_is_sionnas_transport_block_decoder(k: int, mcs: Mcs, no: float) -> None:
    code = TransportBlockCode(k, mcs)
    with preserve_torch_rng():
        from sionna.phy.fec.ldpc import LDPC5GDecoder
        from sionna.phy.nr import TBDecoder, TBEncoder

        encoder = TBEncoder(
            k, code.num_coded_bits, mcs.coderate, mcs.num_bits_per_symbol, device="cpu"
        )
        peer = TBDecoder(encoder, num_bp_iter=coding.SIONNA_ITERATIONS, device="cpu")
    assert isinstance(peer._decoder, LDPC5GDecoder) and encoder.tb_size == k
    llr = _noisy_llr(code, _bits(5, k), no)
    expected_bits, expected_ok = peer(llr)
    bits_hat, ok = code.decode(llr, "sionna")
    assert np.array_equal(bits_hat, expected_bits.numpy())
    assert np.array_equal(ok, expected_ok.numpy())
    assert 0 < ok.sum() < len(ok)


@pytest.mark.parametrize(
    ("k", "mcs", "base_graph"),
    [
        (276, Mcs(4, 0.8), 2), (277, Mcs(4, 0.8), 2), (292, Mcs(4, 0.8), 2),
        (293, Mcs(4, 0.8), 1), (292, Mcs(8, 0.93), 2), (3808, Mcs(2, 0.5), 2),
        (3809, Mcs(2, 0.5), 2), (3824, Mcs(6, 0.67), 2), (3824, Mcs(6, 0.68), 1),
        (3825, Mcs(2, 0.5), 1), (3825, Mcs(2, 0.3), 1), (9000, Mcs(2, 0.3), 1),
        (3825, Mcs(2, 0.25), 2), (9000, Mcs(2, 0.2), 2), (9000, Mcs(2, 0.3, 2), 1),
    ],
    ids=str,
)  # fmt: skip
def test_base_graph_is_chosen_from_the_payload_as_38212_says(
    k: int, mcs: Mcs, base_graph: int
) -> None:
    """Clause 7.2.2: A <= 292, or A <= 3824 and R <= 0.67, or R <= 0.25 take base graph 2.

    A has no CRC; Sionna's transport block decides from the block with it, so that its LDPC coder
    is the peer here. Repetition is over slots: R is that of one.
    """
    code = TransportBlockCode(k, mcs)
    assert code.plan.base_graph == base_graph
    with preserve_torch_rng():
        from sionna.phy.fec.ldpc import LDPC5GEncoder

        peer = LDPC5GEncoder(
            code.plan.block_bits, code.block_coded_bits, bg=f"bg{base_graph}", device="cpu"
        )
    blocks = _bits(2, code.plan.block_bits)
    ours = ldpc_encoder(code.plan.block_bits, code.block_coded_bits, base_graph)(blocks)
    assert np.array_equal(ours, peer(torch.as_tensor(blocks).float()).numpy())
    bits = _bits(2, k)
    for decoder in ("fast", "sionna"):
        bits_hat, ok = code.decode(_llr(code.encode(bits)), decoder)
        assert ok.all() and np.array_equal(bits_hat, bits)


@pytest.mark.parametrize("coderate", [0.9, 0.93])
def test_short_payloads_on_base_graph_2_survive_its_punctured_core(coderate: float) -> None:
    for k in range(270, 293):
        code = TransportBlockCode(k, Mcs(2, coderate))
        bits_hat, ok = code.decode(_llr(code.encode(_bits(4, k))))
        assert ok.all() and np.array_equal(bits_hat, _bits(4, k)), k


def test_scrambling_is_the_gold_sequence_of_38211() -> None:
    with preserve_torch_rng():
        from sionna.phy.nr.utils import generate_prng_seq
    expected = generate_prng_seq(5000, 2**15 + 1)
    assert np.array_equal(coding._scrambling(5000), expected)
    assert np.array_equal(coding._scrambling(37), expected[:37])


@settings(max_examples=40, deadline=None)
@given(k=st.one_of(st.integers(1, 400), st.integers(3700, 4000), st.integers(1, 20_000)), mcs=MCS)
def test_clean_llrs_return_every_bit(k: int, mcs: Mcs) -> None:
    code = TransportBlockCode(k, mcs)
    bits = _bits(2, k, seed=k)
    coded = code.encode(bits)
    assert coded.shape == (2, code.num_coded_bits) and coded.dtype == np.uint8
    assert code.num_coded_bits == num_channel_uses(k, mcs) * mcs.num_bits_per_symbol
    bits_hat, ok = code.decode(_llr(coded))
    assert ok.all() and np.array_equal(bits_hat, bits)


@pytest.mark.parametrize(
    ("k", "mcs"),
    [(1, Mcs(8, 0.2)), (9, Mcs(2, 0.93)), (48, Mcs(6, 0.93)), (170, Mcs(8, 0.93)),
     (60, Mcs(4, 0.2, 3)), (3810, Mcs(4, 0.3)), (8425, Mcs(2, 0.34))],
    ids=str,
)  # fmt: skip
def test_clean_llrs_return_every_bit_with_sionnas_decoder(k: int, mcs: Mcs) -> None:
    code = TransportBlockCode(k, mcs)
    bits = _bits(2, k)
    bits_hat, ok = code.decode(_llr(code.encode(bits)), "sionna")
    assert ok.all() and np.array_equal(bits_hat, bits)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["fast", "sionna"])
def test_no_short_length_is_lost_without_noise_at_the_highest_rate(decoder: str) -> None:
    for k in range(1, 300):
        code = TransportBlockCode(k, Mcs(2, 0.93))
        assert code.decode(_llr(code.encode(_bits(1, k))), decoder)[1].all(), k


@settings(max_examples=150, deadline=None)
@given(k=st.integers(1, 60_000), mcs=MCS)
def test_channel_uses_never_fall_and_invert_exactly(k: int, mcs: Mcs) -> None:
    uses = num_channel_uses(k, mcs)
    assert num_channel_uses(k + 1, mcs) >= uses
    largest = max_payload_bits(uses, mcs)
    assert largest >= k
    assert num_channel_uses(largest, mcs) <= uses < num_channel_uses(largest + 1, mcs)


@pytest.mark.parametrize("mcs", [Mcs(2, 0.2), Mcs(8, 0.3), Mcs(2, 1 / 3), Mcs(8, 0.93, 2)], ids=str)
def test_channel_uses_rise_over_every_boundary(mcs: Mcs) -> None:
    spans = [*range(1, 400), *range(3700, 3900), *range(7500, 7700), *range(8350, 8500),
             *range(16_750, 16_900), *range(84_000, 84_400)]  # fmt: skip
    uses = [num_channel_uses(k, mcs) for k in spans]
    assert uses == sorted(uses)


def test_nothing_fits_into_too_few_uses() -> None:
    assert max_payload_bits(0, Mcs(2, 0.5)) == 0
    assert max_payload_bits(16, Mcs(2, 0.5)) == 0
    assert max_payload_bits(17, Mcs(2, 0.5)) == 1


@pytest.mark.parametrize(
    ("k", "coderate", "crc_bits", "num_blocks", "block_bits"),
    [(3824, 0.5, 16, 1, 3840), (3825, 0.5, 24, 1, 3849), (8424, 0.5, 24, 1, 8448),
     (8425, 0.5, 24, 2, 4249), (3824, 0.25, 16, 1, 3840), (3825, 0.25, 24, 2, 1949)],
)  # fmt: skip
def test_crc_and_segmentation_limits(
    k: int, coderate: float, crc_bits: int, num_blocks: int, block_bits: int
) -> None:
    plan = plan_blocks(k, Mcs(2, coderate))
    assert (plan.crc_bits, plan.num_blocks, plan.block_bits) == (crc_bits, num_blocks, block_bits)
    block_crc = 24 if num_blocks > 1 else 0
    assert num_blocks * (block_bits - block_crc) == k + crc_bits + plan.num_padding


def test_effective_rate_is_the_one_asked_for() -> None:
    for mcs in (Mcs(2, 0.2), Mcs(4, 0.5), Mcs(8, 0.93), Mcs(2, 0.2, 4)):
        assert 100_000 / num_channel_uses(100_000, mcs) == pytest.approx(mcs.bits_per_use, rel=0.01)


def test_repetition_sends_the_coded_block_again_and_adds_its_llrs() -> None:
    once, thrice = TransportBlockCode(100, Mcs(2, 0.2)), TransportBlockCode(100, Mcs(2, 0.2, 3))
    bits = _bits(8, 100)
    coded = thrice.encode(bits)
    assert np.array_equal(coded, np.tile(once.encode(bits), 3))
    llr = torch.randn(coded.shape, generator=torch.Generator().manual_seed(2))
    summed = llr.reshape(8, 3, -1).sum(1)
    assert np.array_equal(thrice.decode(llr)[0], once.decode(summed)[0])


@pytest.mark.parametrize("k", [40, 8456])
def test_crc_rejects_corrupted_blocks(k: int) -> None:
    code = TransportBlockCode(k, Mcs(2, 0.6))
    bits = _bits(24, k)
    llr = _noisy_llr(code, bits, no=8.0)
    bits_hat, ok = code.decode(llr)
    assert not np.array_equal(bits_hat, bits)
    assert not ok.any()


def test_one_bad_code_block_fails_the_transport_block() -> None:
    code = TransportBlockCode(8456, Mcs(2, 0.6))
    bits = _bits(2, 8456)
    llr = _llr(code.encode(bits))
    llr[1, : code.block_coded_bits] *= torch.sign(
        torch.randn(code.block_coded_bits, generator=torch.Generator().manual_seed(3))
    )
    bits_hat, ok = code.decode(llr)
    assert ok.tolist() == [True, False]
    assert np.array_equal(bits_hat[1, 4300:], bits[1, 4300:]), "the second block is whole"


@pytest.mark.parametrize("decoder", ["fast", "sionna"])
def test_silence_is_not_a_payload_of_zeros(decoder: str) -> None:
    code = TransportBlockCode(40, Mcs(2, 0.5))
    assert not code.decode(torch.zeros(2, code.num_coded_bits), decoder)[1].any()


def test_wrong_input_is_refused() -> None:
    code = TransportBlockCode(40, Mcs(2, 0.5))
    with pytest.raises(ChannelError, match="expected \\[b, 40\\]"):
        code.encode(_bits(1, 41))
    with pytest.raises(ChannelError, match="expected \\[b, "):
        code.decode(torch.zeros(1, 7))
    with pytest.raises(ChannelError, match="expected one of"):
        code.decode(torch.zeros(1, code.num_coded_bits), "turbo")
    with pytest.raises(ChannelError, match="at least 1"):
        num_channel_uses(0, Mcs(2, 0.5))
