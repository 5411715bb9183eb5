"""Graceful degradation: a fine SNR grid over AWGN, Rayleigh and Rician block fading."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="snr",
    description="Quality against SNR on a 1.5 dB grid, three channels, 200 fades an image",
    systems=("scmc", "scmc:protection=equal", "jpeg", "vvc"),
    channels=("awgn", "rayleigh_block", "rician_block"),
    esno_db=tuple(-9.0 + 1.5 * i for i in range(23)),
    rho=(1 / 24,),
    images="photos",
    design_esno_db=10.0,
    num_trials=200,
    stop_half_width=0.03,
    min_trials=50,
    seed=2,
    strip_images=2,
)
