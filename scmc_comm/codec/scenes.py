"""Caption to picture, second way: a plausible scene in the place of the likeliest colours.

Both ends hold, of every scene in the memory, what the structure layer would send of it: some 200
bytes of edges and colours. A caption recalls the scene that fits best
(:mod:`scmc_comm.codec.memory`), its colours are moved towards those of the layout sentence, and the
fusion network paints it. What is seen is a scene of the kind that the caption names, sharp and in
the sent colours, but another one than was sent: the mean of all that fit, which
:class:`scmc_comm.codec.generator.Generator` paints, has the smaller squared error.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from scmc_comm.codec.fusion_net import FusionNet
from scmc_comm.codec.generator import SIDE, Generator
from scmc_comm.codec.layout import GRID, parse_layout, split_caption
from scmc_comm.codec.memory import layout_map, smooth
from scmc_comm.codec.structure import Sketch, read_sketch
from scmc_comm.codec.tensors import resize
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError

STIFFNESS = 0.5
"""How firmly colours keep their relations: the weight of no change in the fit, in cells."""
LOCAL = 0.5
"""Share of what the fit leaves over that is moved cell by cell. More matches the layout better, and
paints patches over the scene."""


class ScenePainter:
    """Paints the remembered scene that fits a caption best.

    Args:
        generator: Its memory must hold sketches.
        fusion: Paints sketches.

    Raises:
        ScmcError: The generator holds no sketches.

    Example:
        >>> painter = ScenePainter(Generator.load(), FusionNet.load())
        >>> painter("a red rose.", (64, 96), seed=0).shape
        torch.Size([3, 64, 96])
    """

    def __init__(self, generator: Generator, fusion: FusionNet) -> None:
        if not generator.sketches:
            raise ScmcError(
                "this generator remembers no sketches; paint with painting=expected, or make one "
                "with 'scmc-comm train generator'"
            )
        self.generator, self.fusion = generator, fusion.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption; seed 0 recalls the most fitting scene, 1 the second, and so on."""
        content, _ = split_caption(caption)
        layout = parse_layout(caption)
        sketch = self._recall(content, layout, seed)
        colours = sketch.colours if layout is None else recoloured(sketch.colours, layout)
        unguided = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1)
        img = on_device(self.fusion, *unguided, sketch.edges[None], colours[None])[0]
        return resize(img.clamp(0, 1), size)

    def _recall(self, content: str, layout: Tensor | None, seed: int) -> Sketch:
        found = self.generator.memory.recall(content, layout, seed)
        sketch = read_sketch(self.generator.sketches[found.index], (SIDE, SIDE))
        if found.mirrored:
            sketch = Sketch(sketch.edges.flip(2), sketch.colours.flip(2))
        return sketch


def recoloured(colours: Tensor, layout: Tensor) -> Tensor:
    """A scene's colours moved towards a layout's.

    One affine map of the colour space for the whole scene, fitted to the mean colours of the cells
    (ridge regression towards no change but a shift), keeps of one colour what belongs together;
    half of what it leaves over is added cell by cell.

    Args:
        colours: float32 [3, S, S] in [0, 1].
        layout: float32 [3, GRID, GRID] in [0, 1].

    Returns:
        float32 [3, S, S] in [0, 1].

    Example:
        >>> grey = recoloured(torch.full((3, 10, 10), 0.2), torch.full((3, GRID, GRID), 0.6))
        >>> bool((grey - 0.6).abs().max() < 1e-6)
        True
    """
    cells = F.adaptive_avg_pool2d(colours[None], GRID)[0]
    own, wanted = (x.flatten(1).double() for x in (cells, layout))
    centre, target = own.mean(1, keepdim=True), wanted.mean(1, keepdim=True)
    own, wanted = own - centre, wanted - target
    ridge = STIFFNESS * torch.eye(3, dtype=torch.float64)
    turn = torch.linalg.solve(own @ own.T + ridge, own @ wanted.T + ridge).T
    flat = turn @ (colours.flatten(1).double() - centre) + target
    moved = flat.float().view_as(colours).clamp(0, 1)
    left = layout_map(layout[None]) - layout_map(F.adaptive_avg_pool2d(moved[None], GRID))
    return (moved + LOCAL * smooth(left, colours.shape[-1])[0]).clamp(0, 1)
