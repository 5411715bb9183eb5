"""What a picture looks like a given time after it arrived at the sender."""

from experiments.timed.spec import TimedSpec

SWEEP = TimedSpec(
    name="latency",
    description="Timed link: quality against the deadline at a load of 0.8",
    axis="deadline_s",
    values=(0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8),
    schemes=(
        "scmc",
        "jpeg:priorities=equal,scheduling=proportional_fair",
        "vvc:priorities=equal,scheduling=proportional_fair",
    ),
    load=0.8,
    seed=5,
)
