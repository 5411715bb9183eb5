"""The demo: four systems at one bandwidth over AWGN and block Rayleigh fading, in minutes."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="quick",
    description="Demo: four systems, one bandwidth, AWGN and block Rayleigh, design SNR 10 dB",
    systems=("scmc", "scmc:protection=equal", "jpeg", "vvc"),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-6, 22, 3)),
    rho=(1 / 24,),
    images="photos",
    num_images=4,
    design_esno_db=10.0,
    num_trials=32,
    seed=1,
)
