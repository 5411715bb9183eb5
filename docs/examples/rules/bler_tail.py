"""
Block error tables go on below their last point
===============================================

A measured curve ends near 1e-3. Held flat from there, a long picture is lost at any SNR; here the
curve goes on with its last slope.
"""

from channels.bler.table import default_table
from channels.types import Mcs

table, mcs, blocks = default_table(), Mcs(4, 616 / 1024), 40
length = max(table.lengths(mcs))
last_db = table.esno_db(mcs, length, 1e-3)

print("esno_db,goes_on,held_flat")
for above_db in (0, 0.2, 0.5, 3, 10):
    error = float(table.bler(mcs, length, last_db + above_db))
    flat = max(error, 1e-3)
    print(
        f"{last_db + above_db:.1f},{1 - (1 - error) ** blocks:.4f},{1 - (1 - flat) ** blocks:.4f}"
    )
