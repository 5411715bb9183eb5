"""Draws a stream: pictures side by side, and below them the SNR trace and what was delivered."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from channels.fading.trace import ReplayTrace
from experiments.execution.output import check_ending, check_files
from experiments.figures.style import COLOURS, GREY
from experiments.figures.timed import scheme_label
from experiments.headless import import_matplotlib
from experiments.sweep.labels import unit_label
from experiments.timed.library import Library
from experiments.timed.stream import Shot
from scmc_comm.codec.ffmpeg import run_ffmpeg
from scmc_comm.errors import ScmcError
from scmc_comm.images import to_uint8
from scmc_comm.new_file import new_file
from scmc_comm.types import LayerKind

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FORMATS = (".gif", ".mp4")
GAP, LINE, BADGE = 8, 15, 11  # pixels
PLOT, STRIP = 92, 13
PALE, INK = "#E4E4E4", "#222222"


@dataclass(frozen=True)
class Film:
    """All that is drawn.

    Attributes:
        library: The pictures.
        shots: For each scheme what its receiver shows, picture after picture.
        trace: Es/N0 over time.
        period_s: From one picture to the next.
        side: Height of a picture in pixels.
    """

    library: Library
    shots: Mapping[str, Sequence[Shot]]
    trace: ReplayTrace
    period_s: float
    side: int = 160

    def __post_init__(self) -> None:
        check_side(self.side)

    @property
    def num_pictures(self) -> int:
        """How many frames the film has."""
        return len(next(iter(self.shots.values())))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, both even, as H.264 wants them."""
        columns = len(self.shots) + 1
        width = columns * self.side + (columns + 1) * GAP
        height = self._plot_top + PLOT + LINE + len(self.shots) * (STRIP + 3) + GAP
        return width + width % 2, height + height % 2

    @property
    def _plot_top(self) -> int:
        return GAP + LINE + self.side + 6 * LINE + 2 * GAP

    def frames(self) -> Iterator[Image.Image]:
        """The frames, one a picture, as it is shown at its deadline."""
        return map(self.frame, range(self.num_pictures))

    def frame(self, i: int) -> Image.Image:
        """One frame, RGB."""
        canvas = Image.new("RGB", self.size, "white")
        draw = ImageDraw.Draw(canvas)
        shots = [(scheme_label(name), shots[i]) for name, shots in self.shots.items()]
        for column, (label, shot) in enumerate([("original", None), *shots]):
            x, y = GAP + column * (self.side + GAP), GAP
            draw.text((x, y), label, INK, font(12, bold=True))
            img = self.library.images[shots[0][1].image] if shot is None else shot.seen.img
            picture = Image.fromarray(to_uint8(img))
            picture = ImageOps.contain(picture, (self.side, self.side), Image.Resampling.LANCZOS)
            canvas.paste(picture, (x, y + LINE + 2))
            if shot is not None:
                self._below(draw, shot, x, y + LINE + self.side + 6)
        self._plot(draw, i)
        return canvas

    def _below(self, draw: ImageDraw.ImageDraw, shot: Shot, x: int, y: int) -> None:
        """Badges of the units, and the caption or what took its place."""
        left = x
        for tag in shot.sent:
            draw.rectangle((left, y, left + BADGE, y + BADGE - 2), _colour(shot, tag))
            left += BADGE + 3
        draw.text((left + 2, y - 2), _level(shot), INK, font(10))
        for n, line in enumerate(_wrap(shot.seen.caption, self.side)):
            draw.text((x, y + LINE * (n + 1) - 1), line, INK, font(10))

    def _plot(self, draw: ImageDraw.ImageDraw, i: int) -> None:
        left, right = GAP + 62, self.size[0] - GAP
        top, bottom = self._plot_top, self._plot_top + PLOT
        length_s = self.num_pictures * self.period_s
        times = np.linspace(0, length_s, right - left + 1)
        # The trace begins anew at its end: stay just before it on the last pixel.
        levels = np.array([self.trace.esno_db(t) for t in np.minimum(times, length_s - 1e-9)])
        low, high = float(np.floor(levels.min() / 5) * 5), float(np.ceil(levels.max() / 5) * 5)
        high = max(high, low + 5)

        def row(level: float) -> float:
            return bottom - (level - low) / (high - low) * PLOT

        step = 5 if high - low <= 25 else 10
        for level in np.arange(low + (-low) % step, high + 1, step):
            draw.line((left, row(level), right, row(level)), PALE)
            draw.text((left - 5, row(level)), f"{level:g} dB", GREY, font(10), anchor="rm")
        points = [(left + n, row(level)) for n, level in enumerate(levels)]
        draw.line(points, COLOURS[0], 2)
        width = (right - left) / self.num_pictures
        for n, (name, shots) in enumerate(self.shots.items()):
            y = bottom + LINE + n * (STRIP + 3)
            draw.text((left - 5, y + STRIP / 2), scheme_label(name), INK, font(10), anchor="rm")
            for k, shot in enumerate(shots[: i + 1]):
                _cell(draw, shot, (left + k * width, y, left + (k + 1) * width - 1, y + STRIP - 1))
        cursor = left + (i + 1) * width
        draw.line((cursor, top - 3, cursor, bottom + 3), INK, 1)
        head = np.interp(min((i + 1) * self.period_s, length_s), times, levels)
        draw.ellipse((cursor - 3, row(head) - 3, cursor + 3, row(head) + 3), INK)
        now = f"Es/N0 of the link, now {head:.0f} dB, at {(i + 1) * self.period_s:.3g} s"
        draw.text((left, top - LINE - 5), now, INK, font(10))


