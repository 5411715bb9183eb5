"""Perceptual against distortion: the same budget spent for the best PSNR or the best LPIPS."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="perception",
    description="Tuned for PSNR and tuned for LPIPS: where they lie on the plane of both",
    systems=(
        "scmc:protection=optimised", "scmc:protection=optimised,utility=lpips",
        "jpeg:mcs=adaptive", "jpeg:mcs=adaptive,utility=lpips",
        "vvc:mcs=adaptive", "vvc:mcs=adaptive,utility=lpips",
    ),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-6, 22, 3)),
    rho=(1 / 48,),
    images="photos",
    num_images=4,
    metrics=("psnr_db", "ms_ssim", "lpips", "dists"),
    estimator="expected",
    seed=9,
)  # fmt: skip
