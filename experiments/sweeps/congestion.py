"""Offered load from a fifth of what the link carries to twice that: who still gets a picture."""

from experiments.timed.spec import TimedSpec

SWEEP = TimedSpec(
    name="congestion",
    description="Timed link: delivery and quality against load, with and without priorities",
    axis="load",
    values=(0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 1.75, 2.0),
    schemes=(
        "scmc",
        "scmc:priorities=equal,scheduling=round_robin",
        "jpeg:priorities=equal,scheduling=round_robin",
        "vvc:priorities=equal,scheduling=round_robin",
    ),
    seed=4,
)
