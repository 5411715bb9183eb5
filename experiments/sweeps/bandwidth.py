"""Quality against bandwidth ratio at three SNRs around the design point."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="bandwidth",
    description="Quality against bandwidth ratio at 4, 10 and 16 dB, design SNR 10 dB",
    systems=("scmc", "scmc:protection=equal", "jpeg", "vvc"),
    channels=("awgn", "rayleigh_block"),
    esno_db=(4.0, 10.0, 16.0),
    rho=(1 / 192, 1 / 96, 1 / 48, 1 / 24, 1 / 16, 1 / 12),
    images="photos",
    design_esno_db=10.0,
    num_trials=64,
    seed=3,
)
