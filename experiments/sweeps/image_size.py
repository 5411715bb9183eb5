"""The same photographs at four sizes: what headers and short blocks cost small pictures."""

from experiments.sweep.spec import SweepSpec

SWEEP = SweepSpec(
    name="image_size",
    description="Photographs of 64 to 512 pixels a side at one bandwidth ratio",
    systems=(
        "scmc:protection=optimised",
        "jpeg:mcs=adaptive",
        "vvc:mcs=adaptive",
        "vvc:headers=file,mcs=adaptive",
    ),
    channels=("awgn",),
    esno_db=(0.0, 6.0, 12.0),
    rho=(1 / 24,),
    images="photos@64+128+256+512",
    num_images=3,
    metrics=("psnr_db", "lpips"),
    estimator="expected",
    seed=10,
)
