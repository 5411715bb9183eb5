"""More and more users, each with a twentieth of what the link carries, under three schedulers."""

from experiments.timed.spec import TimedSpec

SWEEP = TimedSpec(
    name="users",
    description="Timed link: 4 to 40 users with a load of 0.05 each, three schedulers",
    axis="num_users",
    values=(4.0, 8.0, 12.0, 16.0, 20.0, 26.0, 32.0, 40.0),
    schemes=(
        "scmc",
        "scmc:scheduling=proportional_fair",
        "scmc:scheduling=round_robin",
        "vvc:priorities=equal,scheduling=proportional_fair",
    ),
    load=0.2,
    num_users=4,
    num_replications=5,
    seed=6,
)
