"""The fast encoder and the CRCs against Sionna's, on every lifting size of both graphs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sionna.phy.fec.crc import CRCEncoder
from sionna.phy.fec.ldpc import LDPC5GEncoder

from channels.coding.crc import check_crc, crc_bits
from channels.coding.ldpc_encode import LdpcEncoder
from channels.coding.ldpc_tables import LIFTING_SETS, select_base_graph, select_lifting
from channels.errors import ChannelError

SIZES = sorted(z for sizes in LIFTING_SETS for z in sizes)


def _cases() -> list[tuple[int, int]]:
    """A code on each lifting size of each graph, with and without filler, and the extremes."""
    cases = [(12, 60), (12, 13), (8448, 8893), (3840, 19200), (48, 54)]
    for z in SIZES:
        graph_1 = 22 * z - (z % 3)
        cases += [(graph_1, round(graph_1 / 0.75))]
        graph_2 = next(
            (
                k
                for m in (10, 9, 8, 6)
                if (k := m * z - z % 2) >= 12 and select_lifting(k, 2)[0] == z
            ),
            0,
        )
        cases += [(graph_2, 3 * graph_2)]
    return [
        (k, n) for k, n in cases
        if 12 <= k <= (8448 if select_base_graph(k, k / n) == 1 else 3840) and k / n <= 0.95
    ]  # fmt: skip


def test_cases_are_all_lifting_sizes() -> None:
    found = {(g := select_base_graph(k, k / n), select_lifting(k, g)[0]) for k, n in _cases()}
    assert {z for g, z in found if g == 2} == set(SIZES)
    assert {z for g, z in found if g == 1} == {z for z in SIZES if z >= 14}


def _check(cases: list[tuple[int, int]]) -> None:
    for k, n in cases:
        bits = np.random.default_rng(k).integers(0, 2, (2, k), np.uint8)
        theirs = LDPC5GEncoder(k, n, device="cpu")(torch.as_tensor(bits).float()).numpy()
        assert np.array_equal(LdpcEncoder(k, n)(bits), theirs), (k, n)


def test_code_bits_are_sionnas() -> None:
    _check([case for case in _cases()[::5] if case[0] < 3000] + [(8448, 8893)])


@pytest.mark.slow
def test_code_bits_are_sionnas_on_every_lifting_size() -> None:
    _check(_cases())


@pytest.mark.parametrize("name", ["CRC16", "CRC24A", "CRC24B"])
def test_crc_is_sionnas(name: str) -> None:
    for k in (1, 7, 8, 9, 100, 1001):
        bits = np.random.default_rng(k).integers(0, 2, (3, k), np.uint8)
        peer = CRCEncoder(name, k=k, device="cpu")(torch.as_tensor(bits).float()).numpy()
        ours = np.hstack([bits, crc_bits(bits, name)])
        assert np.array_equal(ours, peer)
        assert check_crc(ours, name).all()
        ours[1, k // 2] ^= 1
        assert check_crc(ours, name).tolist() == [True, False, True]


def test_wrong_bits_are_refused() -> None:
    with pytest.raises(ChannelError, match="expected uint8"):
        LdpcEncoder(20, 40)(np.zeros((1, 21), np.uint8))
    with pytest.raises(ChannelError, match="expected uint8"):
        LdpcEncoder(20, 40)(np.zeros((1, 20)))
