"""
Intervals of few images
=======================

The percentile bootstrap of four images holds the truth far less often than it says. Student's t
over the images holds it, and is what figures here show below ten images.
"""

import numpy as np

from experiments.statistics.means import bootstrap_interval

runs, images = 1000, 4
rng = np.random.default_rng(1)
values = rng.normal(30, 2, (runs, images, 1))  # PSNR of images, one number each

shown = bootstrap_interval(values, rng)
drawn = values[:, rng.integers(0, images, (1000, images)), 0].mean(axis=-1)
low, high = np.percentile(drawn, [2.5, 97.5], axis=1)

print("interval,coverage")
print(f"Student's t over images,{np.mean((shown.low <= 30) & (shown.high >= 30)):.3f}")
print(f"percentile bootstrap (wrong),{np.mean((low <= 30) & (high >= 30)):.3f}")
