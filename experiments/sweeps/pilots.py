"""Pilots: the channel uses that they take against the knowledge that they give."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="pilots",
    description="OFDM over TDL-C at 80 km/h against the distance of pilots, LS and LMMSE",
    systems=("scmc", "vvc"),
    channels=tuple(
        f"tdl:model=C,delay_spread_s=1e-7,speed_kmh=80@ofdm:antennas=1x2,csi={csi},"
        f"pilot_spacing={spacing}"
        for csi in ("lmmse", "ls")
        for spacing in (1, 2, 4, 8, 16, 36)
    ),
    esno_db=(3.0, 10.0),
    rho=(1 / 24,),
    num_images=3,
    metrics=("psnr_db",),
    num_trials=24,
    strip_images=0,
    seed=13,
)
