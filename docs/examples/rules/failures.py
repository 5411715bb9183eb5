"""
Failures stay in the mean
=========================

What does not arrive is shown as mid-grey and counts. Who drops lost pictures, as pandas does with
empty cells, reports the quality of a link that never fails.
"""

import numpy as np

from channels.fading.models import make_channel
from channels.phy.table import TablePhy
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.metrics import measure
from scmc_comm.registry import make_system
from scmc_comm.transmission import transmit

img, system = load_photo("coffee", 128), make_system("jpeg:law=awgn")
channel = make_channel("rayleigh_block")
sent = transmit(system, img, Budget(1 / 12, 10.0), channel, 10.0, range(200), TablePhy())
trials = [measure(img, sent.reconstruction(i).img_hat, ["psnr_db", "mse"]) for i in range(200)]
psnr_db = np.array([trial["psnr_db"] for trial in trials])
mse = np.array([trial["mse"] for trial in trials])
arrived = np.array([bool(delivered) for delivered in sent.delivered])

print("case,psnr_db")
print(f"mean of all trials,{psnr_db.mean():.2f}")
print(f"PSNR of the mean squared error of all trials,{-10 * np.log10(mse.mean()):.2f}")
print(f"mean of what arrived (wrong alone),{psnr_db[arrived].mean():.2f}")
