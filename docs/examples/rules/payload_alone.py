"""
Every channel use is charged
============================

The budget is in channel uses, and the ledger lists where they went. Who counts bytes of payload
alone gives a scheme its parity, CRC and headers for nothing.
"""

from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.metrics import measure
from scmc_comm.registry import make_system

img, rho = load_photo("coffee", 128), 1 / 24
jpeg = make_system("jpeg:law=awgn")


def psnr_db(prepared):
    shown = jpeg.reconstruct(prepared, frozenset(prepared.tags)).img_hat
    return measure(img, shown, ["psnr_db"])["psnr_db"]


fair = jpeg.prepare(img, Budget(rho, 10.0))
(entry,) = fair.ledger.entries
share = entry.uses("payload") / entry.channel_uses
free = jpeg.prepare(img, Budget(rho / share, 10.0))

print("case,channel_uses,psnr_db")
print(f"all charged,{fair.ledger.used},{psnr_db(fair):.2f}")
print(f"payload alone counted (wrong),{free.ledger.used},{psnr_db(free):.2f}")
