"""
The same fades for all
======================

Every system meets the same fades and noise. With fades of its own a scheme wins against itself.
"""

from channels.fading.models import make_channel
from channels.phy.table import TablePhy
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system
from scmc_comm.transmission import send

system, channel = make_system("jpeg:law=awgn"), make_channel("rayleigh_block")
sent = system.prepare(load_photo("coffee", 64), Budget(1 / 6, 10.0))


def delivery(seeds):
    return send(sent, channel, 10.0, seeds, TablePhy()).delivered.mean()


print("case,first,second")
print(f"the same 20 fades,{delivery(range(20)):.2f},{delivery(range(20)):.2f}")
worst = min(range(0, 400, 20), key=lambda start: delivery(range(start, start + 20)))
other = delivery(range(worst, worst + 20))
print(f"20 others for the second (wrong),{delivery(range(20)):.2f},{other:.2f}")
print(f"1000 fades,{delivery(range(1000)):.2f},{delivery(range(1000)):.2f}")
