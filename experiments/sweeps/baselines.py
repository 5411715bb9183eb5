"""The honest comparison: SCMC against every image codec with adaptive MCS, bounds beside them."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="baselines",
    description="SCMC against image codecs, modulation and coding the best of each SNR",
    systems=(
        "scmc:protection=optimised", "scmc", "jpeg:mcs=adaptive", "jpeg2000:mcs=adaptive",
        "webp:mcs=adaptive", "avif:mcs=adaptive", "hevc:mcs=adaptive", "vvc:mcs=adaptive", "vvc",
    ),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(float(e) for e in range(-8, 22, 2)),
    rho=(1 / 96, 1 / 24),
    images="photos",
    num_images=4,
    metrics=("psnr_db", "ms_ssim", "lpips", "dists"),
    bounds=("jpeg", "vvc"),
    design_esno_db=10.0,
    estimator="expected",
    seed=5,
)  # fmt: skip
