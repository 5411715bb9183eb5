"""
A rival at its best
===================

A file sent with one modulation and code rate falls off a cliff; a lead that is measured there is
one over that choice. The rival that counts chooses them for each mean SNR (``mcs=adaptive``).
"""

import tempfile

from experiments.sweep import store
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec

spec = SweepSpec(
    name="rivals",
    systems=("webp:mcs=adaptive", "jpeg:mcs=adaptive", "jpeg:law=awgn"),
    channels=("rayleigh_block",),
    esno_db=(0.0, 6.0),
    rho=(1 / 12,),
    images="photos@64",
    num_images=2,
    metrics=("psnr_db",),
    estimator="expected",
)
with tempfile.TemporaryDirectory() as folder:
    run_sweep(spec, folder, progress=False)
    ds = store.load(folder)

psnr_db = ds.psnr_db.mean("image").squeeze()
print("rival,lead_of_webp_at_0_db,lead_of_webp_at_6_db")
for rival, case in (
    ("jpeg:mcs=adaptive", "JPEG with adaptive MCS"),
    ("jpeg:law=awgn", "JPEG with one MCS made for AWGN (wrong alone)"),
):
    lead = psnr_db.sel(system="webp:mcs=adaptive") - psnr_db.sel(system=rival)
    print(f"{case},{float(lead[0]):.1f},{float(lead[1]):.1f}")
