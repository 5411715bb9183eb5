"""The fast LDPC decoder against Sionna's encoder and decoder, and against its own past."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

from channels.coding.ldpc import LdpcDecoder
from channels.coding.ldpc_tables import LIFTING_SETS, nr_code, select_base_graph, select_lifting
from channels.errors import ChannelError

GOLDEN = Path(__file__).parents[2] / "references" / "ldpc_golden.npz"
SIZES = sorted(z for sizes in LIFTING_SETS for z in sizes)


def _code_for(base_graph: int, z: int) -> tuple[int, int] | None:
    """(k, n) of a code on this base graph with this lifting size, with a filler if possible."""
    if base_graph == 1:
        k = 22 * z - (z > 14)
        n = round(k / 0.7)
    else:
        fits = (min(m * z - (z > 14), 3824) for m in (6, 8, 9, 10))
        k = next(k for k in fits if k >= 12 and select_lifting(k, 2)[0] == z)
        n = 2 * k
    return (k, n) if 12 <= k <= 8448 and select_base_graph(k, k / n) == base_graph else None


CODES = [c for g in (1, 2) for z in SIZES if (c := _code_for(g, z)) is not None]


@lru_cache(maxsize=4)
def _encoder(k: int, n: int, num_bits_per_symbol: int | None = None) -> LDPC5GEncoder:
    return LDPC5GEncoder(k, n, num_bits_per_symbol=num_bits_per_symbol, device="cpu")


def _codewords(
    k: int, n: int, num_bits_per_symbol: int | None, num_words: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    bits = torch.randint(
        0, 2, (num_words, k), generator=torch.Generator().manual_seed(seed), dtype=torch.float32
    )
    coded = _encoder(k, n, num_bits_per_symbol)(bits)
    return bits.numpy().astype(np.uint8), coded.numpy().astype(np.uint8)


def _noisy_llr(coded: np.ndarray, esno_db: float, seed: int = 1) -> np.ndarray:
    """QPSK over AWGN: ln P(1)/P(0), from the real dimensions one by one."""
    no = 10 ** (-esno_db / 10)
    noise = np.random.default_rng(seed).standard_normal(coded.shape) * np.sqrt(no / 2)
    received = (2.0 * coded - 1.0) / np.sqrt(2) + noise
    return (received * 4 / np.sqrt(2) / no).astype(np.float32)


def test_cases_cover_every_lifting_size_on_both_graphs() -> None:
    found = {(nr_code(*c).base_graph, nr_code(*c).z) for c in CODES}
    # k <= 292 is always on graph 2, so graph 1 has no lifting size below 14.
    assert found == {(1, z) for z in SIZES if z >= 14} | {(2, z) for z in SIZES}


def test_selection_matches_sionna_for_every_k() -> None:
    for k in range(12, 8449, 7):
        for n in (round(k / 0.9), 2 * k, 3 * k, int(k / 0.21)):
            graph = select_base_graph(k, k / n)
            if (graph == 2 and k > 3840) or (graph == 1 and 3 * k < n):
                continue
            name = LDPC5GEncoder._sel_basegraph(None, k, k / n)
            assert name == f"bg{graph}"
            z, index, num_info = LDPC5GEncoder._sel_lifting(None, k, name)
            code = nr_code(k, n)
            assert (code.z, code.set_index, code.num_info_cols) == (z, index, num_info)


@pytest.mark.parametrize(
    "k, n", [(12, 24), (600, 1200), (3800, 12000), (8448, 12672), (5000, 5400)]
)
def test_graph_matches_sionnas_parity_checks(k: int, n: int) -> None:
    code = nr_code(k, n)
    theirs = _encoder(k, n).pcm.tocsr()
    rows, cols = [], []
    for row in range(code.row_ptr.size - 1):
        for e in range(code.row_ptr[row], code.row_ptr[row + 1]):
            i = np.arange(code.z)
            rows.append(row * code.z + i)
            cols.append(code.edge_col[e] * code.z + (i + code.edge_shift[e]) % code.z)
    shape = ((code.row_ptr.size - 1) * code.z, code.num_cols * code.z)
    at = (np.concatenate(rows), np.concatenate(cols))
    ours = sparse.csr_matrix((np.ones(at[0].size), at), shape)
    known_zero = np.zeros(shape[1], bool)
    known_zero[-(-k // code.z) * code.z : code.num_info_cols * code.z] = True
    expected = theirs[: shape[0], : shape[1]][:, ~known_zero]
    assert (ours[:, ~known_zero] != expected).nnz == 0
    assert ours[:, known_zero].nnz == 0


@pytest.mark.parametrize(
    "codes", [pytest.param(CODES, marks=pytest.mark.slow, id="all"), CODES[::4]]
)
def test_noiseless_codewords_decode_exactly(codes: list[tuple[int, int]]) -> None:
    for k, n in codes:
        bits, coded = _codewords(k, n, None, 3)
        result = LdpcDecoder(k, n).decode(8.0 * coded.astype(np.float32) - 4.0)
        assert np.array_equal(result.bits, bits), (k, n)
        assert result.clean.all(), (k, n)


@pytest.mark.parametrize("k, n, esno_db", [(40, 100, 5.0), (300, 1200, 0.5), (600, 720, 8.0)])
def test_noisy_codewords_match_sionnas_decoder(k: int, n: int, esno_db: float) -> None:
    _compare_with_sionna(k, n, esno_db, num_words=8)


@pytest.mark.slow
@pytest.mark.parametrize("k, n", CODES)
def test_noisy_codewords_match_sionnas_decoder_for_every_lifting_size(k: int, n: int) -> None:
    margin_db = 1.5 + 2.5 * (k < 1000) + 2.0 * (k < 100)
    capacity_db = 10 * np.log10(2 ** (2 * k / n) - 1)
    _compare_with_sionna(k, n, capacity_db + margin_db, num_words=4)


def _compare_with_sionna(k: int, n: int, esno_db: float, num_words: int) -> None:
    bits, coded = _codewords(k, n, None, num_words)
    llr = _noisy_llr(coded, esno_db)
    assert ((llr > 0) != coded).any()  # there is something to correct
    with torch.no_grad():
        theirs = LDPC5GDecoder(_encoder(k, n), device="cpu")(torch.from_numpy(llr)).numpy()
    ours = LdpcDecoder(k, n).decode(llr)
    both = (theirs == bits).all(1) & ours.clean
    assert both.mean() >= 0.75
    assert np.array_equal(ours.bits[both], theirs[both].astype(np.uint8))


@settings(max_examples=40, deadline=None)
@given(
    k=st.integers(12, 900),
    rate=st.floats(0.21, 0.93),
    num_bits_per_symbol=st.sampled_from([None, 1, 2, 4, 6, 8]),
    num_words=st.integers(0, 9),
)
def test_any_size_undoes_rate_matching_and_interleaver(
    k: int, rate: float, num_bits_per_symbol: int | None, num_words: int
) -> None:
    m = num_bits_per_symbol or 1
    n = -(-int(k / rate) // m) * m
    if select_base_graph(k, k / n) == 1 and 3 * k < n:
        return
    if n > 5 * k:  # whole symbols may take a short word below rate 1/5, where Sionna encodes none
        return
    # Beyond these, parity bits are too few for the punctured ones; Sionna fails there too.
    if k / n > (0.85 if k < 64 else 0.92 if k < 150 else 0.95):
        return
    bits, coded = _codewords(k, n, num_bits_per_symbol, num_words, seed=k)
    decoded = LdpcDecoder(k, n, num_bits_per_symbol)(np.where(coded, 3.0, -3.0))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, bits)


@pytest.mark.parametrize("k, n", [(20, 40), (170, 500), (512, 1024), (2048, 6144), (4224, 5632)])
def test_a_word_decodes_the_same_in_every_batch_and_on_every_number_of_threads(
    k: int, n: int
) -> None:
    _, coded = _codewords(k, n, 2, 150)
    llr = _noisy_llr(coded, 10 * np.log10(2 ** (2 * k / n) - 1) + 1.2)
    one = LdpcDecoder(k, n, 2, num_threads=1).decode(llr)
    assert one.num_iter.std() > 0  # words leave their group at different times
    for batch in (llr[:1], llr[:7], llr[:70]):
        part = LdpcDecoder(k, n, 2, num_threads=1).decode(batch)
        assert np.array_equal(part.bits, one.bits[: len(batch)])
        assert np.array_equal(part.num_iter, one.num_iter[: len(batch)])
    three = LdpcDecoder(k, n, 2, num_threads=3).decode(np.tile(llr, (4, 1)))
    assert np.array_equal(three.bits, np.tile(one.bits, (4, 1)))


def test_clean_words_are_codewords_and_random_llrs_are_not() -> None:
    k, n = 200, 600
    llr = np.random.default_rng(0).normal(0, 4, (64, n)).astype(np.float32)
    result = LdpcDecoder(k, n, num_iter=5).decode(llr)
    assert not result.clean.any()
    assert (result.num_iter == 5).all()
    assert result.bits.max() <= 1


def test_clean_flag_means_that_the_parity_checks_hold() -> None:
    k, n = 60, 120
    bits, coded = _codewords(k, n, None, 2000)
    result = LdpcDecoder(k, n).decode(_noisy_llr(coded, 2.0))
    right = (result.bits == bits).all(1)
    assert 0.6 < right.mean() < 0.999
    # A clean word that is wrong is another codeword, which is rare; a right word is clean but
    # where bits that were not sent are still undecided.
    assert (result.clean & ~right).mean() < 0.02
    assert (right & ~result.clean).mean() < 0.02


def test_all_zero_llrs_say_nothing_and_raise_nothing() -> None:
    for k, n in [(12, 60), (8448, 9216)]:
        assert not LdpcDecoder(k, n)(np.zeros((2, n), np.float32)).any()


@pytest.mark.parametrize("scale", [1e-15, 1e-3, 1.0, 1e6, 1e38, np.inf])
def test_saturated_infinite_and_tiny_llrs_decode(scale: float) -> None:
    k, n = 300, 900
    bits, coded = _codewords(k, n, 2, 5)
    llr = np.where(coded, scale, -scale).astype(np.float32)
    llr[:, ::17] = 0  # erasures
    assert np.array_equal(LdpcDecoder(k, n, 2)(llr), bits)


def test_one_infinite_llr_does_not_drown_the_others() -> None:
    k, n = 300, 900
    bits, coded = _codewords(k, n, None, 50)
    llr = _noisy_llr(coded, 2.0)
    llr[:, 5] = np.where(coded[:, 5], np.inf, -np.inf)
    assert (LdpcDecoder(k, n)(llr) == bits).all(1).mean() > 0.9


def test_nan_is_an_error_that_names_the_index() -> None:
    for num_words in (3, 400):
        llr = np.ones((num_words, 1000), np.float32)
        llr[2, 777] = np.nan
        with pytest.raises(ChannelError, match=r"llr\[2, 777\] is NaN"):
            LdpcDecoder(500, 1000)(llr)


def test_torch_strided_and_double_inputs_agree() -> None:
    k, n = 100, 250
    bits, coded = _codewords(k, n, None, 6)
    llr = _noisy_llr(coded, 5.0)
    decoder = LdpcDecoder(k, n)
    expected = decoder(llr)
    assert np.array_equal(expected, bits)
    for other in (
        torch.from_numpy(llr).requires_grad_(),
        llr.astype(np.float64),
        np.asfortranarray(llr),
        np.repeat(llr, 2, axis=1)[:, ::2],
    ):
        assert np.array_equal(decoder(other), expected)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"k": 11, "n": 22}, "k is 11; expected 12 to 8448"),
        ({"k": 8449, "n": 16900}, "k is 8449"),
        ({"k": 100, "n": 102}, "rate 0.98"),
        ({"k": 100, "n": 501}, "rate 0.19"),
        ({"k": 100, "n": 0}, "n is 0"),
        ({"k": 4000, "n": 19000}, "base graph 2"),
        ({"k": 8000, "n": 25000}, "base graph 1"),
        ({"k": 100, "n": 201, "num_bits_per_symbol": 2}, "divisor"),
        ({"k": 100, "n": 200, "num_bits_per_symbol": 0}, "divisor"),
        ({"k": 100, "n": 200, "num_iter": 0}, "num_iter is 0"),
        ({"k": 100, "n": 200, "num_threads": 0}, "num_threads is 0"),
    ],
)
def test_wrong_codes_are_errors(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ChannelError, match=message):
        LdpcDecoder(**arguments)


@pytest.mark.parametrize("shape", [(200,), (3, 199), (1, 2, 200)])
def test_wrong_shape_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ChannelError, match=r"expected \[b, 200\]"):
        LdpcDecoder(100, 200)(np.zeros(shape, np.float32))


def test_empty_batch() -> None:
    assert LdpcDecoder(100, 200)(np.zeros((0, 200), np.float32)).shape == (0, 100)


def test_golden_llrs_decode_as_before() -> None:
    """LLRs near the waterfall: the sent bits, and the decisions and iterations of the past."""
    with np.load(GOLDEN) as golden:
        for name in golden["names"]:
            k, n, m = (int(v) for v in golden[f"{name}_code"])
            llr = golden[f"{name}_llr"].astype(np.float32) / 4
            result = LdpcDecoder(k, n, m or None).decode(llr)
            decided = np.unpackbits(golden[f"{name}_bits"], axis=1, count=k)
            assert np.array_equal(result.bits, decided), name
            assert np.array_equal(result.num_iter, golden[f"{name}_num_iter"]), name
            sent = np.unpackbits(golden[f"{name}_sent"], axis=1, count=k)
            assert np.array_equal(result.clean, (decided == sent).all(1)), name


@pytest.mark.slow
def test_block_error_rate_is_not_above_sionnas() -> None:
    """At a block error rate of about 1e-2 and 20 iterations each, on the same noise."""
    k, n, num_words = 512, 1024, 600
    bits, coded = _codewords(k, n, None, num_words)
    llr = _noisy_llr(coded, 1.8)
    with torch.no_grad():
        theirs = LDPC5GDecoder(_encoder(k, n), num_iter=20, device="cpu")(torch.from_numpy(llr))
    failed_theirs = (theirs.numpy() != bits).any(1)
    failed_ours = (LdpcDecoder(k, n, num_iter=20)(llr) != bits).any(1)
    assert failed_theirs.mean() < 0.05
    # Paired: only words where the decoders differ matter.
    worse, better = (failed_ours & ~failed_theirs).sum(), (failed_theirs & ~failed_ours).sum()
    assert worse <= better + 3 * np.sqrt(worse + better) + 1


def make_golden(path: Path = GOLDEN) -> None:
    """Rewrite the golden file; only after a wanted change of the decoder's decisions."""
    cases = {
        "bg2_z2": (12, 40, 0, 5.0, 8),
        "bg2_z64": (512, 1024, 2, 1.6, 8),
        "bg2_z208": (2048, 6144, 4, -0.9, 3),
        "bg1_z15": (320, 400, 8, 6.2, 8),
        "bg1_z384": (8448, 10138, 2, 5.35, 2),
    }
    arrays: dict[str, np.ndarray] = {"names": np.array(list(cases))}
    for name, (k, n, m, esno_db, num_words) in cases.items():
        bits, coded = _codewords(k, n, m or None, num_words)
        llr = np.clip(np.round(_noisy_llr(coded, esno_db) * 4), -127, 127).astype(np.int8)
        result = LdpcDecoder(k, n, m or None).decode(llr.astype(np.float32) / 4)
        arrays[f"{name}_code"] = np.array([k, n, m])
        arrays[f"{name}_llr"] = llr
        arrays[f"{name}_sent"] = np.packbits(bits, axis=1)
        arrays[f"{name}_bits"] = np.packbits(result.bits, axis=1)
        arrays[f"{name}_num_iter"] = result.num_iter
    np.savez_compressed(path, **arrays)


def test_base_graphs_that_cannot_hold_a_block_are_refused() -> None:
    with pytest.raises(ChannelError, match="base_graph is 3; expected 1, 2 or None"):
        nr_code(500, 1000, 3)
    with pytest.raises(ChannelError, match="at most 3840"):
        nr_code(3841, 8000, 2)
