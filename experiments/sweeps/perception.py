"""Perceptual against distortion: the same budget spent for the best PSNR or the best LPIPS."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="perception",
    description="Tuned for PSNR and tuned for LPIPS: where they lie on the plane of both",
    systems=(
        "scmc-optimised", "scmc-optimised-lpips", "jpeg-envelope", "jpeg-envelope-lpips",
        "vvc-envelope", "vvc-envelope-lpips",
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
