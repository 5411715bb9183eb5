"""Readers of pictures, in every format that Pillow writes."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.fuzzing.campaign import Kind
from scmc_comm.images import load_image, load_photo, to_uint8

_HEAD = 8
OTHERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("JPEG", "RGB", {}), ("JPEG", "CMYK", {}), ("JPEG", "L", {"progressive": True}),
    ("TIFF", "RGB", {}), ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    ("TIFF", "L", {"compression": "tiff_deflate"}), ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "I;16", {}), ("TIFF", "1", {"compression": "group4"}), ("TIFF", "LAB", {}),
    ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}), ("GIF", "P", {}),
    ("BMP", "RGB", {}), ("BMP", "P", {}), ("PPM", "RGB", {}), ("PPM", "L", {}), ("TGA", "RGB", {}),
    ("TGA", "RGBA", {"compression": "tga_rle"}), ("ICO", "RGBA", {}), ("JPEG2000", "RGB", {}),
    ("AVIF", "RGB", {}), ("SGI", "RGB", {}), ("PCX", "RGB", {}), ("DDS", "RGBA", {}),
    ("IM", "RGB", {}), ("MSP", "1", {}),
)  # fmt: skip


def picture_kinds(folder: Path) -> list[Kind]:
    """PNG, and all others; files lie in the folder while they are read."""
    img = Image.fromarray(to_uint8(load_photo("coffee", 40)))

    def read(data: bytes) -> None:
        path = folder / f"{os.getpid()}.picture"
        path.write_bytes(data)
        load_image(path)

    modes = ("RGB", "RGBA", "P", "L", "LA", "1", "I;16")
    return [
        Kind("PNG", tuple(saved(img, "PNG", mode) for mode in modes), read, 8, repair=with_crcs,
             limit_mib=1024),
        Kind("other pictures", tuple(saved(img, *how) for how in OTHERS), read, 16,
             limit_mib=1024),
    ]  # fmt: skip


def saved(img: Image.Image, form: str, mode: str, options: dict[str, Any] | None = None) -> bytes:
    """A picture as a file."""
    made = img.convert("I").point(lambda v: v * 257).convert(mode) if mode == "I;16" else (
        img.convert(mode)
    )  # fmt: skip
    out = io.BytesIO()
    made.save(out, form, **(options or {}))
    return out.getvalue()


def with_crcs(data: bytes) -> bytes:
    """A PNG whose chunks have checksums that are right, as far as they can be followed."""
    out, at = bytearray(data[:_HEAD]), _HEAD
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + size]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(out) + data[at:]
