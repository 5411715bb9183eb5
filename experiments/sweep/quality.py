"""What a receiver makes of what was delivered: shown, scored and kept in the cache, once each."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from experiments.execution.cache import Cache, digest
from experiments.sweep.components import Features, Measure
from experiments.sweep.results import SetQuality
from scmc_comm.images import to_uint8
from scmc_comm.types import UNANNOTATED, Annotation

if TYPE_CHECKING:
    from scmc_comm.types import Reconstruction


def picture_key(key: str) -> str:
    """Where the picture of what is shown lies in the cache, by its content key."""
    return digest("png", key)


def png_bytes(img: torch.Tensor) -> bytes:
    """A picture, float [3, H, W] in [0, 1], as 8-bit PNG."""
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(img)).save(buffer, format="PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Scorer:
    """Scores reconstructions of one picture.

    Attributes:
        img: float32 [3, H, W] in [0, 1].
        img_digest: `Original.key` of it with the annotation.
        measure: Measures metrics.
        fingerprint: Identity of code and weights.
        metric_identity: Identity of a metric by name, which its scores are kept by.
        cache: Where scores and pictures are kept.
        annotation: What the data set states of the picture.
        features: Gives those that metrics of sets compare, float32 [d]; None if none is asked for.
    """

    img: torch.Tensor
    img_digest: str
    measure: Measure
    fingerprint: str
    metric_identity: Callable[[str], str]
    cache: Cache
    annotation: Annotation = UNANNOTATED
    features: Features | None = None

    def quality(
        self, key: str, metrics: tuple[str, ...], show: Callable[[], Reconstruction], keep: bool
    ) -> SetQuality:
        """Quality of what is shown, found in the cache or computed and kept there.

        Metrics that were measured before are not measured again, whatever else was asked then.

        Args:
            key: Content key of what is shown and of the original.
            metrics: Metrics to measure.
            show: Makes it; called only if it is not known.
            keep: Keep the picture too.
        """
        quality_key, png_key = digest("quality", key), picture_key(key)
        features_key = digest("features", self.fingerprint, key) if self.features else ""
        known = self.cache.get_json(quality_key) or {"metrics": {}}
        kept = {name: self.metric_identity(name) for name in metrics}
        missing = tuple(name for name in metrics if kept[name] not in known["metrics"])
        wanted = [features_key] * bool(self.features) + [png_key] * keep
        if missing or "level" not in known or any(self.cache.get(key) is None for key in wanted):
            seen = show()
            img_hat = seen.img_hat.detach()
            known = {
                "metrics": known["metrics"]
                | {kept[name]: score for name, score in self._scores(img_hat, missing).items()},
                "level": -1 if seen.level is None else int(seen.level),
                "caption": seen.caption or "",
            }
            self.cache.put_json(quality_key, known)
            if keep:
                self.cache.put(png_key, png_bytes(img_hat))
            self._keep_features(img_hat, features_key)
        found = {name: known["metrics"][kept[name]] for name in metrics}
        return SetQuality(found, known["level"], known["caption"], png_key, features_key)

    def original_features(self) -> str:
        """Content key of the original's features, which are kept; empty if none is asked for."""
        if self.features is None:
            return ""
        key = digest("features", self.fingerprint, self.img_digest)
        if self.cache.get(key) is None:
            self._keep_features(self.img, key)
        return key

    def _keep_features(self, img: torch.Tensor, key: str) -> None:
        if self.features is not None:
            self.cache.put(key, np.asarray(self.features(img), np.float32).tobytes())

    def _scores(self, img_hat: torch.Tensor, names: tuple[str, ...]) -> dict[str, float]:
        """Metrics of a picture, each kept: several sets or designs may show the same."""
        shown = digest(img_hat.contiguous().numpy().tobytes())
        keys = {
            name: digest(
                "score", self.fingerprint, self.img_digest, shown, self.metric_identity(name)
            )
            for name in names
        }
        known = {name: self.cache.get_json(key) for name, key in keys.items()}
        missing = tuple(name for name, value in known.items() if value is None)
        if missing:
            measured = self.measure(self.img, img_hat, missing, self.annotation)
            for name in missing:
                known[name] = float(measured[name])
                self.cache.put_json(keys[name], known[name])
        return known
