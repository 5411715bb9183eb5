"""Four ways to protect the layers: optimised with and without the mean SNR, unequal and equal."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="protection",
    description="Protection optimised, optimised without the mean SNR, by margins, and equal",
    systems=("scmc:protection=optimised", "scmc:protection=range", "scmc", "scmc:protection=equal"),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-6, 22, 2)),
    rho=(1 / 48, 1 / 24),
    images="photos",
    num_images=4,
    design_esno_db=10.0,
    estimator="expected",
)
