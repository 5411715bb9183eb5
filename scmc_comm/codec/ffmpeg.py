"""The FFmpeg binary: where it is, whether it knows VVC, and one way to run it."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache

from scmc_comm.errors import ScmcError

_FIX = "pip install 'imageio-ffmpeg>=0.6', or point IMAGEIO_FFMPEG_EXE at an FFmpeg >= 7.1"


def run_ffmpeg(args: Sequence[str], data: bytes, timeout_s: float) -> bytes:
    """Runs FFmpeg with ``data`` on its standard input; returns its standard output.

    Args:
        args: Options; input ``pipe:0`` and output ``pipe:1`` (nothing is written to disk).
        data: Standard input.
        timeout_s: Seconds after which the process is killed.

    Raises:
        ScmcError: No usable FFmpeg, it failed, or it took too long.
    """
    exe = ffmpeg_exe()
    command = [exe, "-hide_banner", "-nostats", "-loglevel", "error", "-xerror", *args]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ScmcError(f"FFmpeg took longer than {timeout_s:.0f} s: damaged input?") from error
    except OSError as error:
        raise ScmcError(f"cannot run FFmpeg {exe!r} ({error}); {_FIX}") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[0] if lines else f"exit status {done.returncode}"
        raise ScmcError(f"FFmpeg failed: {reason[:200]}")
    return done.stdout


def ffmpeg_exe(encoder: str = "libvvenc", decoder: str = "vvc") -> str:
    """Path of an FFmpeg with a video encoder and a decoder, by their names in FFmpeg.

    Looks at IMAGEIO_FFMPEG_EXE, the imageio-ffmpeg package and the PATH, in this order.

    Raises:
        ScmcError: There is none; the message names the fix.
    """
    return _checked_exe(os.environ.get("IMAGEIO_FFMPEG_EXE", ""), encoder, decoder)


@lru_cache(maxsize=8)
def _checked_exe(named: str, encoder: str, decoder: str) -> str:
    exe = named or _packaged_exe() or shutil.which("ffmpeg")
    if not exe:
        raise ScmcError(f"{decoder.upper()} needs an FFmpeg binary and none was found; {_FIX}")
    for option, coder, what in (
        ("-encoders", encoder, f"the {encoder} encoder"),
        ("-decoders", decoder, f"the {decoder.upper()} decoder"),
    ):
        try:
            listing = subprocess.run(
                [exe, "-hide_banner", option], capture_output=True, timeout=60, check=True
            ).stdout.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError) as error:
            raise ScmcError(f"cannot run FFmpeg {exe!r} ({error}); {_FIX}") from error
        if not re.search(rf"^\s*V\S*\s+{coder}\b", listing, re.MULTILINE):
            raise ScmcError(f"FFmpeg {exe!r} lacks {what}; {_FIX}")
    return exe


def _packaged_exe() -> str | None:
    try:
        module = importlib.import_module("imageio_ffmpeg")
        return str(module.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None
