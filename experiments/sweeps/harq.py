"""Retransmissions cost air time and save blocks: none, chase combining, incremental redundancy."""

from experiments.timed.spec import TimedSpec

SWEEP = TimedSpec(
    name="harq",
    description="Timed link: no retransmissions, chase combining, incremental redundancy",
    axis="esno_db",
    values=(-3.0, 0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0),
    schemes=("scmc", "scmc:harq=chase", "scmc:harq=none"),
    load=0.4,
    seed=7,
)
