"""
Control information
===================

A receiver has to learn which frame comes, how long it is and how it is coded. That is known for
all here, which favours who sends more frames; ``control_bits`` charges it.
"""

from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system
from scmc_comm.transmission import prepare

img = load_photo("coffee", 128)
print("system,frames,percent_of_the_budget")
for name in ("scmc", "jpeg"):
    ledger = prepare(make_system(name), img, Budget(1 / 24, 10.0, control_bits=22)).ledger
    share = 100 * ledger.control / ledger.budget_uses
    print(f"{name},{len(ledger.entries)},{share:.1f}")
