"""Text to image: the semantic layer's decoder.

The generator that ships paints from memory. The caption finds the most fitting of some thousands
of scenes whose codes both ends hold (:mod:`scmc_comm.codec.memory`), what it knows of shapes is
laid over the colours of the layout sentence, and a network of the fusion network's kind, which
learned to turn such a coarse colour map into a picture, renders it. Anything that is a
:class:`scmc_comm.codec.semantic.Painter` can take its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scmc_comm.codec.fusion_net import FusionConfig, FusionNet, SemanticBranch
from scmc_comm.codec.memory import Memory, layout_map, smooth
from scmc_comm.codec.weights import filled, load_weights, save_weights, with_tuples
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError

SIDE = 256
DETAIL = 0.5
"""Share of what a memory shows beyond the cells that is painted over a layout that was sent. More
has sharper edges, but another picture's: it costs squared error and gains nothing in LPIPS."""

_RENDERER = "renderer."
_MEMORY = ("words", "grids", "codes", "basis")
_SKETCHES, _LENGTHS = "sketches", "sketch_lengths"


class Generator:
    """Caption words, layout colours and a seed to a picture.

    Args:
        memory: What is recalled.
        renderer: Turns colour maps into pictures.
        sketches: Structure payloads of the remembered scenes, for
            :class:`scmc_comm.codec.scenes.ScenePainter`; perhaps none.

    Example:
        >>> generator = Generator.load()
        >>> img = generator.paint(["a red rose"], [None], seed=0)
        >>> tuple(img.shape)
        (1, 3, 256, 256)
    """

    def __init__(self, memory: Memory, renderer: FusionNet, sketches: Sequence[bytes] = ()) -> None:
        if len(sketches) not in (0, len(memory)):
            raise ScmcError(f"{len(sketches)} sketches of {len(memory)} scenes; give one of each")
        self.memory, self.renderer, self.sketches = memory, renderer, tuple(sketches)

    @classmethod
    def load(cls, path: Path | None = None) -> Generator:
        """The shipped weights, or a file of ``scmc-comm train generator``.

        Raises:
            ScmcError: If the file is missing or of another layout.
        """
        config, state = load_weights("generator", path)
        weights = {
            k.removeprefix(_RENDERER): v for k, v in state.items() if k.startswith(_RENDERER)
        }
        try:
            memory = Memory(config["vocabulary"], *(state[name] for name in _MEMORY))
            build = partial(FusionNet, FusionConfig(**with_tuples(config["renderer"])))
            sketches = _split(state) if _SKETCHES in state else ()
            return cls(memory, filled(build, weights, "its renderer"), sketches)
        except (KeyError, TypeError, RuntimeError, ScmcError) as error:
            raise ScmcError(
                f"{path or 'the shipped file'} is no generator ({str(error).splitlines()[0]}); "
                "make one with 'scmc-comm train generator'"
            ) from error

    def save(self, path: Path) -> None:
        """Write the file that :meth:`load` reads."""
        config = {
            "vocabulary": self.memory.vocabulary,
            "renderer": asdict(self.renderer.config),
        }
        state = {name: getattr(self.memory, name) for name in _MEMORY}
        if self.sketches:
            state[_SKETCHES] = torch.from_numpy(
                np.frombuffer(b"".join(self.sketches), np.uint8).copy()
            )
            state[_LENGTHS] = torch.tensor([len(s) for s in self.sketches], dtype=torch.int32)
        state |= {_RENDERER + k: v for k, v in self.renderer.state_dict().items()}
        save_weights("generator", config, state, path)

    @torch.no_grad()
    def paint(self, contents: Sequence[str], layouts: Sequence[Tensor | None], seed: int) -> Tensor:
        """Pictures of captions.

        Args:
            contents: Content sentences, b of them, each perhaps empty.
            layouts: Colours of the layout sentences, float32 [3, GRID, GRID] in [0, 1], or None.
            seed: 0 recalls the most fitting memory, 1 the second, and so on.

        Returns:
            float32 [b, 3, 256, 256] in [0, 1].
        """
        maps = [self.colour_map(c, g, seed) for c, g in zip(contents, layouts, strict=True)]
        colours = smooth(torch.stack(maps), SIDE // 2).clamp(0, 1)
        return on_device(self.renderer.from_colours, colours, self._blank).clamp(0, 1)

    @cached_property
    def _blank(self) -> SemanticBranch:
        return on_device(self.renderer.blank_branch, SIDE, SIDE)

    def colour_map(self, content: str, layout: Tensor | None, seed: int) -> Tensor:
        """What is recalled of one caption, float32 [3, 32, 32], in the layout's colours."""
        found = self.memory.recall(content, layout, seed)
        detail = self.memory.detail([found.index])
        cells = self.memory.grids[found.index].float().div(255)
        if found.mirrored:
            detail, cells = detail.flip(3), cells.flip(2)
        if layout is None:
            return coarse_map(cells[None], detail, 1.0)[0]
        return coarse_map(layout[None], detail, DETAIL)[0]


def _split(state: dict[str, Tensor]) -> list[bytes]:
    """Sketches, one after the other in the file."""
    joined, ends = state[_SKETCHES].numpy().tobytes(), state[_LENGTHS].long().cumsum(0).tolist()
    if not ends or ends[-1] != len(joined):
        raise ScmcError("its sketches are damaged")
    return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def coarse_map(layouts: Tensor, detail: Tensor, share: float | Tensor) -> Tensor:
    """Colours of layouts with detail over them.

    Args:
        layouts: float32 [b, 3, GRID, GRID] in [0, 1].
        detail: float32 [b, 3, 32, 32] around 0.
        share: How much of the detail is seen; one for all or [b, 1, 1, 1].

    Returns:
        float32 [b, 3, 32, 32] in [0, 1], whose means over the cells are the layouts' but for the
        clipping.
    """
    return (layout_map(layouts) + share * detail).clamp(0, 1)
