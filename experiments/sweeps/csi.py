"""A receiver whose knowledge of the channel has an error of given variance."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="csi",
    description="OFDM over TDL-A against the error in the receiver's knowledge of the channel",
    systems=("scmc", "scmc:protection=equal", "vvc"),
    channels=tuple(
        "tdl:model=A,delay_spread_s=1e-7,speed_kmh=30@ofdm:antennas=1x2,"
        f"csi_error_variance={variance}"
        for variance in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    ),
    esno_db=(3.0, 10.0, 20.0),
    rho=(1 / 24,),
    num_images=3,
    metrics=("psnr_db",),
    num_trials=24,
    strip_images=0,
    seed=14,
)
