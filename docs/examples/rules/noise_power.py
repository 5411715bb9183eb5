"""
Noise power
===========

Es/N0 counts the noise of a complex symbol: half of it in each real dimension. Who puts all of it
in each draws every curve 3 dB too far to the right, or gives a rival 3 dB too much.
"""

import numpy as np
from scipy.stats import norm

esno_db, num_symbols = 7.0, 400_000
no = 10 ** (-esno_db / 10)
rng = np.random.default_rng(1)
bits = rng.integers(0, 2, (2, num_symbols))
sent = (1 - 2 * bits) / np.sqrt(2)  # QPSK, Es = 1


def error_rate(variance):
    received = sent + np.sqrt(variance) * rng.standard_normal(sent.shape)
    return np.mean((received < 0) != bits)


print("case,bit_error_rate")
print(f"closed form,{norm.sf(np.sqrt(1 / no)):.4f}")
print(f"no / 2 in each dimension,{error_rate(no / 2):.4f}")
print(f"no in each dimension (wrong),{error_rate(no):.4f}")
