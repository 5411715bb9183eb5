"""What a picture looks like a given time after it arrived, if encoders and decoders take time."""

from experiments.timed.spec import TimedSpec

_RIVAL = "priorities=equal,scheduling=proportional_fair"

SWEEP = TimedSpec(
    name="computing",
    description="Timed link: quality against the deadline, and joules, with and without computing",
    axis="deadline_s",
    values=(0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0),
    schemes=(
        "scmc",
        "scmc:computing=cpu",
        f"vvc:{_RIVAL}",
        f"vvc:{_RIVAL},computing=cpu",
        f"jpeg:{_RIVAL}",
        f"jpeg:{_RIVAL},computing=cpu",
    ),
    num_images=2,
    num_replications=3,
    seed=5,
)
