"""
Trials of an image are alike
============================

Images differ in how often they arrive. An interval that pools all trials as if they were
independent is far too narrow; intervals here are over images.
"""

import numpy as np
from scipy.stats import t

from channels.bler.table import wilson_interval

runs, images, trials, truth = 2000, 8, 40, 0.25
rng = np.random.default_rng(1)
share = rng.beta(0.5, 1.5, (runs, images))  # delivery probability of each image, mean 1/4
arrived = rng.binomial(trials, share)

low, high = wilson_interval(arrived.sum(axis=1), np.full(runs, images * trials))
pooled = np.mean((low <= truth) & (truth <= high))

means = arrived / trials
half = t.ppf(0.975, images - 1) * means.std(axis=1, ddof=1) / np.sqrt(images)
by_image = np.mean(np.abs(means.mean(axis=1) - truth) <= half)

print("interval,coverage")
print(f"by image,{by_image:.3f}")
print(f"all trials pooled (wrong),{pooled:.3f}")
