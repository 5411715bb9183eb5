"""
Power of each image
===================

Mean power 1 holds for each image. Normalised over a batch, images lend power to one another, and
what is called 10 dB is another SNR for each.
"""

import torch

from scmc_comm.images import load_photo


def encode(img):
    """Symbols of a toy scheme without a code: pixels in pairs."""
    return torch.view_as_complex((img.flatten() - img.mean()).view(-1, 2))


photos = ("astronaut", "rocket", "coffee")
symbols = torch.stack([encode(load_photo(name, 64)) for name in photos])
power = symbols.abs().square().mean(dim=1)
over_batch = 10 + 10 * torch.log10(power / power.mean())

print("image,each_image,over_the_batch")
for name, esno_db in zip(photos, over_batch.tolist(), strict=True):
    print(f"{name},10.0,{esno_db:.1f}")
