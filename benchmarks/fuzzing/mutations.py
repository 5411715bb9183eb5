"""Mutations of byte strings: what a damaged disk, a bad link or a hostile sender makes of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
EXTREME_TEXTS = (
    "-1", "0", "1e400", "-1e308", "1e-320", "nan", "inf", "9" * 400, "0x7fffffff", "1/0", "1/24",
    "18446744073709551616", "0:1e15:1", "[" * 40, "{a: 1}", "null", "true", "''", '"', ":", "*a",
    "&a", "\x1b[31m", "\u202e", "x" * 600,
)  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+(?:[./]\d+)?(?:e[-+]?\d+)?")


def flip(data: bytearray, rng: random.Random) -> None:
    """Flips one to eight bits."""
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_bytes(data: bytearray, rng: random.Random) -> None:
    """Sets one to four bytes."""
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.choice((0, 255, rng.randrange(256)))


def truncate(data: bytearray, rng: random.Random) -> None:
    """Drops the end."""
    del data[rng.randrange(len(data)) :]


def delete(data: bytearray, rng: random.Random) -> None:
    """Drops a slice."""
    start, stop = _slice(data, rng)
    del data[start:stop]


def duplicate(data: bytearray, rng: random.Random) -> None:
    """Repeats a slice, once or often."""
    start, stop = _slice(data, rng)
    data[stop:stop] = data[start:stop] * rng.choice((1, 1, 2, 30))


def number(data: bytearray, rng: random.Random) -> None:
    """Writes an extreme number of one to eight bytes over what is there."""
    width = rng.choice((1, 2, 4, 8))
    value = (rng.choice(EXTREMES) & ((1 << 8 * width) - 1)).to_bytes(width, rng.choice(ORDERS))
    start = rng.randrange(len(data))
    data[start : start + width] = value


ORDERS = ("little", "big")


def word(data: bytearray, rng: random.Random) -> None:
    """Puts an extreme number or sign in place of a number of a text, or anywhere."""
    found = list(_NUMBER.finditer(bytes(data)))
    start, stop = rng.choice(found).span() if found and rng.random() < 0.7 else _slice(data, rng)
    data[start:stop] = rng.choice(EXTREME_TEXTS).encode()


Mutation = Callable[[bytearray, random.Random], None]
OF_BYTES: tuple[Mutation, ...] = (flip, set_bytes, truncate, delete, duplicate, number)
OF_TEXT: tuple[Mutation, ...] = (flip, set_bytes, truncate, delete, duplicate, word, word, word)


def mutated(seeds: Sequence[bytes], text: bool, rng: random.Random) -> bytes:
    """One to three mutations of a seed, or of the splice of two.

    Args:
        seeds: Inputs that are right.
        text: Are they texts?
        rng: What is drawn.
    """
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.15:
        other = rng.choice(seeds)
        data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.choice((1, 1, 2, 3))):
        if data:
            rng.choice(OF_TEXT if text else OF_BYTES)(data, rng)
    return bytes(data)


def _slice(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, rng.randint(1, len(data)))))
