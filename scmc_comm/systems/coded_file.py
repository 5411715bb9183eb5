"""What the systems have in common that send what an image codec makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.image_codecs import (
    IMAGE_CODECS,
    codec_options,
    family_of,
    forget_encodes,
    load_image_codec,
)
from scmc_comm.baselines.scaled import forget_scores
from scmc_comm.systems.base import PYTHON_ONLY, System


@dataclass(frozen=True)
class CodedFile(System):
    """A system with an image codec.

    Attributes:
        codec: The image codec, by name or as an object.
        headers: ``slim`` leaves out the constant headers, which the receiver knows; ``file``
            sends complete files.
    """

    codec: str | ImageCodec = field(metadata=PYTHON_ONLY)
    headers: Literal["slim", "file"] = "slim"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.codec, str):
            codec_options(self._codec_name())

    def parts_identity(self) -> str:
        """See `System.parts_identity`: that of the image codec."""
        return IMAGE_CODECS.identity(family_of(self.codec)) if isinstance(self.codec, str) else ""

    def image_codec(self) -> ImageCodec:
        """The codec, loaded once a process."""
        return load_image_codec(self._codec_name()) if isinstance(self.codec, str) else self.codec

    def forget(self) -> None:
        """See `System.forget`."""
        forget_encodes()
        forget_scores()

    def check_size(self, size: tuple[int, int]) -> None:
        """See `System.check_size`."""
        self.image_codec().source.check_size(size)

    @property
    def _name(self) -> str:
        return self._codec_name() if isinstance(self.codec, str) else self.codec.name

    def _codec_name(self) -> str:
        return f"{self.codec}:headers={self.headers}"
