"""How far the reconstructions as a set lie from the originals as a set: KID and FID.

Both compare features of pictures: here VGG16's last convolutions, averaged over the picture, in
place of Inception's, and the names say so. Nothing about a single picture follows from them.

A picture can be shown in several ways, each with its probability (what arrived decides): the set of
reconstructions is then a mixture, and what stands here is exact for it, with no drawing of sets.

KID is the squared maximum mean discrepancy with the kernel ``(a.b / d + 1)^3`` (Binkowski et al.,
"Demystifying MMD GANs", ICLR 2018), estimated without bias from pairs of different pictures
(Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012, equation 4): it can be negative, and is
0 where every reconstruction is its original. FID is the Frechet distance of two Gaussians (Heusel
et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017), biased for few pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

OF_SETS = ("kid_vgg16", "fid_vgg16")
"""The metrics of sets by name."""
MIN_FID_IMAGES = 1000
"""With fewer pictures FID is mostly bias: the covariance of 512 features is not known."""


@dataclass(frozen=True)
class Shown:
    """Originals and what is shown of them, as features.

    Attributes:
        real: Of the originals, float64 [n, d].
        shown: Of the ways in which each is shown, float64 [n, s, d]; rows of no weight may be
            anything finite.
        weights: Probability of each way, [..., n, s]: 1 in all for each picture, or less where
            some ways are left out, which then is the picture's weight.
    """

    real: Floats
    shown: Floats
    weights: Floats

    def __post_init__(self) -> None:
        n, d = self.real.shape
        if self.shown.shape[::2] != (n, d) or self.weights.shape[-2:] != self.shown.shape[:2]:
            raise ScmcError(
                f"features of originals {self.real.shape}, of reconstructions "
                f"{self.shown.shape}, weights {self.weights.shape}; expected [n, d], [n, s, d] "
                "and [..., n, s]"
            )


@dataclass(frozen=True)
class PairSums:
    """What KID is a quotient of.

    Attributes:
        terms: Sum over the other pictures of the kernel terms, [..., n]
        masses: Sum over the other pictures of the products of weights, [..., n].
    """

    terms: Floats
    masses: Floats

    def kid(self) -> Floats:
        """KID of all pictures, [...]; NaN with fewer than two pictures that weigh anything."""
        return _quotient(self.terms.sum(axis=-1), self.masses.sum(axis=-1))

    def left_out(self) -> Floats:
        """KID with each picture left out in turn, [..., n]."""
        terms, masses = (x.sum(axis=-1, keepdims=True) - 2 * x for x in (self.terms, self.masses))
        return _quotient(terms, masses)


def _quotient(terms: Floats, masses: Floats) -> Floats:
    return np.where(masses > 0, terms / np.where(masses > 0, masses, 1.0), np.nan)


def pair_sums(pictures: Shown) -> PairSums:
    """The sums that KID is made of.

    With h_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i), the means over what is shown
    taken, KID is the mean of h_ij over pictures i and j that differ.

    Example:
        >>> x = np.arange(6.0).reshape(3, 2)
        >>> bool(pair_sums(Shown(x, x[:, None], np.ones((3, 1)))).kid() == 0)  # all as it was
        True
    """
    real, shown, weights = pictures.real, pictures.shown, pictures.weights
    (n, s, d), mass = shown.shape, weights.sum(axis=-1)
    flat = shown.reshape(n * s, d)
    terms = np.zeros(mass.shape)
    masses = mass * (mass.sum(axis=-1, keepdims=True) - mass)
    for i in range(n):
        others = np.arange(n) != i
        own = weights[..., i, :]
        shown_pairs = np.einsum(
            "...s,sjt,...jt->...j", own, _kernel(shown[i], flat).reshape(s, n, s), weights,
            optimize=True,
        )  # fmt: skip
        to_real = np.einsum("...s,sj->...j", own, _kernel(shown[i], real)) * mass
        from_real = np.einsum(
            "jt,...jt->...j", _kernel(real[i : i + 1], flat).reshape(n, s), weights
        )
        both_real = mass[..., i : i + 1] * mass * _kernel(real[i : i + 1], real)[0]
        each = both_real + shown_pairs - to_real - from_real * mass[..., i : i + 1]
        terms[..., i] = each[..., others].sum(axis=-1)
    return PairSums(terms, masses)


def _kernel(a: Floats, b: Floats) -> Floats:
    kernel: Floats = (a @ b.T / a.shape[1] + 1) ** 3
    return kernel


def fid(pictures: Shown) -> float:
    """Frechet distance of the originals and the mixture of what is shown, at least 0.

    Args:
        pictures: Features, with weights [n, s].

    Returns:
        NaN with fewer than `MIN_FID_IMAGES` pictures that weigh anything.
    """
    weights = pictures.weights
    mass = weights.sum(axis=-1)
    if np.count_nonzero(mass) < MIN_FID_IMAGES:
        return float("nan")
    d = pictures.real.shape[1]
    return frechet(
        *_moments(pictures.real, mass), *_moments(pictures.shown.reshape(-1, d), weights.ravel())
    )


def _moments(features: Floats, weights: Floats) -> tuple[Floats, Floats]:
    mean = weights @ features / weights.sum()
    spread = features - mean
    return mean, (weights[:, None] * spread).T @ spread / weights.sum()


def frechet(mean: Floats, covariance: Floats, mean_hat: Floats, covariance_hat: Floats) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians.

    ``|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2))``: Dowson and Landau, Journal of Multivariate
    Analysis 12(3), 1982.

    Example:
        >>> frechet(np.zeros(2), np.eye(2), np.ones(2), 4 * np.eye(2))  # 1 + 1 + (1 - 2)^2 twice
        4.0
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance_hat @ root), 0)).sum()
    gap = np.square(mean - mean_hat).sum()
    return max(0.0, float(gap + np.trace(covariance) + np.trace(covariance_hat) - 2 * cross))