def _colour(shot: Shot, tag: str) -> str:
    """Of a unit, pale if it was lost."""
    if tag not in shot.delivered:
        return PALE
    base = tag.partition(".")[0]
    return {"semantic": COLOURS[5], "structure": COLOURS[3]}.get(base, COLOURS[0])


def _level(shot: Shot) -> str:
    if not shot.delivered:
        return "nothing: grey"
    if LayerKind.SEMANTIC.tag not in shot.sent:
        return "file"
    return next(
        (unit_label(k.tag) for k in reversed(LayerKind) if k.tag in shot.delivered), "parts"
    )


def _cell(draw: ImageDraw.ImageDraw, shot: Shot, box: tuple[float, float, float, float]) -> None:
    """A column of the strip, cut into the units of the picture, the most urgent at the bottom."""
    x0, y0, x1, y1 = box
    height = (y1 - y0 + 1) / len(shot.sent)
    for n, tag in enumerate(reversed(shot.sent)):
        top = y0 + n * height
        draw.rectangle((x0, top, x1, top + height - 1), _colour(shot, tag))


def _wrap(text: str, side: int) -> list[str]:
    return textwrap.wrap(text, max(10, int(side / 5.4)), max_lines=4, placeholder="…")


def font(size: int, bold: bool = False) -> FreeTypeFont:
    """The font that comes with matplotlib."""
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(
        Path(import_matplotlib().get_data_path()) / "fonts" / "ttf" / name, size
    )


def check_side(side: int) -> None:
    """Refuses pictures that are too small to see or too large to hold."""
    if not 64 <= side <= 1024:
        raise ScmcError(f"side is {side} pixels; expected 64 to 1024")


def check_target(path: Path) -> None:
    """Refuses a file that could not be written, before any work.

    Raises:
        ScmcError: Another ending than .gif or .mp4, or no such folder.
    """
    check_ending(path, *FORMATS)
    check_files(path)


def save(film: Film, path: Path, progress: Any = iter) -> None:
    """Writes the film as GIF or MP4 (H.264), whole or not at all.

    Args:
        film: What to draw.
        path: Ends in .gif or .mp4.
        progress: Wraps the frames, for example with a progress bar.
    """
    check_target(path)
    write = _mp4 if path.suffix.lower() == ".mp4" else _gif
    with new_file(path) as part:
        write(progress(film.frames()), film, part)


def _gif(frames: Iterator[Image.Image], film: Film, path: Path) -> None:
    first, *others = (frame.quantize(160, dither=Image.Dither.NONE) for frame in frames)
    first.save(
        path, "GIF", save_all=True, append_images=others, loop=0, optimize=True,
        duration=max(20, round(1000 * film.period_s)),
    )  # fmt: skip


def _mp4(frames: Iterator[Image.Image], film: Film, path: Path) -> None:
    width, height = film.size
    command = [
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
        "-r", f"{1 / film.period_s:.6f}", "-i", "pipe:0", "-an", "-c:v", "libx264",
        "-preset", "slow", "-crf", "20", "-pix_fmt", "yuv420p", "-r", "25",
        "-movflags", "+faststart", "-f", "mp4", "-y", str(path),
    ]  # fmt: skip
    run_ffmpeg(command, b"".join(frame.tobytes() for frame in frames), timeout_s=600)
