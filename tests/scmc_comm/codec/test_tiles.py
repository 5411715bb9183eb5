"""Tiles of a large picture: the whole of it, and a bar where a person watches."""

import io
import sys

import torch

from scmc_comm.codec import tiles
from scmc_comm.codec.tiles import TILE, in_tiles


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_counts_the_tiles_on_a_terminal_alone(monkeypatch):
    monkeypatch.setattr(tiles, "PATIENCE_S", 0.0)
    cells = (2 * TILE, 3 * TILE)
    img = torch.rand(1, 3, *cells)
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert torch.equal(in_tiles(lambda x: 2 * x, [img], cells), 2 * img)
        text = stream.getvalue()
        assert ("tiles" in text and "/6" in text) if shown else not text


def test_a_small_picture_is_one_piece_without_a_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(tiles, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "stderr", stream)
    seen = []
    in_tiles(lambda x: seen.append(x.shape) or x, [torch.rand(1, 3, TILE, TILE)], (TILE, TILE))
    assert len(seen) == 1 and not stream.getvalue()
