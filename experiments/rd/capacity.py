"""Codec + capacity on a data set, held against published values: is the whole scale right?

A bound is a rate-distortion curve read at the rate of an ideal code. With published curves as the
yardstick this checks pictures, colour conversion, PSNR, rho and SNR at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from channels.bounds.awgn import capacity
from experiments.execution.cache import default_cache_dir, write_atomic
from experiments.execution.executors import executor
from experiments.execution.fingerprint import git_revision, package_versions
from experiments.execution.output import check_folder, write_json
from experiments.rd.anchors import Anchors, load_anchors
from experiments.rd.forecast import CurveForecast, forecast_curves
from experiments.rd.measure import codec_fingerprint
from experiments.statistics.bounds import RateQuality
from experiments.statistics.tables import Table
from experiments.sweep.originals import Original, originals, sizes_of
from experiments.sweep.rate_points import (
    ImageCurveCodec,
    RatePoints,
    RateTask,
    measure_curves,
)
from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.baselines.jpeg import JpegCodec, encode_file
from scmc_comm.datasets.image_sets import LazyImages
from scmc_comm.device import describe_device
from scmc_comm.errors import ScmcError
from scmc_comm.metrics import measure

PLAIN_JPEG = "jpeg-plain"
KODAK = 24  # pictures that the published values are means of


@dataclass(frozen=True)
class Published:
    """A published value: PSNR in dB that a codec's mean curve gives at capacity, on Kodak.

    Attributes:
        codec: The codec here that is held against it.
        curve: Name of the published curve.
        rho: Bandwidth ratio.
        esno_db: Es/N0 in dB.
        psnr_db: The value.
        tolerance: Of the difference in dB; None where the codec here is meant to be better.
    """

    codec: str
    curve: str
    rho: float
    esno_db: float
    psnr_db: float
    tolerance: float | None


# Read at bpp = 3 rho log2(1 + snr), linear in the logarithm of the rate, off the Kodak curves that
# come with CompressAI (results/image/kodak: jpeg, vtm).
PUBLISHED = (
    Published(PLAIN_JPEG, "jpeg", 1 / 16, 10.0, 30.29, 0.3),
    Published(PLAIN_JPEG, "jpeg", 1 / 8, 10.0, 34.07, 0.3),
    Published("jpeg:headers=file", "jpeg", 1 / 16, 10.0, 30.29, None),
    Published("jpeg:headers=file", "jpeg", 1 / 8, 10.0, 34.07, None),
    Published("vvc:headers=file", "vtm", 1 / 48, 1.0, 27.31, 0.8),
    Published("vvc:headers=file", "vtm", 1 / 48, 10.0, 30.76, 0.8),
    Published("vvc:headers=file", "vtm", 1 / 16, 1.0, 30.82, 0.8),
    Published("vvc:headers=file", "vtm", 1 / 16, 10.0, 35.79, 0.8),
    Published("vvc:headers=file", "vtm", 1 / 8, 10.0, 39.83, 0.8),
)
CODECS = tuple(dict.fromkeys(anchor.codec for anchor in PUBLISHED))
# About 0.03 to 1.4 bpp on average; QP 54 to 22 for VVC, whose finest points take long.
_JPEG = (1, 2, 3, 5, 8, 12, 18, 25, 35, 45, 55, 65, 75, 85, 92, 95)
QUALITIES: dict[str, tuple[float, ...]] = {
    PLAIN_JPEG: _JPEG,
    "jpeg:headers=file": _JPEG,
    "vvc:headers=file": (9, 16, 22, 28, 34, 41),
}


class PlainJpeg(JpegCodec):
    """JPEG files with the standard's own Huffman tables, as the published curve was measured.

    The rival of the sweeps fits its tables to each picture, and so needs fewer bytes.
    """

    def __init__(self) -> None:
        super().__init__(slim=False)
        self.name = PLAIN_JPEG

    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        return encode_file(pixels, quality, optimize=False)


def make_codec(name: str) -> ImageCurveCodec:
    """The codecs that are held against published curves."""
    codec = PlainJpeg() if name == PLAIN_JPEG else make_image_codec(name)
    return ImageCurveCodec(codec, QUALITIES[name])


def bpp_at_capacity(rho: float, esno_db: float) -> float:
    """Bits per pixel that an ideal code carries.

    Example:
        >>> round(bpp_at_capacity(1 / 16, 10.0), 4)
        0.6486
    """
    return 3 * rho * float(capacity(esno_db))


def psnr_at(bpp: Sequence[float], psnr_db: Sequence[float], rate: float) -> float:
    """A curve read at a rate, linear in its logarithm; NaN outside what was measured.

    Example:
        >>> psnr_at([0.5, 2.0], [30.0, 36.0], 1.0), psnr_at([0.5, 2.0], [30.0, 36.0], 3.0)
        (33.0, nan)
    """
    x = np.log(np.asarray(bpp, float))
    return float(np.interp(np.log(rate), x, psnr_db, left=np.nan, right=np.nan))


def measure_anchors(
    codecs: Sequence[str], images: Mapping[str, Original], jobs: int, folder: Path, progress: bool
) -> list[RatePoints]:
    """Rate and PSNR of each codec and picture at all of the codec's `QUALITIES`."""
    with executor(jobs) as workers:
        return measure_curves(_tasks(codecs, images, folder), workers, "anchors", progress)


def forecast_anchors(
    images: str, codecs: Sequence[str] = CODECS, calibrate: bool = True
) -> CurveForecast | None:
    """What `run_anchors` will cost; see `experiments.rd.forecast.forecast_curves`.

    Raises:
        ScmcError: As `run_anchors`, before it measures.
    """
    tasks = _tasks(codecs, _kodak(images, codecs), default_cache_dir() / "rd")
    return forecast_curves(tasks, calibrate)


