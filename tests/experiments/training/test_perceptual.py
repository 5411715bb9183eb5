"""The perceptual loss: a weighted sum of two networks' distances, one of them in a window."""

import numpy as np
import pytest
import torch

from experiments.training.perceptual import PerceptualLoss, PerceptualRecipe, picture_loss
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.zoo.sources import alexnet_features, vgg16_features


@pytest.fixture(scope="module", autouse=True)
def weights():
    try:
        alexnet_features(), vgg16_features()
    except ScmcError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pair():
    img = load_photo("chelsea", 64)[None]
    return img, (img + 0.1 * torch.randn(img.shape, generator=torch.Generator().manual_seed(0)))


def test_with_a_window_of_the_whole_picture_it_is_the_weighted_sum(pair):
    def distance(alex, vgg):
        return PerceptualLoss(PerceptualRecipe(alex, vgg, vgg_side=64))(
            *pair, np.random.default_rng(0)
        )

    alex, vgg = distance(1.0, 0.0), distance(0.0, 1.0)
    assert alex > 0.05 and vgg > 0.05
    torch.testing.assert_close(distance(0.4, 0.6), 0.4 * alex + 0.6 * vgg)


def test_vgg_sees_a_window_that_moves(pair):
    perceptual = PerceptualLoss(PerceptualRecipe(alex=0.0, vgg=1.0, vgg_side=32))
    hat = pair[1].clone().requires_grad_()
    seen = []
    for seed in range(2):
        loss = perceptual(pair[0], hat, np.random.default_rng(seed)).sum()
        (grad,) = torch.autograd.grad(loss, hat)
        rows, columns = grad.abs().sum((0, 1)).nonzero().T
        assert torch.equal(rows.unique().diff(), torch.ones(31, dtype=torch.long))
        seen.append((int(rows.min()), int(columns.min())))
    assert seen[0] != seen[1]


def test_without_weights_the_loss_is_the_absolute_error(pair):
    perceptual = PerceptualLoss(PerceptualRecipe(alex=0.0, vgg=0.0))
    loss, l1, distance = picture_loss(pair[1], pair[0], perceptual, np.random.default_rng(0))
    assert distance == 0 and loss == l1 == (pair[1] - pair[0]).abs().mean()
