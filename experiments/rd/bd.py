"""Bjontegaard deltas of mean curves, with intervals over images.

BD-rate is the mean difference of log rate at equal quality, as a percentage; the curves are
interpolated by monotone cubics (Fritsch-Carlson) over the qualities that both reach, by the
`bjontegaard` package. Metrics of which less is better are negated, so that quality grows.

Source: G. Bjontegaard, VCEG-M33 (2001); C. Herglotz et al., IEEE Access 12 (2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm, t

from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]
LOWER_IS_BETTER = frozenset(("mse", "lpips", "lpips_vgg", "dists"))
_MIN_POINTS = 2
_LEAST_OVERLAP = 0.05  # a mean over less than this share says nothing
_MOST_WITHOUT_OVERLAP = 0.02  # share of resamples


@dataclass(frozen=True)
class Points:
    """What was measured of one codec and one metric.

    Attributes:
        bpp: Rates [images, points].
        quality: The metric [images, points], negated if less is better.
    """

    bpp: Floats
    quality: Floats

    def __post_init__(self) -> None:
        if self.bpp.ndim != 2 or self.bpp.shape != self.quality.shape or 0 in self.bpp.shape:
            raise ScmcError(
                f"rates {self.bpp.shape} and qualities {self.quality.shape}; expected two equal "
                "shapes [images, points]"
            )

    def mean_curve(self, images: NDArray[np.int64] | None = None) -> Curve:
        """Curve of the means over all images, or over those numbers (with repetition)."""
        rows = slice(None) if images is None else images
        return make_curve(self.bpp[rows].mean(0), self.quality[rows].mean(0))


@dataclass(frozen=True)
class Curve:
    """Rate and quality, both strictly growing."""

    bpp: Floats
    quality: Floats

    def within(self, low_bpp: float, high_bpp: float) -> Curve:
        """The part of the curve between two rates, its ends interpolated."""
        inside = (self.bpp >= low_bpp) & (self.bpp <= high_bpp)
        if self.bpp.size < _MIN_POINTS or inside.all():
            return self
        at = PchipInterpolator(np.log(self.bpp), self.quality)
        ends = [r for r in (low_bpp, high_bpp) if self.bpp[0] < r < self.bpp[-1]]
        bpp = np.concatenate([self.bpp[inside], ends])
        quality = np.concatenate([self.quality[inside], at(np.log(ends)) if ends else []])
        return make_curve(bpp, quality)


@dataclass(frozen=True)
class BdRate:
    """Rate that a codec needs beyond a reference at equal quality.

    Attributes:
        percent: Negative is less rate; NaN if there is no number, see ``note``.
        low: Lower limit of the 95 % interval over images; NaN for one image, or if too many
            resamples do not overlap.
        high: Upper limit.
        from_quality: Least quality of the common range (negated metrics stay negated).
        to_quality: Greatest quality of the common range.
        overlap: Length of the common range over that of the union of both.
        left_out: Points of the codec's mean curve left out because less rate gives as much
            quality; the interpolation across such a gap is of no operating point.
        note: Why there is no number, or empty.
    """

    percent: float
    low: float
    high: float
    from_quality: float
    to_quality: float
    overlap: float
    left_out: int = 0
    note: str = ""


def make_curve(bpp: Floats, quality: Floats) -> Curve:
    """The points that pay: a point at which less rate gives as much quality is left out.

    A user of the codec would not choose it, and the delta needs rate as a function of quality.

    Example:
        >>> make_curve(np.array([0.1, 0.2, 0.4]), np.array([20.0, 19.0, 25.0])).bpp.tolist()
        [0.1, 0.4]
    """
    order = np.lexsort((-quality, bpp))
    bpp, quality = bpp[order], quality[order]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(quality)[:-1]])
    pays = (quality > before) & np.isfinite(quality)
    return Curve(bpp[pays], quality[pays])


def bd_rate(
    codec: Points,
    reference: Points,
    rng: np.random.Generator,
    window_bpp: tuple[float, float] = (0.0, np.inf),
    num_resamples: int = 500,
    confidence: float = 0.95,
) -> BdRate:
    """BD-rate of mean curves; its interval resamples images, the same for both codecs.

    Args:
        codec: The codec.
        reference: What it is compared with, on the same images.
        rng: Source of the resampling.
        window_bpp: Only rates in this range count.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Returns:
        The delta, or a note why there is none.

    Example:
        >>> bpp, psnr = np.array([[0.1, 0.2, 0.4]]), np.array([[25.0, 28.0, 31.0]])
        >>> rng = np.random.default_rng(1)
        >>> round(bd_rate(Points(0.8 * bpp, psnr), Points(bpp, psnr), rng).percent, 6)
        -20.0
    """
    if len(codec.bpp) != len(reference.bpp):
        raise ScmcError(
            f"{len(codec.bpp)} images of the codec, {len(reference.bpp)} of the reference; "
            "expected the same images"
        )

    def curves(images: NDArray[np.int64] | None) -> tuple[Curve, Curve]:
        both = (points.mean_curve(images) for points in (codec, reference))
        mine, other = (curve.within(*window_bpp) for curve in both)
        return mine, other

    mine, other = curves(None)
    if note := _why_not(mine, other):
        return BdRate(*(np.nan,) * 5, 0.0, note=note)
    start, end = _common(mine, other)
    num_images = len(codec.bpp)
    low = high = np.nan
    if num_images > 1:
        draws = np.full(num_resamples, np.nan)
        for i, images in enumerate(rng.integers(num_images, size=(num_resamples, num_images))):
            pair = curves(images)
            if not _why_not(*pair):
                draws[i] = _percent(*pair)
        if np.isnan(draws).mean() <= _MOST_WITHOUT_OVERLAP:
            tail = _tail(confidence, num_images)
            low, high = np.nanquantile(draws, [tail, 1 - tail])
    left_out = codec.bpp.shape[1] - codec.mean_curve().bpp.size
    limits = (float(low), float(high), start, end)
    return BdRate(_percent(mine, other), *limits, _overlap(mine, other), left_out)


def bd_quality(codec: Curve, reference: Curve) -> float:
    """Mean difference of quality at equal log rate over the common rates; NaN without any."""
    from bjontegaard import bd_psnr

    low, high = max(codec.bpp[0], reference.bpp[0]), min(codec.bpp[-1], reference.bpp[-1])
    if min(codec.bpp.size, reference.bpp.size) < _MIN_POINTS or low >= high:
        return np.nan
    return float(
        bd_psnr(
            reference.bpp, reference.quality, codec.bpp, codec.quality,
            method="pchip", require_matching_points=False, min_overlap=0,
        )
    )  # fmt: skip


def _why_not(codec: Curve, reference: Curve) -> str:
    if min(codec.bpp.size, reference.bpp.size) < _MIN_POINTS:
        return "fewer than two points"
    if _overlap(codec, reference) >= _LEAST_OVERLAP:
        return ""
    return (
        f"no overlap: {_range(codec.quality)} against {_range(reference.quality)} of the reference"
    )


def _range(quality: Floats) -> str:
    ends = sorted((abs(quality[0]), abs(quality[-1])))
    return f"{ends[0]:.4g} to {ends[1]:.4g}"


def _common(codec: Curve, reference: Curve) -> tuple[float, float]:
    starts, ends = zip(*((c.quality[0], c.quality[-1]) for c in (codec, reference)), strict=True)
    return float(max(starts)), float(min(ends))


def _overlap(codec: Curve, reference: Curve) -> float:
    """Length of the common range of quality over that of the union; negative without any."""
    start, end = _common(codec, reference)
    both = np.concatenate([codec.quality, reference.quality])
    return float((end - start) / (both.max() - both.min()))


def _percent(codec: Curve, reference: Curve) -> float:
    from bjontegaard import bd_rate as package_bd_rate

    return float(
        package_bd_rate(
            reference.bpp, reference.quality, codec.bpp, codec.quality,
            method="pchip", require_matching_points=False, min_overlap=0,
        )
    )  # fmt: skip


def _tail(confidence: float, num_images: int) -> float:
    """Widened percentile for few images: Hesterberg (2015), The American Statistician 69(4)."""
    wide = np.sqrt(num_images / (num_images - 1)) * t.ppf(0.5 + confidence / 2, num_images - 1)
    return float(norm.cdf(-wide))