def _tasks(codecs: Sequence[str], images: Mapping[str, Original], folder: Path) -> list[RateTask]:
    base = {codec: "jpeg" if codec == PLAIN_JPEG else codec for codec in codecs}
    versions = {codec: codec_fingerprint(base[codec], __file__) for codec in codecs}
    return [
        RateTask(
            codec, name, original, ("psnr_db",), versions[codec], folder, make_codec, measure,
        )
        for codec in codecs
        for name, original in images.items()
    ]  # fmt: skip


def compare(
    found: Sequence[RatePoints], images: Mapping[str, Original], curves: Anchors | None = None
) -> pd.DataFrame:
    """What was measured beside what was published.

    Args:
        found: `measure_anchors`'s points.
        images: The pictures.
        curves: The published curves; then their value is read anew (``published_curve``).

    Returns:
        A row for each value: ``mean_curve`` reads the curve of means, as the published ones are,
        and is what passes or fails; ``per_image`` is the mean over pictures of each one's own
        curve read at that rate, as a sweep's bounds are.
    """
    pixels = {name: height * width for name, (height, width) in sizes_of(images).items()}
    rows = []
    for anchor in PUBLISHED:
        mine = [points for points in found if points.codec == anchor.codec]
        if not mine:
            continue
        rate = bpp_at_capacity(anchor.rho, anchor.esno_db)
        value, each = _mean_curve(mine, pixels, rate), _per_image(mine, pixels, rate)
        row = asdict(anchor) | {"bpp": rate, "mean_curve": value, "per_image": each}
        row["difference"] = value - anchor.psnr_db
        row["result"] = "no limit"
        if anchor.tolerance is not None:
            near = abs(value - anchor.psnr_db) <= anchor.tolerance
            row["result"] = "pass" if near else "FAIL"
        if curves is not None and anchor.curve in curves.curves:
            theirs = curves.curves[anchor.curve]
            row["published_curve"] = psnr_at(list(theirs["bpp"]), list(theirs["psnr_db"]), rate)
        rows.append(row)
    return pd.DataFrame(rows).rename(columns={"psnr_db": "published"})


def _mean_curve(mine: Sequence[RatePoints], pixels: dict[str, int], rate: float) -> float:
    bpp = np.mean([np.array(p.num_bits) / pixels[p.image] for p in mine], axis=0)
    psnr = np.mean([p.metrics["psnr_db"] for p in mine], axis=0)
    return psnr_at(bpp.tolist(), psnr.tolist(), rate)


def _per_image(mine: Sequence[RatePoints], pixels: dict[str, int], rate: float) -> float:
    values = []
    for points in mine:
        curve = RateQuality(
            np.array(points.num_bits), np.array(points.metrics["psnr_db"]),
            points.failure["psnr_db"],
        )  # fmt: skip
        values.append(float(curve.at(rate * pixels[points.image])))
    return float(np.mean(values))


def cells(table: pd.DataFrame) -> Table:
    """`compare`'s table for people."""
    header = ["codec", "rho", "Es/N0 (dB)", "bpp", "published (dB)", "mean curve (dB)",
              "per image (dB)", "difference", "tolerance", "result"]  # fmt: skip
    rows = [
        [str(row["codec"]), f"1/{round(1 / row['rho'])}", f"{row['esno_db']:g}",
         f"{row['bpp']:.4f}", f"{row['published']:.2f}", f"{row['mean_curve']:.2f}",
         f"{row['per_image']:.2f}", f"{row['difference']:+.2f}",
         "-" if pd.isna(row["tolerance"]) else f"{row['tolerance']:g}", str(row["result"])]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return Table(header, rows)


def _kodak(images: str, codecs: Sequence[str]) -> dict[str, Original]:
    """The pictures, once there are published values of them and of the codecs."""
    unknown = [name for name in codecs if name not in CODECS]
    if unknown or not codecs:
        raise ScmcError(
            f"codecs are {', '.join(codecs) or 'none'}; there are published values for "
            f"{', '.join(CODECS)}"
        )
    pictures = LazyImages(images)
    if len(pictures) != KODAK:
        raise ScmcError(
            f"{images} holds {len(pictures)} pictures; expected the {KODAK} of Kodak, which the "
            "published values are means of"
        )
    return originals(pictures)


def run_anchors(
    images: str,
    out: Path,
    codecs: Sequence[str] = CODECS,
    curves: Path | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Measures the Kodak anchors and writes ``anchors.csv``, ``.md``, ``.tex`` and ``.json``.

    Args:
        images: Folder of the 24 Kodak pictures.
        out: Where to write.
        codecs: Which of the codecs with published values.
        curves: JSON of published curves (see `experiments.rd.anchors`), to read them anew.
        jobs: Processes.
        progress: Show a progress bar.

    Returns:
        `compare`'s table.

    Raises:
        ScmcError: Other pictures or codecs than there are published values for.
    """
    theirs = None if curves is None else load_anchors(curves)
    pictures = _kodak(images, codecs)
    check_folder(out)
    found = measure_anchors(codecs, pictures, jobs, default_cache_dir() / "rd", progress)
    table = compare(found, pictures, theirs)
    text = cells(table)
    write_atomic(out / "anchors.csv", table.to_csv(index=False).encode())
    write_atomic(out / "anchors.md", (text.markdown() + "\n").encode())
    write_atomic(out / "anchors.tex", (text.latex() + "\n").encode())
    provenance = {
        "git": git_revision(),
        "versions": package_versions(),
        "device": describe_device(),
    }
    write_json(out / "anchors.json", provenance | {"points": [asdict(points) for points in found]})
    return table
