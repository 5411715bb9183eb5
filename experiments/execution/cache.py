"""A content-addressed cache on disk: results are pure functions of what their key hashes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from scmc_comm.errors import ScmcError
from scmc_comm.new_file import new_file

logger = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """``$SCMC_COMM_CACHE``, else the user's cache folder of this program.

    Raises:
        ScmcError: The variable names a file.
    """
    if os.environ.get("SCMC_COMM_CACHE"):
        folder = Path(os.environ["SCMC_COMM_CACHE"]).expanduser()
        if folder.exists() and not folder.is_dir():
            raise ScmcError(f"the cache {folder} (SCMC_COMM_CACHE) is no folder; give a folder")
        return folder
    return platformdirs.user_cache_path("scmc_comm", appauthor=False) / "sweeps"


def made_cache(folder: Path) -> Path:
    """The folder of a cache, which is made: what prevents that is known before the work.

    Raises:
        ScmcError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScmcError(
            f"the cache {folder} cannot be made: {error.strerror}; name another folder by "
            "SCMC_COMM_CACHE"
        ) from error
    return folder


def digest(*parts: Any) -> str:
    """SHA-256 in hex of JSON-able values and bytes, unambiguous about where each part ends.

    Example:
        >>> digest("ab", "c") == digest("a", "bc")
        False
    """
    state = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        state.update(f"{type(part) is bytes}:{len(data)}:".encode() + data)
    return state.hexdigest()


def write_atomic(path: Path, data: bytes, durable: bool = True) -> None:
    """Writes a file so that a reader sees all of it or none, whenever the process dies.

    Args:
        path: The file; its folder is made.
        data: What to write.
        durable: Wait for the disk, so that this also holds when the machine loses power.
    """
    with new_file(path) as part, part.open("xb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Cache:
    """Bytes by content key under one folder.

    Attributes:
        folder: Where the entries lie; safe to delete while no sweep runs.
    """

    folder: Path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]

    def __contains__(self, key: str) -> bool:
        """Is there an entry, damaged or not?"""
        return self._path(key).is_file()

    def get(self, key: str) -> bytes | None:
        """The bytes stored under a key, or None."""
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        checksum, body = data[:32], data[32:]
        if hashlib.sha256(body).digest() != checksum:
            logger.warning("cache entry %s is damaged; computing it again", key[:12])
            return None
        return body

    def put(self, key: str, data: bytes) -> None:
        """Stores bytes under a key, with a checksum in front.

        An entry that a power loss truncates is recomputed, so nothing waits for the disk.
        """
        body = hashlib.sha256(data).digest() + data
        write_atomic(self._path(key), body, durable=False)

    def get_json(self, key: str) -> Any:
        """The value stored by `put_json`, or None."""
        data = self.get(key)
        return None if data is None else json.loads(data)

    def put_json(self, key: str, value: Any) -> None:
        """Stores a JSON-able value; floats round-trip exactly, NaN and infinity included."""
        self.put(key, json.dumps(value).encode())
