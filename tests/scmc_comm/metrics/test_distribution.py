"""KID and FID against theory: no bias, closed forms, mixtures against Monte Carlo."""

import numpy as np
import pytest

from scmc_comm.errors import ScmcError
from scmc_comm.metrics import distribution
from scmc_comm.metrics.distribution import Shown, fid, frechet, pair_sums


def alone(real, shown):
    """Each original shown in one way."""
    return Shown(real, shown[:, None], np.ones((len(real), 1)))


def mmd(x, y):
    """MMD^2 of two sets by the definition, pairs of one index left out (Gretton 2012, eq. 4)."""
    kernel = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3  # noqa: E731
    h = kernel(x, x) + kernel(y, y) - kernel(x, y) - kernel(y, x)
    n = len(x)
    return (h.sum() - np.trace(h)) / (n * (n - 1))


def test_kid_is_the_mean_over_pairs_of_different_pictures():
    x, y = np.random.default_rng(0).normal(size=(2, 7, 5))
    assert pair_sums(alone(x, y)).kid() == pytest.approx(mmd(x, y), rel=1e-12)


def test_kid_is_unbiased_even_for_four_pictures():
    """Of two samples of one distribution the mean is 0; that of all pairs would be far above."""
    rng = np.random.default_rng(1)
    found = np.array([pair_sums(alone(*rng.normal(size=(2, 4, 3)))).kid() for _ in range(4000)])
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean()) < 4 * error and error < 0.05
    assert (found < 0).mean() > 0.2  # so it must be able to be negative


def test_kid_of_two_gaussians_has_its_expectation():
    """In one dimension k(a, b) = (ab + 1)^3 compares the first three moments: 3, 3 and 1 times."""
    rng = np.random.default_rng(2)
    moments = [(0, 1, 0), (0.5, 0.5**2 + 1.44, 0.5**3 + 3 * 0.5 * 1.44)]
    first, second, third = (a - b for a, b in zip(*moments, strict=True))
    expected = 3 * first**2 + 3 * second**2 + third**2
    drawn = []
    for x, y in rng.normal(size=(1000, 2, 30, 1)):
        drawn.append(pair_sums(alone(x, 0.5 + 1.2 * y)).kid())
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - expected) < 4 * error and error < 0.1 * expected


def test_a_mixture_is_the_expectation_over_what_is_delivered():
    rng = np.random.default_rng(3)
    real, shown = rng.normal(size=(6, 4)), rng.normal(size=(6, 3, 4))
    weights = rng.dirichlet(np.ones(3), 6)
    exact = pair_sums(Shown(real, shown, weights)).kid()
    drawn = []
    for _ in range(4000):
        ways = [rng.choice(3, p=own) for own in weights]
        drawn.append(pair_sums(alone(real, shown[np.arange(6), ways])).kid())
    assert abs(np.mean(drawn) - exact) < 4 * np.std(drawn) / np.sqrt(len(drawn))


def test_many_points_at_once_are_those_one_by_one():
    rng = np.random.default_rng(4)
    real, shown = rng.normal(size=(5, 4)), rng.normal(size=(5, 3, 4))
    weights = rng.dirichlet(np.ones(3), (2, 5))
    weights[1, 2] = 0  # a picture that never counts
    both = pair_sums(Shown(real, shown, weights))
    for n, own in enumerate(weights):
        one = pair_sums(Shown(real, shown, own))
        assert both.kid()[n] == pytest.approx(one.kid(), rel=1e-10)
        assert np.allclose(both.left_out()[n], one.left_out(), rtol=1e-10)
    kept = np.delete(np.arange(5), 2)
    without = pair_sums(Shown(real[kept], shown[kept], weights[1][kept]))
    assert both.kid()[1] == pytest.approx(without.kid(), rel=1e-10)


def test_leaving_a_picture_out_is_kid_of_the_others():
    rng = np.random.default_rng(5)
    real, shown, weights = rng.normal(size=(4, 3)), rng.normal(size=(4, 2, 3)), rng.random((4, 2))
    found = pair_sums(Shown(real, shown, weights)).left_out()
    for i in range(4):
        kept = np.delete(np.arange(4), i)
        want = pair_sums(Shown(real[kept], shown[kept], weights[kept])).kid()
        assert found[i] == pytest.approx(want, rel=1e-9)


def test_too_few_pictures_have_no_value():
    x = np.ones((1, 3))
    assert np.isnan(pair_sums(alone(x, x)).kid())
    assert np.isnan(fid(alone(*np.random.default_rng(0).normal(size=(2, 999, 2)))))
    with pytest.raises(ScmcError, match="expected"):
        Shown(np.ones((2, 3)), np.ones((2, 1, 4)), np.ones((2, 1)))


def test_frechet_distance_of_gaussians_in_closed_form():
    rng = np.random.default_rng(6)
    mean, other = rng.normal(size=(2, 4))
    a, b = rng.random((2, 4)) + 0.1
    want = np.square(mean - other).sum() + np.square(np.sqrt(a) - np.sqrt(b)).sum()
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]  # turned alike, covariances still commute
    covariances = [turn @ np.diag(x) @ turn.T for x in (a, b)]
    assert frechet(mean, covariances[0], other, covariances[1]) == pytest.approx(want, rel=1e-9)
    assert frechet(mean, covariances[0], mean, covariances[0]) == pytest.approx(0, abs=1e-9)


def test_fid_of_samples_tends_to_that_of_their_gaussians():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2, 40000, 2))
    assert fid(alone(x, 1 + 2 * y)) == pytest.approx(4, rel=0.05)


def test_fid_of_a_mixture_is_that_of_its_mean_and_covariance(monkeypatch):
    """Shown twice as often is as if it were there twice."""
    monkeypatch.setattr(distribution, "MIN_FID_IMAGES", 3)
    rng = np.random.default_rng(8)
    real, shown = rng.normal(size=(30, 2)), rng.normal(size=(30, 2, 2))
    weights = np.tile([2 / 3, 1 / 3], (30, 1))
    repeated = shown[:, [0, 0, 1]].reshape(-1, 2)
    want = fid(alone(np.repeat(real, 3, axis=0), repeated))
    assert fid(Shown(real, shown, weights)) == pytest.approx(want, rel=1e-9)
