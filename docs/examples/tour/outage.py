"""
What fading costs
=================

Bits a channel use over AWGN, at a finite length, and the rate that block Rayleigh fading carries
in nine transmissions of ten.
"""

import matplotlib.pyplot as plt
import numpy as np

from channels.bounds.awgn import capacity, normal_bits

esno_db = np.linspace(-5, 20, 100)
snr_of_the_worst_tenth = 10 ** (esno_db / 10) * -np.log(0.9)

figure, axis = plt.subplots(figsize=(6, 3.5))
axis.plot(esno_db, capacity(esno_db), label="capacity")
axis.plot(esno_db, normal_bits(512, esno_db, 1e-3) / 512, label="512 uses, error 1e-3")
axis.plot(esno_db, np.log2(1 + snr_of_the_worst_tenth), label="block Rayleigh, outage 0.1")
axis.set(xlabel="Es/N0 in dB", ylabel="bits a channel use")
axis.legend()
figure.tight_layout()
