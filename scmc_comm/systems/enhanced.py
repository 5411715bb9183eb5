"""VVC in one frame or several, whose receiver may show its pictures through a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scmc_comm.baselines.image_codecs import PLAIN, Enhance
from scmc_comm.models import enhance_path
from scmc_comm.systems.coded_file import CodedFile
from scmc_comm.systems.layered_file import Simulcast
from scmc_comm.systems.separate import Separate


@dataclass(frozen=True)
class Enhanced(CodedFile):
    """A system whose receiver may enhance what the image codec decodes.

    Attributes:
        enhance: ``perceptual`` shows decoded pictures through a network that makes them look
            better, of the size of the layered codec's fusion network and trained like it.
            Resolutions, modulation and coding are then chosen by what it shows.
    """

    enhance: Enhance = PLAIN

    def _codec_name(self) -> str:
        more = "" if self.enhance == PLAIN else f",enhance={self.enhance}"
        return super()._codec_name() + more

    def weight_files(self) -> tuple[Path, ...]:
        """See `System.weight_files`."""
        used = self.enhance != PLAIN and enhance_path().is_file()
        return (enhance_path(),) if used else ()


@dataclass(frozen=True)
class EnhancedSeparate(Enhanced, Separate):
    """VVC over one protected frame.

    Example:
        >>> EnhancedSeparate("vvc", mcs="adaptive", enhance="perceptual").image_codec().name
        'vvc:enhance=perceptual'
    """


@dataclass(frozen=True)
class EnhancedSimulcast(Enhanced, Simulcast):
    """VVC several times over, at rising rates."""
