"""
Waterfalls
==========

Block error rates over AWGN from the table that ships: where each scheme of the link starts to
arrive.
"""

import matplotlib.pyplot as plt
import numpy as np

from channels.bler.table import default_table

table, esno_db = default_table(), np.linspace(-8, 16, 200)
figure, axis = plt.subplots(figsize=(6, 3.5))
for bits, rate in ((2, 120 / 1024), (2, 602 / 1024), (4, 616 / 1024), (6, 666 / 1024)):
    mcs = min(
        table.schemes, key=lambda s: abs(s.coderate - rate) + 9 * (s.num_bits_per_symbol != bits)
    )
    label = f"{2**mcs.num_bits_per_symbol} points, rate {mcs.coderate:.2f}"
    axis.semilogy(esno_db, table.bler(mcs, 1000, esno_db), label=label)
axis.set(xlabel="Es/N0 in dB", ylabel="block error rate", ylim=(1e-4, 1), title="1000 bits")
axis.legend()
figure.tight_layout()
