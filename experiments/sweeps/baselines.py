"""The honest comparison: SCMC against layered and adaptive digital rivals, bounds beside them."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="baselines",
    description="SCMC against image codecs in layers, and in one file with adaptive MCS",
    systems=(
        "scmc:protection=optimised", "scmc", "vvc:layers=3,protection=optimised",
        "jpeg2000:layers=4,protection=optimised", "vvc:mcs=adaptive",
        "vvc:mcs=adaptive,enhance=perceptual", "hevc:mcs=adaptive", "avif:mcs=adaptive",
        "webp:mcs=adaptive", "jpeg:mcs=adaptive", "vvc",
    ),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-8, 22, 2)),
    rho=(1 / 96, 1 / 24),
    images="photos",
    num_images=4,
    metrics=("psnr_db", "lpips"),
    primary=("psnr_db rayleigh_block 1/24 -2:14", "lpips rayleigh_block 1/24 -2:14"),
    primary_metrics=("ms_ssim", "dists"),
    bounds=("jpeg", "vvc"),
    design_esno_db=10.0,
    estimator="expected",
    seed=5,
)  # fmt: skip
