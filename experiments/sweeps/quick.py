"""The demo: SCMC beside its rivals at one bandwidth, AWGN and block Rayleigh, in minutes."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="quick",
    description="Demo: SCMC and digital rivals, AWGN and block Rayleigh, design SNR 10 dB",
    systems=("scmc", "vvc:layers=3", "vvc:mcs=adaptive", "vvc", "jpeg"),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-6, 22, 3)),
    rho=(1 / 24,),
    images="photos",
    num_images=4,
    design_esno_db=10.0,
    num_trials=32,
    seed=1,
)
