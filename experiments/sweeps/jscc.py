"""Digital against analog: the cliff, the floor, and what a peak limit and a fixed design cost."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="jscc",
    description="Layered and separate coding against deep joint source-channel coding",
    systems=("scmc", "vvc", "deepjscc", "deepjscc:peak_db=6", "deepjscc:fixed=true"),
    channels=("awgn", "rayleigh_block"),
    esno_db=tuple(-5.0 + 2.5 * i for i in range(11)),
    rho=(1 / 24,),
    images="photos",
    num_images=4,
    design_esno_db=10.0,
    estimator="expected",
    num_trials=100,
    analog_trials=16,
    seed=4,
)
