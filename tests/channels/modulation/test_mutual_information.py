"""Bitwise mutual information against quadrature and against the demapper."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from channels.modulation.mutual_information import bicm_information
from channels.modulation.qam import demap, map_bits


def test_qpsk_is_two_binary_antipodal_channels():
    def binary(snr):  # capacity of +-1 in real noise of variance 1 / snr
        def loss(z):
            llr = 2 * snr * (1 + z * np.sqrt(1 / snr))
            return np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.log2(1 + np.exp(-llr))

        return 1 - quad(loss, -12, 12, epsabs=1e-12)[0]

    qpsk = bicm_information(2)
    for esno_db in (-10.0, 0.0, 5.0):
        assert qpsk(10 ** (esno_db / 10)) == pytest.approx(binary(10 ** (esno_db / 10)), abs=1e-6)
    # The textbook limit of rate 1/2 over binary input: Eb/N0 = 0.187 dB.
    assert qpsk(10**0.0187) == pytest.approx(0.5, abs=2e-4)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("esno_db", [0.0, 9.0])
def test_it_is_what_the_demapper_delivers(order, esno_db):
    rng = np.random.default_rng(order)
    bits = rng.integers(0, 2, (1, 60_000 * order), dtype=np.uint8)
    x = map_bits(bits, order)
    no = 10 ** (-esno_db / 10)
    noise = rng.normal(size=(*x.shape, 2)).astype(np.float32) * np.sqrt(no / 2)
    y = x + torch.view_as_complex(torch.as_tensor(noise, dtype=torch.float32))
    llr = demap(y, torch.ones_like(y), no, order).numpy()
    lost = np.logaddexp(0, np.where(bits == 1, -llr, llr)).mean() / np.log(2)
    assert bicm_information(order)(1 / no) == pytest.approx(1 - lost, abs=0.005)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_it_rises_from_nothing_to_one_bit_and_its_inverse_undoes_it(order):
    curve, esno_db = bicm_information(order), np.array([-20.0, -10, 0, 8])
    bits = curve(10 ** (esno_db / 10))
    assert (np.diff(bits) > 0).all() and curve(np.array(1e6)) == pytest.approx(1.0)
    assert (bits <= np.log2(1 + 10 ** (esno_db / 10)) / order + 1e-6).all()
    np.testing.assert_allclose(curve.inverse_db(bits), esno_db, atol=1e-9)
