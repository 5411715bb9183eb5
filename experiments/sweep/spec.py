"""What a sweep is: a frozen, validated description that round-trips through YAML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from channels.phy.names import Estimator
from channels.ranges import EsnoDb, Range, Seed
from experiments.specs import Spec
from experiments.sweep.links import Link
from experiments.sweep.primary import Endpoint
from scmc_comm.ranges import ControlBits, NumImages, Rho

NumTrials = Annotated[int, Range(1, 100_000_000)]
HalfWidth = Annotated[float, Range(0, 0.5, open_low=True, open_high=True)]


@dataclass(frozen=True)
class SweepSpec(Spec):
    """One sweep: the axes, what stays fixed, how many trials and from which seed.

    Attributes:
        name: Name of the sweep, used for files and titles.
        systems: Registry names, in the order of the figures; the first is the reference of
            paired differences.
        channels: Channel names, with parameters as in ``"rician_block:k_factor_db=6"``; with
            ``@`` the physical layer of this entry, as in ``"tdl:model=A@ofdm:csi=ls"``.
        esno_db: Mean Es/N0 per complex channel use, in dB.
        rho: Bandwidth ratios, channel uses / (3 H W); fractions such as ``"1/24"`` in YAML.
        images: Name of an image set, or a folder of pictures.
        num_images: Only the first so many of the set; None for all.
        design_esno_db: Es/N0 in dB that every system is designed for, but those that know the
            mean Es/N0 of each point.
        utility: What systems tuned to what they know of a point make best on average: a metric, or
            a weighted sum such as ``psnr_db-20*lpips``.
        control_bits: Bits a frame of control information (which frame, how long, how coded) that
            the budget has to carry, protected like the best protected frame; 0 takes it for known.
        phy: Physical layer of channels without one of their own, as `channels.phy.names.make_phy`
            takes it: ``"flat"``, or ``"ofdm:antennas=1x2,csi=lmmse"`` with pilots charged.
        metrics: Names that ``scmc_comm.metrics.measure`` knows; ``mse`` is always added.
        estimator: How delivery is found: ``"monte-carlo"`` sends every bit, ``"table"`` draws
            from block error tables, ``"expected"`` sums over delivered sets with the tables'
            probabilities and draws nothing (trials, seed and stopping rules then play no part).
        num_trials: Channel realisations per image (the most, with a stopping rule).
        analog_trials: The most trials of an analog system, each of which costs a decoding and
            the metrics, whatever the estimator; 1 to 64. They are the first of ``num_trials``.
        seed: Master seed of the channel draws.
        stop_half_width: Stop a point once every frame's delivery probability is known to plus or
            minus this (`experiments.statistics.proportions.known_within`); None never does.
        stop_errors: Stop a point once every frame was lost this many times; None never does.
            With both rules, each frame has to satisfy one of them.
        min_trials: Trials before a stopping rule is first asked.
        primary: Endpoints that the sweep is to decide, each ``METRIC CHANNEL RHO LOW:HIGH``, such
            as ``lpips rayleigh_block 1/24 0:15``: the metric averaged over these SNRs. The report
            tests them first; all other comparisons stand below, corrected for their number.
        primary_metrics: Metrics that are measured at the points of ``primary`` alone, and nowhere
            else, nor for bounds; for those that cost much.
        bounds: Image codecs whose rate-quality curves are measured and put on the channel as if
            by an ideal code: bounds that the figures draw.
        strip_images: Of how many images the reconstructions are kept for figures.
        plugins: Files or modules of plug-ins, which are loaded before anything is looked up by
            name; paths as seen from the current folder.
        description: One line for people.

    Example:
        >>> spec = SweepSpec("demo", ("scmc",), ("awgn",), (0.0, 10.0), (1 / 24,))
        >>> SweepSpec.from_yaml(spec.to_yaml()) == spec
        True
        >>> spec.override(["snr=-3:3:3", "cbr=1/48,1/24"]).esno_db
        (-3.0, 0.0, 3.0)
    """

    name: str
    systems: tuple[str, ...]
    channels: tuple[str, ...]
    esno_db: tuple[EsnoDb, ...]
    rho: tuple[Rho, ...]
    images: str = "photos"
    num_images: NumImages | None = None
    design_esno_db: EsnoDb = 10.0
    utility: str = "psnr_db"
    control_bits: ControlBits = 0
    phy: str = "flat"
    metrics: tuple[str, ...] = ("psnr_db", "ms_ssim", "lpips")
    estimator: Estimator = "monte-carlo"
    num_trials: NumTrials = 32
    analog_trials: Annotated[int, Range(1, 64)] = 16
    seed: Seed = 1
    stop_half_width: HalfWidth | None = None
    stop_errors: NumTrials | None = None
    min_trials: NumTrials = 16
    primary: tuple[str, ...] = ()
    primary_metrics: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    strip_images: Annotated[int, Range(0, 10_000_000)] = 1
    plugins: tuple[str, ...] = ()
    description: str = ""

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The components that it names, by kind, each with its options."""
        links = [Link.parse(entry, self.phy) for entry in self.channels]
        return {
            "system": self.systems,
            "image_codec": self.bounds,
            "channel": tuple(link.channel for link in links),
            "phy": tuple(link.phy for link in links),
            "metric": (*self.metrics, *self.primary_metrics),
            "dataset": (self.images,),
        }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_lists("systems", "channels", "esno_db", "rho", "metrics")
        self.require("bounds", len(set(self.bounds)) == len(self.bounds), "each image codec once")
        apart = len({*self.metrics, *self.primary_metrics})
        once = apart == len(self.metrics) + len(self.primary_metrics)
        self.require("primary_metrics", once, "metrics that 'metrics' has not, each once")
        some = bool(self.primary) or not self.primary_metrics
        self.require("primary_metrics", some, "none without primary endpoints")
        for endpoint in map(Endpoint.parse, self.primary):
            within = any(endpoint.low_db <= snr <= endpoint.high_db for snr in self.esno_db)
            named = endpoint.metric in (*self.metrics, *self.primary_metrics)
            measured = named and endpoint.channel in self.channels
            near = any(math.isclose(endpoint.rho, rho) for rho in self.rho)
            self.require(
                "primary", measured and near and within,
                "endpoints of the sweep's own metrics, channels, rho and esno_db",
            )  # fmt: skip
