"""Which networks a layered codec is made of, as plain values that a sweep or a file can hold.

What must both ends agree on? A layer's bytes are the coded caption, the coded edge and colour
maps, and the signal layer's symbols; ``Layer.codec`` names the coder of those bytes, and a
receiver leaves a layer out whose coder it does not have. No option here changes that coder:

* A captioner or an edge detector decides at the *encoder* which words and which edges are sent.
  Any receiver reads them, so they are not named in the container. The stream of an edge map says
  itself which of the two edge coders made it.
* A generator decides at the *decoder* how words and edges become a picture. It is the receiver's
  own affair; two receivers may show different pictures of the same bytes. What they must share
  to show the same one, the seed of the noise, is in the container.
* How much of its perceptual refinement the signal layer shows is the receiver's affair too.
* The signal layer's bits depend on the picture and on the structure layer's colour map, both in
  integers, or (``signal_given="nothing"``, or where no structure is sent) on the picture alone.
  They decode above any generator; the first byte says which it is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from scmc_comm.codec.captioner import DEFAULT_BEAMS, Captioner
from scmc_comm.codec.edge_coder import EDGE_CODERS
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.codec.semantic import PAINTINGS, Painter, SemanticCodec, load_painter
from scmc_comm.codec.structure import SketchCodec, StructureCodec
from scmc_comm.errors import ScmcError
from scmc_comm.models import files_state
from scmc_comm.ranges import Beams, Realism, check_options

NETWORKS = ("captioner", "generator", "edges", "structure_generator", "structure_base")
"""Options that are a hub name, a folder or a file."""
SIGNAL_GIVEN = ("structure", "nothing")
DTYPES = ("float32", "float16", "bfloat16")
"""Numbers that a named generator can compute with."""


@dataclass(frozen=True)
class CodecOptions:
    """Networks by hub name, folder or file; None is the one that ships.

    Attributes:
        captioner: Image-to-text model (BLIP, Florence-2, ...).
        beams: Beam width of the captioner; 1 is greedy.
        generator: Text-to-image model (SD-Turbo, SDXL-Turbo, ...) of the semantic layer.
        painting: What the generator that ships paints: ``"sample"``, a plausible scene, or
            ``"expected"``, the soft mean of all that fit, of least squared error.
        edges: Edge detector (RCF, PiDiNet), a file or its folder.
        edge_coder: How the edge map becomes bytes, ``"vvc"`` or ``"context"``.
        structure_generator: ControlNet or T2I-Adapter in the place of the fusion network.
        structure_base: Text-to-image model under it; None is the one it was trained for.
        dtype: Numbers that named generators compute with: ``"float32"``, ``"float16"`` or
            ``"bfloat16"``; half the memory, and on a GPU a fraction of the time.
        realism: How the signal layer is shown: 0 for the least squared error, 1 for the best look,
            None for what suits its quality (:func:`scmc_comm.codec.signal.usual_realism`).
        signal_given: What the signal layer is coded given: ``"structure"``, which it then needs, or
            ``"nothing"``, so that it decodes alone: a simulcast, to show the difference.

    Example:
        >>> CodecOptions(captioner="Salesforce/blip-image-captioning-base").beams
        3
    """

    captioner: str | None = None
    beams: Beams = DEFAULT_BEAMS
    generator: str | None = None
    painting: str = PAINTINGS[0]
    edges: str | None = None
    edge_coder: str = "vvc"
    structure_generator: str | None = None
    structure_base: str | None = None
    dtype: str = "float32"
    realism: Realism | None = None
    signal_given: str = "structure"

    def __post_init__(self) -> None:
        check_options(self)
        if self.signal_given not in SIGNAL_GIVEN:
            raise ScmcError(
                f"signal_given is {self.signal_given!r}; expected one of {', '.join(SIGNAL_GIVEN)}"
            )
        if self.painting not in PAINTINGS:
            raise ScmcError(
                f"painting is {self.painting!r}; expected one of {', '.join(PAINTINGS)}"
            )
        if self.painting != PAINTINGS[0] and self.generator is not None:
            raise ScmcError(
                f"painting is {self.painting!r}, which the generator that ships paints, and the "
                f"generator is {self.generator}; drop one of them"
            )
        if self.edge_coder not in EDGE_CODERS:
            raise ScmcError(
                f"edge coder is {self.edge_coder!r}; expected one of {', '.join(EDGE_CODERS)}"
            )
        if self.dtype not in DTYPES:
            raise ScmcError(f"dtype is {self.dtype!r}; expected one of {', '.join(DTYPES)}")
        if self.dtype != DTYPES[0] and self.generator is None and self.structure_generator is None:
            raise ScmcError(
                f"dtype is {self.dtype!r} and no generator is named; the networks that ship "
                "compute in float32"
            )
        if self.structure_base is not None and self.structure_generator is None:
            raise ScmcError(
                f"{self.structure_base} is a base for no structure generator; name the ControlNet "
                "or T2I-Adapter too"
            )

    def chosen(self) -> dict[str, str | int | float]:
        """The options that are not those that ship, by name, for reports."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    def files_state(self) -> str:
        """Identifies the local files that the options name, by path, size and time; "" for none.

        Example:
            >>> CodecOptions(beams=1).files_state()
            ''
        """
        return files_state(getattr(self, name) for name in NETWORKS)


def make_codec(options: CodecOptions = CodecOptions()) -> LayeredCodec:
    """The layered codec with these networks; what is named is loaded at once, the rest later.

    Raises:
        ScmcError: A network is missing or of another kind; one line that says what to do.

    Example:
        >>> import torch
        >>> make_codec().encode_semantic(torch.rand(3, 64, 64)).codec
        'caption'
    """
    return LayeredCodec(
        _semantic(options),
        _structure(options),
        realism=options.realism,
        signal_given=options.signal_given,
    )


def _semantic(options: CodecOptions) -> SemanticCodec | None:
    captioner: Captioner | None = None
    painter: Painter | None = None
    if options.captioner is not None or options.beams != DEFAULT_BEAMS:
        captioner = Captioner.load(options.captioner, options.beams)
    if options.generator is not None:
        from scmc_comm.codec.pretrained.painter import DiffusionPainter

        painter = DiffusionPainter.load(options.generator, options.dtype)
    elif options.painting != PAINTINGS[0]:
        painter = load_painter(options.painting)
    if captioner is None and painter is None:
        return None
    return SemanticCodec.load(captioner, painter)


def _structure(options: CodecOptions) -> SketchCodec | None:
    if {"edges", "edge_coder", "structure_generator"}.isdisjoint(options.chosen()):
        return None
    from scmc_comm.codec.pretrained.detectors import load_detector

    detector = load_detector(options.edges)
    if options.structure_generator is None:
        return StructureCodec.load(detector, options.edge_coder)
    from scmc_comm.codec.pretrained.guided import GuidedStructureCodec, load_guided

    return GuidedStructureCodec(
        detector,
        load_guided(options.structure_generator, options.structure_base, options.dtype),
        options.edge_coder,
    )
