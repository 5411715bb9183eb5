"""Designed for 10 dB, sent at another mean SNR: what a wrong design costs each system."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="mismatch",
    description="Designed for 10 dB, the true mean from -5 to 20 dB, over fading channels",
    systems=(
        "scmc",
        "scmc:protection=range",
        "scmc:protection=optimised",
        "jpeg",
        "vvc",
        "vvc:mcs=range",
        "vvc:mcs=adaptive",
        "vvc:law=awgn",
    ),
    channels=("rayleigh_block", "rician_block:k_factor_db=6", "nakagami_block:m=2"),
    esno_db=tuple(-5.0 + 2.5 * i for i in range(11)),
    rho=(1 / 24,),
    images="photos",
    num_images=4,
    metrics=("psnr_db", "lpips"),
    design_esno_db=10.0,
    estimator="expected",
    seed=8,
)
