"""What knowing the channel is worth: OFDM over TDL-A and TDL-C, two receive antennas."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="ofdm_snr",
    description="OFDM over TDL-A and TDL-C: perfect knowledge, least squares, LMMSE",
    systems=("scmc", "jpeg", "vvc"),
    channels=tuple(
        f"tdl:model={model},delay_spread_s=1e-7,speed_kmh=30@ofdm:antennas=1x2,csi={csi}"
        for model in "AC"
        for csi in ("perfect", "ls", "lmmse")
    ),
    esno_db=tuple(float(e) for e in range(-9, 19, 3)),
    rho=(1 / 24,),
    num_images=3,
    metrics=("psnr_db", "ms_ssim"),
    num_trials=24,
    strip_images=0,
    seed=11,
)
