"""Speed: fades that change within the estimator's reach help, those beyond it hurt."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="doppler",
    description="OFDM over TDL-A against speed, least squares and LMMSE, one receive antenna",
    systems=("scmc", "vvc"),
    channels=tuple(
        f"tdl:model=A,delay_spread_s=1e-7,speed_kmh={speed}@ofdm:csi={csi}"
        for csi in ("perfect", "lmmse", "ls")
        for speed in (3, 30, 80, 140, 220)
    ),
    esno_db=(6.0, 12.0),
    rho=(1 / 24,),
    num_images=3,
    metrics=("psnr_db",),
    num_trials=24,
    strip_images=0,
    seed=12,
)
