"""Control information charged at 22 bits a frame: what its being free is worth to each system."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="control",
    description="Control signalling of 22 bits a frame; compare with --set control_bits=0",
    systems=("scmc:protection=optimised", "scmc", "vvc:layers=3", "vvc:mcs=adaptive", "vvc"),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-6, 22, 3)),
    rho=(1 / 96, 1 / 24),
    images="photos",
    num_images=4,
    design_esno_db=10.0,
    control_bits=22,
    metrics=("psnr_db", "lpips"),
    estimator="expected",
    strip_images=0,
)
