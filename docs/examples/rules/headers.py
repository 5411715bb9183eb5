"""
Headers for all or for none
===========================

Constant headers are known to the receiver, of every scheme. Who lets one scheme leave them out
and charges its rival for a complete file wins at low rates by them alone.
"""

from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.metrics import measure
from scmc_comm.registry import make_system

img = load_photo("coffee", 128)

print("case,psnr_db")
for case, name in (
    ("constant headers known", "jpeg:law=awgn"),
    ("complete file (wrong beside such a rival)", "jpeg:law=awgn,headers=file"),
):
    system = make_system(name)
    sent = system.prepare(img, Budget(1 / 24, 10.0))
    shown = system.reconstruct(sent, frozenset(sent.tags)).img_hat
    print(f"{case},{measure(img, shown, ['psnr_db'])['psnr_db']:.2f}")
