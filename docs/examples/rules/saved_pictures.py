"""
Measure what the receiver shows
===============================

Reconstructions are measured as they are. Saved as JPEG first, the better picture loses most.
"""

import io

import numpy as np
import torch
from PIL import Image

from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.images import load_photo, to_uint8
from scmc_comm.metrics import measure


def saved_as_jpeg(img):
    file = io.BytesIO()
    Image.fromarray(to_uint8(img)).save(file, "JPEG", quality=75)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255


img, codec = load_photo("coffee", 128), make_image_codec("webp")
print("picture,as_it_is,saved_first")
for name, quality in (("coarse", 40), ("fine", 115)):
    shown = codec.decode(codec.encode(img, quality), (128, 128))
    both = [measure(img, x, ["psnr_db"])["psnr_db"] for x in (shown, saved_as_jpeg(shown))]
    print(f"{name},{both[0]:.2f},{both[1]:.2f}")
